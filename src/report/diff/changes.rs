//! Two runs, one of them the base: which findings are new, worse, better or gone, and which layers moved.

use std::collections::BTreeSet;

use serde::Serialize;

use super::findings::{self, Changed};
use super::layers::{self, LayerChange, Reshaped};
use crate::diagnose::{Finding, Verdict};
use crate::report::{ReportError, Summary};
use crate::text::{count, counted};

/// Name and version of the format.
pub const SCHEMA: &str = "gradscope.diff/1";
/// Its place in a report directory.
pub const FILE_NAME: &str = "diff.json";

/// Relative change of a number from which it is told, unless another is asked for. Two runs of one command
/// and seed agree in every digit; a tenth is more than a change of machine or of threads makes.
pub const TOLERANCE: f64 = 0.1;

/// The differences between two runs, in one JSON document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// Name and version of the format, [`SCHEMA`].
    pub schema: String,
    /// Version of gradscope that compared them.
    pub gradscope: String,
    /// Relative change of a number from which it is told.
    pub tolerance: f64,
    /// The run that is compared with.
    pub base: RunInShort,
    /// The run that is compared.
    pub new: RunInShort,
    /// Findings that the base does not have, worst first.
    pub appeared: Vec<Finding>,
    /// Findings of both that are worse than in the base: more severe, of further layers, or further
    /// beyond their limit.
    pub worse: Vec<Changed>,
    /// Findings of both that are less severe, or less far beyond their limit.
    pub better: Vec<Changed>,
    /// Findings that only the base has.
    pub fixed: Vec<Finding>,
    /// Findings of both that are the same within the tolerance.
    pub unchanged: usize,
    /// Rules that were evaluated on the base and could not be on the new run: a finding that is gone with
    /// them is not fixed.
    pub no_longer_measured: Vec<String>,
    /// Numbers of layers, as of the last captured epoch, that differ by more than the tolerance: the
    /// most changed first.
    pub layers: Vec<LayerChange>,
    /// Layers of the same name and another shape, whose numbers are not compared.
    pub reshaped: Vec<Reshaped>,
    /// Layers that only the base has, in its order.
    pub only_in_base: Vec<String>,
    /// Layers that only the new run has, in its order.
    pub only_in_new: Vec<String>,
    /// Indices, among the new run's findings, of those that are neither new nor worse.
    #[serde(skip)]
    pub known: BTreeSet<usize>,
}

/// A run that is compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunInShort {
    /// The path that the caller names it by.
    pub source: String,
    /// Name of its model.
    pub model: String,
    /// Seed of everything that was drawn.
    pub seed: i64,
    /// Whole epochs done.
    pub epochs_done: u64,
    /// The verdict in one word.
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub headline: String,
}

impl RunInShort {
    fn new(summary: &Summary, source: &str) -> Self {
        Self {
            source: source.into(),
            model: summary.run.settings.model.clone(),
            seed: summary.run.settings.training.seed,
            epochs_done: summary.run.epochs_done,
            verdict: summary.verdict,
            headline: summary.headline.clone(),
        }
    }
}

impl Diff {
    /// Compares two runs, each with the name of its file. `tolerance`: the relative change from which a
    /// number is told.
    pub fn new(base: (&Summary, &str), new: (&Summary, &str), tolerance: f64) -> Self {
        let ((base, base_source), (new, new_source)) = (base, new);
        let findings = findings::compare(base, new, Some(tolerance));
        let layers = layers::compare(&base.layers, &new.layers, tolerance);
        Self {
            schema: SCHEMA.into(),
            gradscope: env!("CARGO_PKG_VERSION").into(),
            tolerance,
            base: RunInShort::new(base, base_source),
            new: RunInShort::new(new, new_source),
            known: findings.known(new.findings.len()),
            appeared: findings.appeared.iter().map(|i| new.findings[*i].clone()).collect(),
            worse: findings.worse,
            better: findings.better,
            fixed: findings.fixed,
            unchanged: findings.unchanged,
            no_longer_measured: unmeasured(new)
                .difference(&unmeasured(base))
                .map(|rule| (*rule).to_owned())
                .collect(),
            layers: layers.changes,
            reshaped: layers.reshaped,
            only_in_base: layers.only_in_base,
            only_in_new: layers.only_in_new,
        }
    }

    /// The findings that a gate is to look at: those that are new or worse, as they are now.
    pub fn regressions(&self) -> Vec<Finding> {
        self.appeared.iter().cloned().chain(self.worse.iter().map(|c| c.finding.clone())).collect()
    }

    /// In one line: `1 new, 2 fixed`.
    pub fn sentence(&self) -> String {
        let counts = [
            (self.appeared.len(), "new"),
            (self.worse.len(), "worse"),
            (self.better.len(), "better"),
            (self.fixed.len(), "fixed"),
        ];
        let told: Vec<String> = counts
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{} {what}", count(*n as u64)))
            .collect();
        let findings = match (told.is_empty(), self.unchanged) {
            (true, 0) => "no findings in either".to_owned(),
            (true, n) => format!("the same {}", counted(n as u64, "finding")),
            (false, _) => format!("findings: {}", told.join(", ")),
        };
        let moved: BTreeSet<&str> = self.layers.iter().map(|c| c.layer.as_str()).collect();
        let percent = crate::text::number(100.0 * self.tolerance);
        let layers = match moved.len() {
            0 => format!("no layer changed by more than {percent}%"),
            n => format!("{} changed by more than {percent}%", counted(n as u64, "layer")),
        };
        format!("{findings}; {layers}")
    }

    /// As it stands in the file: indented, one newline at the end.
    ///
    /// # Errors
    /// [`ReportError::Json`], which no difference is known to cause.
    pub fn to_json(&self) -> Result<String, ReportError> {
        let mut text = serde_json::to_string_pretty(self).map_err(ReportError::Json)?;
        text.push('\n');
        Ok(text)
    }
}

/// The findings of a run that a baseline has already: their indices. Only what is new, more severe or of
/// further layers is not among them; the numbers may move.
pub fn known(baseline: &Summary, run: &Summary) -> BTreeSet<usize> {
    findings::compare(baseline, run, None).known(run.findings.len())
}

/// The rules that were not evaluated on a run.
fn unmeasured(summary: &Summary) -> BTreeSet<&str> {
    summary.not_measured.iter().map(|n| n.rule.as_str()).collect()
}
