//! Markdown as GitHub and GitLab render it: the verdict, a small table of findings, what to try.

use std::fmt::Write;

use super::subject::{Format, Subject, shortened};
use crate::diagnose::{Finding, Verdict};
use crate::report::ReportError;
use crate::text::{count, counted, number};

pub(super) const FORMAT: Format = Format {
    name: "markdown",
    what: "a verdict and a table, for a step summary or a comment",
    of_findings: true,
    text,
};

/// Findings in the table; with [`LONGEST`] it keeps the text far below the 1 MiB that GitHub takes for a
/// step.
const MAX_ROWS: usize = 20;
/// Roots whose remedies are listed.
const MAX_ROOTS: usize = 5;
/// Characters of a cell or sentence; no message is as long, but a name may be.
const LONGEST: usize = 600;

fn text(subject: &Subject) -> Result<String, ReportError> {
    let summary = subject.summary;
    let sign = match summary.verdict {
        Verdict::Healthy => "✅",
        Verdict::Warning => "⚠️",
        Verdict::Unhealthy => "❌",
    };
    let mut text = format!("### {sign} gradscope: {}\n\n", summary.verdict.name());
    let _ = writeln!(text, "{}\n", plain(&summary.headline));
    let findings = subject.findings();
    if !findings.is_empty() {
        text.push_str("| severity | rule | layer | since | what | value | limit |\n");
        text.push_str("|---|---|---|---|---|--:|--:|\n");
        for (finding, known) in findings.iter().take(MAX_ROWS) {
            text.push_str(&row(finding, *known));
        }
        text.push('\n');
    }
    if findings.len() > MAX_ROWS {
        let more = counted((findings.len() - MAX_ROWS) as u64, "more finding");
        let _ = writeln!(text, "And {more}.\n");
    }
    for finding in findings.iter().map(|f| f.0).filter(|f| !f.remedies.is_empty()).take(MAX_ROOTS) {
        let place = finding.layer.as_ref().map_or(String::new(), |l| format!(" of {}", plain(l)));
        let _ = writeln!(text, "To try against {}{place}:\n", finding.rule);
        for remedy in &finding.remedies {
            let _ = writeln!(text, "- {}: {}", code(&remedy.flags()), plain(&remedy.why));
        }
        text.push('\n');
    }
    if !summary.not_measured.is_empty() {
        let rules: Vec<&str> = summary.not_measured.iter().map(|n| n.rule.as_str()).collect();
        let _ = writeln!(text, "Not measured: {}.\n", plain(&rules.join(", ")));
    }
    let run = &summary.run;
    let _ = writeln!(
        text,
        "Model {} on {}, seed {}, {}.",
        plain(&run.settings.model),
        plain(&run.data),
        run.settings.training.seed,
        counted(run.epochs_done, "epoch")
    );
    Ok(text)
}

fn row(finding: &Finding, known: bool) -> String {
    let layer = match finding.layers.as_slice() {
        [] => String::new(),
        [one] => plain(one),
        [first, others @ ..] => format!("{} and {} more", plain(first), count(others.len() as u64)),
    };
    let first = finding.message.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let cells = [
        format!("{}{}", finding.severity.name(), if known { " (known)" } else { "" }),
        plain(&finding.rule),
        layer,
        finding.since(),
        format!(
            "{}{}",
            plain(first),
            if finding.caused_by.is_some() { " (follows from another)" } else { "" }
        ),
        number(finding.value),
        number(finding.threshold),
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// A text that stands for itself: in one line, and nothing in it is markup, a cell, a link or a formula.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in shortened(&text.split_whitespace().collect::<Vec<_>>().join(" "), LONGEST).chars() {
        match c {
            c if c.is_control() => out.push('�'),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '!'
            | '$' | '@' => {
                out.push('\\');
                out.push(c);
            }
            // A bare address becomes a link.
            ':' => out.push_str(if out.ends_with("http") || out.ends_with("https") { "\\:" } else { ":" }),
            c => out.push(c),
        }
    }
    out
}

/// A flag to copy.
fn code(text: &str) -> String {
    let text = shortened(&text.split_whitespace().collect::<Vec<_>>().join(" "), LONGEST);
    // A fence longer than any run of backticks inside.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest > 0 { format!("{fence} {text} {fence}") } else { format!("{fence}{text}{fence}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_markup() {
        assert_eq!(plain("a|b\n<i>_x_ https://x.y $1$"), "a\\|b \\<i\\>\\_x\\_ https\\://x.y \\$1\\$");
        assert_eq!(code("a `b` c"), "`` a `b` c ``");
        assert_eq!(plain(&"x".repeat(5_000)).chars().count(), LONGEST + 1);
    }
}
