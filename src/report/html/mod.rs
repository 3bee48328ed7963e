//! `report.html`: one page for people. Self-contained, without scripts, and in an order that answers
//! "is it learning, and if not, where and why" first.
//!
//! The templates hold the structure, these modules the words and numbers. Everything that comes from
//! a record is escaped by the templates; only pictures are taken as they are, since `plot` escapes.

mod bar;
mod compare;
mod figures;
mod findings;
mod layers;
mod run;
pub(super) mod sweep;
mod text;

use askama::Template;

use self::figures::Group;
use self::findings::Card;
use self::layers::Profile;
use self::run::{EpochTable, Fact};
use self::text::Names;
use super::summary::Summary;
use super::{File, Input, ReportError, command};
use crate::diagnose::{NotMeasured, Severity, Verdict};

pub(super) use compare::page as comparison;

/// Its place in the report directory.
pub const FILE_NAME: &str = "report.html";

/// The file of this format.
pub(super) fn files(input: &Input) -> Result<Vec<File>, ReportError> {
    let page = Page::of(input).render().map_err(ReportError::Template)?;
    Ok(vec![File::new(FILE_NAME, page)])
}

/// A judgement as a glyph, a word and a colour, so that none of the three is needed alone.
#[derive(Clone, Debug, PartialEq)]
struct Mark {
    glyph: &'static str,
    word: String,
    /// Class of the style sheet.
    class: &'static str,
}

impl Mark {
    fn of(severity: Severity, word: impl Into<String>) -> Self {
        let (glyph, class) = match severity {
            Severity::Error => ("✕", "error"),
            Severity::Warning => ("▲", "warning"),
            Severity::Info => ("●", "info"),
        };
        Self { glyph, word: word.into(), class }
    }

    fn good(word: impl Into<String>) -> Self {
        Self { glyph: "✓", word: word.into(), class: "good" }
    }

    fn verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Healthy => Self::good("Healthy"),
            Verdict::Warning => Self::of(Severity::Warning, "Warning"),
            Verdict::Unhealthy => Self::of(Severity::Error, "Unhealthy"),
        }
    }
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    model: String,
    verdict: Mark,
    headline: String,
    /// What was run, and how long it took.
    context: [Vec<String>; 2],
    /// That the run ended early.
    notice: Option<String>,
    /// Where the run stands, in numbers.
    result: Option<String>,
    roots: Vec<Card>,
    notes: Vec<Card>,
    not_measured: &'a [NotMeasured],
    profile: Option<Profile>,
    groups: Vec<Group<'a>>,
    histograms: Vec<Group<'a>>,
    epochs: EpochTable,
    facts: Vec<Fact>,
    measured: Vec<String>,
    command: String,
    summary: &'a Summary,
}

impl<'a> Page<'a> {
    fn of(input: &'a Input) -> Self {
        let (record, diagnosis, summary) = (input.record, input.diagnosis, &input.summary);
        let names = Names::of(&record.header.layers);
        let (roots, notes) = findings::cards(diagnosis, record, &names);
        let (histograms, groups) = figures::groups(input.figures).into_iter().partition(|group| group.folded);
        Self {
            model: text::clean(&summary.run.settings.model),
            verdict: Mark::verdict(diagnosis.verdict),
            headline: names.in_text(&diagnosis.headline),
            context: run::context(summary),
            notice: run::notice(summary),
            result: run::result(summary),
            roots,
            notes,
            not_measured: &diagnosis.not_measured,
            profile: Profile::of(record, diagnosis, &names),
            groups,
            histograms,
            epochs: EpochTable::of(summary),
            facts: run::facts(summary),
            measured: run::measured(record, summary),
            command: text::clean(&command::line(&summary.run.command)),
            summary,
        }
    }
}
