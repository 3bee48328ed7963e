//! `report.html`: one page for people. Self-contained, whole without its script, and in an order that
//! answers "is it learning, and if not, where and why" first.
//!
//! The templates hold the structure, these modules the words and numbers. Everything that comes from
//! a record is escaped by the templates; only pictures are taken as they are, since `plot` escapes.

mod bar;
mod compare;
pub(super) mod diff;
mod figures;
mod findings;
mod layers;
mod moving;
mod run;
mod script;
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
use crate::plot::Timeline;

pub(super) use compare::page as comparison;

/// Its place in the report directory.
pub const FILE_NAME: &str = "report.html";

/// The file of this format.
pub(super) fn files(input: &Input) -> Result<Vec<File>, ReportError> {
    let page = Page::of(input)?.render().map_err(ReportError::Template)?;
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
    /// What moves with the epochs, and what does not.
    moving: Vec<Group<'a>>,
    groups: Vec<Group<'a>>,
    histograms: Vec<Group<'a>>,
    /// Histograms that are files only.
    histograms_elsewhere: usize,
    /// For the script; `None` where there is only one epoch, or none.
    moments: Option<String>,
    /// The quantities of the heat map.
    choices: Vec<(&'static str, &'static str)>,
    /// The epoch that is shown, and how many there are to move through.
    shown: (u64, usize),
    /// That some of the captured epochs cannot be moved to.
    thinned: Option<String>,
    epochs: EpochTable,
    facts: Vec<Fact>,
    measured: Vec<String>,
    command: String,
    summary: &'a Summary,
}

impl<'a> Page<'a> {
    fn of(input: &'a Input) -> Result<Self, ReportError> {
        let (record, diagnosis, summary) = (input.record, input.diagnosis, &input.summary);
        let names = Names::of(&record.header.layers);
        let (roots, notes) = findings::cards(diagnosis, record, &names);
        let flagged = diagnosis.flagged_layers();
        let timeline = Timeline::of(record, &flagged);
        let moves = timeline.as_ref().filter(|t| t.epochs.len() > 1 && !t.courses.is_empty());
        let json = |t| moving::json(t, record, &flagged, input.figures, &names).map_err(ReportError::Json);
        let (figures, histograms_elsewhere) = figures::chosen(input.figures, record, &flagged);
        let groups = figures::groups(figures);
        let (histograms, groups): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.folded);
        let (moving, groups) = groups.into_iter().partition(Group::is_moving);
        Ok(Self {
            model: text::clean(&summary.run.settings.model),
            verdict: match diagnosis.verdict {
                // Less than health: nobody has seen it learn.
                Verdict::Healthy if record.header.has_weights_alone() => {
                    Mark::good("Nothing wrong with the weights alone")
                }
                verdict => Mark::verdict(verdict),
            },
            headline: names.in_text(&diagnosis.headline),
            context: run::context(record, summary),
            notice: run::notice(summary),
            result: run::result(summary).filter(|_| !record.header.has_weights_alone()),
            roots,
            notes,
            not_measured: &diagnosis.not_measured,
            profile: timeline.as_ref().and_then(|t| Profile::of(record, diagnosis, t, &names)),
            moving,
            groups,
            histograms,
            histograms_elsewhere,
            moments: moves.map(json).transpose()?,
            choices: timeline
                .iter()
                .flat_map(|t| &t.courses)
                .map(|c| (c.quantity.key, c.quantity.name))
                .collect(),
            shown: timeline
                .as_ref()
                .map_or((0, 0), |t| (t.epochs.last().copied().unwrap_or(0), t.epochs.len())),
            thinned: moves.filter(|t| t.epochs.len() < t.captured).map(|t| {
                format!("{} of {} captured epochs; the record has all.", t.epochs.len(), t.captured)
            }),
            epochs: EpochTable::of(record, summary),
            facts: run::facts(record, summary),
            measured: run::measured(record, summary),
            command: text::clean(&command::line(&summary.run.command)),
            summary,
        })
    }
}
