//! Several runs beside each other: `compare.json`, one page and the pictures that show all of them.

mod prescription;
mod sentence;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::summary::RunOutcome;
use super::{File, OutputDir, ReportError, html, plots};
use crate::diagnose::{Diagnosis, Verdict};
use crate::plot::Figure;
use crate::record::{Record, TestResult, number};
use crate::text::counted;

pub use prescription::{Prescribed, Prescription};

/// Name and version of the format.
pub const SCHEMA: &str = "gradscope.compare/1";
/// Its place in the directory of a comparison.
pub const FILE_NAME: &str = "compare.json";

/// One of the runs that are compared.
pub struct Variant<'a> {
    /// What people call it.
    pub label: &'a str,
    /// Its own report, relative to that of the comparison.
    pub directory: &'a str,
    /// What was measured.
    pub record: &'a Record,
    /// What it means.
    pub diagnosis: &'a Diagnosis,
}

/// Several runs in one JSON document: the details stand in each one's own summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of gradscope.
    pub gradscope: String,
    /// The command line, word by word.
    pub command: Vec<String>,
    /// Which variant learned best, and why.
    pub sentence: String,
    /// The label of that variant; `None` where none learned, or several equally well.
    pub best: Option<String>,
    /// What a score is: accuracy, or minus the mean squared error. Higher is better.
    pub score: String,
    /// Where the score that decides was taken: `test`, `dev` or `train`.
    pub decided_on: Split,
    /// In the order given.
    pub variants: Vec<VariantSummary>,
    /// Labels of those that have not been trained: the comparison ended early, or goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Where the variants are the remedies of the first: which one works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prescription: Option<Prescribed>,
}

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Trained on.
    Train,
    /// Held out to choose by.
    Dev,
    /// Held out to the end.
    Test,
}

impl Split {
    /// As it stands in files.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Dev => "dev",
            Split::Test => "test",
        }
    }
}

/// How a variant fared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantSummary {
    /// What people call it.
    pub label: String,
    /// Its own report, relative to this file.
    pub directory: String,
    /// The command line that gives this run alone, word by word.
    pub command: Vec<String>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Whole epochs done.
    pub epochs_done: u64,
    /// The verdict in one word.
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub headline: String,
    /// Findings that are no consequence of others, worst first: rule, and layer where it has one.
    pub roots: Vec<Root>,
    /// Training loss of the last whole epoch; `None` where there is none, as for the others.
    #[serde(with = "number::option")]
    pub train_loss: Option<f64>,
    /// Score on the training set after it.
    #[serde(with = "number::option")]
    pub train_score: Option<f64>,
    /// Score on the dev set after it.
    #[serde(with = "number::option")]
    pub dev_score: Option<f64>,
    /// On the test set, with the parameters of the best dev score.
    pub test: Option<TestResult>,
    /// Seconds of training, capture included; unknown of a killed run.
    pub wall_s: Option<f64>,
}

/// A finding that explains others, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Name of the rule.
    pub rule: String,
    /// The layer that it is about.
    pub layer: Option<String>,
}

impl VariantSummary {
    fn of(variant: &Variant) -> Self {
        let Variant { label, directory, record, diagnosis } = variant;
        let last = record.shown_epoch();
        let end = record.end.as_ref();
        let root = |f: &crate::diagnose::Finding| Root { rule: f.rule.clone(), layer: f.layer.clone() };
        Self {
            label: (*label).into(),
            directory: (*directory).into(),
            command: record.header.command.clone(),
            outcome: RunOutcome::of(record),
            epochs_done: end.map_or_else(|| last.map_or(0, |e| e.epoch + 1), |e| e.epochs_done),
            verdict: diagnosis.verdict,
            headline: diagnosis.headline.clone(),
            roots: diagnosis.roots().map(root).collect(),
            train_loss: last.map(|e| e.train_loss),
            train_score: last.map(|e| e.train_score),
            dev_score: last.and_then(|e| e.dev_score),
            test: end.and_then(|e| e.test),
            wall_s: end.map(|e| e.wall_s),
        }
    }

    /// The roots in a few words.
    pub fn findings(&self) -> String {
        let root = |r: &Root| match &r.layer {
            Some(layer) => format!("{} ({layer})", r.rule),
            None => r.rule.clone(),
        };
        match self.roots.as_slice() {
            [] => "none".into(),
            roots => roots.iter().map(root).collect::<Vec<_>>().join(", "),
        }
    }

    /// The score on a part of the data.
    pub fn score_on(&self, split: Split) -> Option<f64> {
        match split {
            Split::Train => self.train_score,
            Split::Dev => self.dev_score,
            Split::Test => self.test.map(|t| t.score),
        }
    }
}

impl Comparison {
    /// Of these variants, with the command line that made them.
    pub fn of(variants: &[Variant], command: &[String]) -> Self {
        let summaries: Vec<VariantSummary> = variants.iter().map(VariantSummary::of).collect();
        // What all of them have, the most telling first.
        let all_have = |split: &Split| summaries.iter().all(|v| v.score_on(*split).is_some());
        let decided_on = [Split::Test, Split::Dev].into_iter().find(all_have).unwrap_or(Split::Train);
        let (sentence, best) = sentence::of(variants, &summaries, decided_on);
        let score = variants.first().map_or("score", |v| v.record.header.data.task.score_name());
        Self {
            schema: SCHEMA.into(),
            gradscope: env!("CARGO_PKG_VERSION").into(),
            command: command.to_vec(),
            sentence,
            best: best.map(|i| summaries[i].label.clone()),
            score: score.into(),
            decided_on,
            variants: summaries,
            missing: Vec::new(),
            prescription: None,
        }
    }

    /// Says which remedy works instead of which variant learned best.
    pub fn prescribe(&mut self, prescription: Prescription) {
        self.sentence = prescription.sentence(&self.variants);
        self.best = prescription.best().and_then(|i| Some(self.variants.get(i)?.label.clone()));
        self.prescription = Some(prescription.prescribed(&self.variants));
    }

    /// What is not there of what was asked for, if anything.
    pub fn notice(&self) -> Option<String> {
        let cut = |v: &&VariantSummary| v.outcome != RunOutcome::Finished;
        let stopped: Vec<String> = self
            .variants
            .iter()
            .filter(cut)
            .map(|v| format!("{} was stopped after {}", v.label, counted(v.epochs_done, "epoch")))
            .collect();
        let missing = match self.missing.as_slice() {
            [] => None,
            [one] => Some(format!("{one} was not trained")),
            several => Some(format!("{} were not trained", several.join(", "))),
        };
        let parts: Vec<String> = stopped.into_iter().chain(missing).collect();
        (!parts.is_empty()).then(|| format!("Ended early: {}.", parts.join("; ")))
    }

    /// Parts of the data on which some variant has a score, the most telling first.
    pub fn splits(&self) -> Vec<Split> {
        let some = |split: &Split| self.variants.iter().any(|v| v.score_on(*split).is_some());
        [Split::Test, Split::Dev, Split::Train].into_iter().filter(some).collect()
    }

    /// As it stands in the file: indented, one newline at the end.
    ///
    /// # Errors
    /// [`ReportError::Json`], which no comparison is known to cause.
    pub fn to_json(&self) -> Result<String, ReportError> {
        let mut text = serde_json::to_string_pretty(self).map_err(ReportError::Json)?;
        text.push('\n');
        Ok(text)
    }
}

/// Writes `report.html`, `compare.json` and `plots/*.svg`, in place of those of an earlier comparison.
///
/// # Errors
/// [`ReportError`]; what was there before is then intact.
pub fn write(
    dir: &OutputDir,
    comparison: &Comparison,
    variants: &[Variant],
    figures: &[Figure],
) -> Result<PathBuf, ReportError> {
    let mut files = vec![
        File::new(html::FILE_NAME, html::comparison(comparison, variants, figures)?),
        File::new(FILE_NAME, comparison.to_json()?),
    ];
    files.extend(plots::of(figures));
    dir.replace(&files)?;
    Ok(dir.path().join(html::FILE_NAME))
}
