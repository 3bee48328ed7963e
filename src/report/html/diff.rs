//! The page of two runs compared: what is new, worse, better and fixed, and which layers moved.

use askama::Template;

use super::mark::Mark;
use super::text::clean;
use crate::diagnose::{Finding, Severity, Verdict};
use crate::report::ReportError;
use crate::report::diff::{Changed, Diff, RunInShort};
use crate::text::{capitalized, count, counted, number};

/// Changes of layers in the table; `diff.json` has all.
const MAX_CHANGES: usize = 200;

#[derive(Template)]
#[template(path = "diff.html")]
struct Page<'a> {
    diff: &'a Diff,
    context: Vec<String>,
    mark: Mark,
    sentence: String,
    runs: Vec<RunRow>,
    groups: Vec<Group>,
    changes: Vec<[String; 5]>,
    /// The changes that the table leaves out.
    more: Option<String>,
    percent: String,
    /// Layers that cannot be compared, in sentences.
    unmatched: Vec<String>,
}

/// A run in the table.
struct RunRow {
    role: &'static str,
    source: String,
    verdict: Mark,
    headline: String,
}

impl RunRow {
    fn new(role: &'static str, run: &RunInShort) -> Self {
        Self {
            role,
            source: clean(&run.source),
            verdict: Mark::verdict(run.verdict),
            headline: clean(&run.headline),
        }
    }
}

/// Findings that have the same thing happened to them.
struct Group {
    title: &'static str,
    id: &'static str,
    about: &'static str,
    rows: Vec<Row>,
}

struct Row {
    mark: Mark,
    layer: String,
    since: String,
    message: String,
    value: String,
    limit: String,
    /// Its value in the base.
    before: String,
}

/// The whole page.
pub fn page(diff: &Diff) -> Result<String, ReportError> {
    let changes = diff.layers.iter().take(MAX_CHANGES);
    let mut models = vec![diff.base.model.as_str(), diff.new.model.as_str()];
    models.dedup();
    let page = Page {
        context: ["gradscope diff".to_owned(), clean(&models.join(" and "))].into(),
        mark: mark(diff),
        sentence: capitalized(&diff.sentence()),
        runs: vec![RunRow::new("base", &diff.base), RunRow::new("new", &diff.new)],
        groups: groups(diff).into_iter().filter(|g| !g.rows.is_empty()).collect(),
        changes: changes
            .map(|c| [clean(&c.layer), c.quantity.clone(), number(c.base), number(c.new), c.in_words()])
            .collect(),
        more: diff.layers.len().checked_sub(MAX_CHANGES).filter(|n| *n > 0).map(|n| {
            format!("{} of layers, smaller than these, stand in diff.json.", counted(n as u64, "more change"))
        }),
        percent: number(100.0 * diff.tolerance),
        unmatched: unmatched(diff),
        diff,
    };
    page.render().map_err(ReportError::Template)
}

/// Whether it got better or worse as a whole.
fn mark(diff: &Diff) -> Mark {
    let regressed = diff.regressions().iter().map(|f| f.severity).max();
    match regressed {
        Some(severity) if severity > Severity::Info => Mark::new(severity, "Worse"),
        _ if !diff.fixed.is_empty() || !diff.better.is_empty() => Mark::good("Better"),
        _ if diff.new.verdict == Verdict::Healthy => Mark::good("No worse"),
        _ => Mark::new(Severity::Info, "No worse"),
    }
}

fn groups(diff: &Diff) -> [Group; 4] {
    [
        Group {
            title: "New",
            id: "new",
            about: "Findings that the base does not have.",
            rows: diff.appeared.iter().map(only_row).collect(),
        },
        Group {
            title: "Worse",
            id: "worse",
            about: "More severe than in the base, of further layers, or further beyond the limit.",
            rows: diff.worse.iter().map(changed_row).collect(),
        },
        Group {
            title: "Better",
            id: "better",
            about: "Still there, but less severe or less far beyond the limit.",
            rows: diff.better.iter().map(changed_row).collect(),
        },
        Group {
            title: "Fixed",
            id: "fixed",
            about: "Findings that only the base has.",
            rows: diff.fixed.iter().map(only_row).collect(),
        },
    ]
}

/// The row of a finding that one of the runs has.
fn only_row(finding: &Finding) -> Row {
    row(finding, String::new())
}

fn changed_row(changed: &Changed) -> Row {
    row(&changed.finding, before(changed))
}

fn row(finding: &Finding, before: String) -> Row {
    Row {
        mark: Mark::new(finding.severity, finding.rule.as_str()),
        layer: clean(&finding.layers.join(", ")),
        since: format!("since {}", finding.since()),
        message: clean(&finding.message),
        value: number(finding.value),
        limit: number(finding.threshold),
        before,
    }
}

fn before(changed: &Changed) -> String {
    let (was, now) = (&changed.base, &changed.finding);
    let mut parts = vec![number(was.value)];
    if was.severity != now.severity {
        parts.push(was.severity.name().to_owned());
    }
    if was.layers != now.layers && !was.layers.is_empty() {
        parts.push(clean(&was.layers.join(", ")));
    }
    parts.join(", ")
}

fn unmatched(diff: &Diff) -> Vec<String> {
    let reshaped: Vec<String> = diff
        .reshaped
        .iter()
        .map(|r| format!("{} ({} to {})", r.layer, shape(&r.base), shape(&r.new)))
        .collect();
    let groups = [
        ("Only in the base", &diff.only_in_base),
        ("Only in the new run", &diff.only_in_new),
        ("Of another shape", &reshaped),
        ("Measured in the base and not in the new run", &diff.no_longer_measured),
    ];
    let told = groups.into_iter().filter(|(_, names)| !names.is_empty());
    told.map(|(what, names)| clean(&format!("{what}: {}.", names.join(", ")))).collect()
}

fn shape(shape: &[u64]) -> String {
    shape.iter().copied().map(count).collect::<Vec<_>>().join("×")
}
