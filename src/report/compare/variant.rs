//! The runs that are compared.

use serde::{Deserialize, Serialize};

use crate::diagnose::{Diagnosis, Verdict};
use crate::record::{Record, TestResult, number};
use crate::report::RunOutcome;

/// One of the runs that are compared.
pub struct Variant<'a> {
    /// Its name for people.
    pub label: &'a str,
    /// Its own report, relative to that of the comparison.
    pub directory: &'a str,
    /// The measurements of the run.
    pub record: &'a Record,
    /// The findings about it.
    pub diagnosis: &'a Diagnosis,
}

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The data that is trained on.
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
    /// Its name for people.
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

impl Root {
    fn in_words(&self) -> String {
        match &self.layer {
            Some(layer) => format!("{} ({layer})", self.rule),
            None => self.rule.clone(),
        }
    }
}

impl VariantSummary {
    /// Sums up a variant.
    pub(super) fn new(variant: &Variant) -> Self {
        let Variant { label, directory, record, diagnosis } = variant;
        let last = record.shown_epoch();
        let end = record.end.as_ref();
        let roots = diagnosis.roots().map(|f| Root { rule: f.rule.clone(), layer: f.layer.clone() });
        Self {
            label: (*label).into(),
            directory: (*directory).into(),
            command: record.header.command.clone(),
            outcome: RunOutcome::from_record(record),
            epochs_done: end.map_or_else(|| last.map_or(0, |e| e.epoch + 1), |e| e.epochs_done),
            verdict: diagnosis.verdict,
            headline: diagnosis.headline.clone(),
            roots: roots.collect(),
            train_loss: last.map(|e| e.train_loss),
            train_score: last.map(|e| e.train_score),
            dev_score: last.and_then(|e| e.dev_score),
            test: end.and_then(|e| e.test),
            wall_s: end.map(|e| e.wall_s),
        }
    }

    /// The roots in a few words.
    pub fn findings(&self) -> String {
        match self.roots.as_slice() {
            [] => "none".into(),
            roots => roots.iter().map(Root::in_words).collect::<Vec<_>>().join(", "),
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
