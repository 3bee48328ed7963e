//! The page of a run, from the verdict to the configuration.

use askama::Template;

use super::FILE_NAME;
use super::figures::{self, Group};
use super::findings::{self, Card};
use super::layers::Profile;
use super::mark::Mark;
use super::moving;
use super::run::{self, EpochTable};
use super::run_facts::{Fact, facts};
use super::text::{Names, clean};
use crate::diagnose::{NotMeasured, Verdict};
use crate::plot::Timeline;
use crate::report::directory::File;
use crate::report::{ReportError, RunReport, Summary, command};
use crate::text::count;

/// The file of this format.
pub(in crate::report) fn files(report: &RunReport) -> Result<Vec<File>, ReportError> {
    let page = Page::new(report)?.render().map_err(ReportError::Template)?;
    Ok(vec![File::new(FILE_NAME, page)])
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    model: String,
    verdict: Mark,
    headline: String,
    /// The run, and how long it took.
    context: [Vec<String>; 2],
    /// That the run ended early.
    notice: Option<String>,
    /// Where the run stands, in numbers.
    result: Option<String>,
    roots: Vec<Card>,
    notes: Vec<Card>,
    not_measured: &'a [NotMeasured],
    profile: Option<Profile>,
    /// The parts that move with the epochs, and those that do not.
    moving: Vec<Group<'a>>,
    groups: Vec<Group<'a>>,
    histograms: Vec<Group<'a>>,
    /// The number of histograms that are files only; `None` where all are in the page.
    histograms_elsewhere: Option<String>,
    /// For the script; `None` where there is only one epoch, or none.
    animation: Option<String>,
    /// The quantities of the heat map.
    choices: Vec<(&'static str, &'static str)>,
    /// The epoch that is shown, and how many there are to move through.
    shown: (String, usize),
    /// That some of the captured epochs cannot be moved to.
    thinned: Option<String>,
    epochs: EpochTable,
    facts: Vec<Fact>,
    measured: Vec<String>,
    command: String,
    summary: &'a Summary,
}

impl<'a> Page<'a> {
    fn new(report: &'a RunReport) -> Result<Self, ReportError> {
        let (record, diagnosis, summary) = (report.record, report.diagnosis, &report.summary);
        let names = Names::new(&record.header.layers);
        let (roots, notes) = findings::cards(diagnosis, record, &names);
        let timeline = report.context.as_ref().map(Timeline::new);
        let moves = timeline.as_ref().filter(|t| t.epochs.len() > 1 && !t.series.is_empty());
        let animation = moves.map(|timeline| moving::json(timeline, report, &names)).transpose();
        let (figures, histograms_elsewhere) = figures::chosen(report);
        let groups = figures::groups(figures);
        let (histograms, groups): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.folded);
        let (moving, groups) = groups.into_iter().partition(Group::is_moving);
        Ok(Self {
            model: clean(&summary.run.settings.model),
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
            profile: timeline.as_ref().and_then(|t| Profile::new(record, diagnosis, t, &names)),
            moving,
            groups,
            histograms,
            histograms_elsewhere: (histograms_elsewhere > 0).then(|| count(histograms_elsewhere as u64)),
            animation: animation.map_err(ReportError::Json)?,
            choices: timeline
                .iter()
                .flat_map(|t| &t.series)
                .map(|s| (s.quantity.key, s.quantity.name))
                .collect(),
            shown: timeline.as_ref().map_or_else(Default::default, |t| {
                (t.epochs.last().copied().map_or_else(String::new, count), t.epochs.len())
            }),
            thinned: moves.filter(|t| t.epochs.len() < t.captured).map(|t| {
                let [drawn, captured] = [t.epochs.len(), t.captured].map(|n| count(n as u64));
                format!("{drawn} of {captured} captured epochs; the record has all.")
            }),
            epochs: EpochTable::new(record, summary),
            facts: facts(record, summary),
            measured: run::measured(record, summary),
            command: clean(&command::line(&summary.run.command)),
            summary,
        })
    }
}
