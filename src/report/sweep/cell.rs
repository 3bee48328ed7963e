//! One run of many, as its directory tells it.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::grid::Sort;
use super::settings::same_run;
use crate::diagnose::{Finding, Severity, Verdict};
use crate::record::{Compression, Record, TestResult, number};
use crate::report::summary;
use crate::report::{EpochSummary, RECORD_FILE, RunOutcome, SUMMARY_SCHEMA, Summary};

/// Where the runs are, each in a directory of its own.
pub const CELLS: &str = "cells";

/// A run of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Its settings in one line, or the name of its directory where they are not known.
    pub label: String,
    /// The value of every flag that was varied.
    pub settings: BTreeMap<String, String>,
    /// Relative to the sweep's.
    pub directory: String,
    /// The command line, word by word; empty where it is not known.
    pub command: Vec<String>,
    /// How it ended.
    pub outcome: CellOutcome,
    /// Why it has no result.
    pub error: Option<String>,
    /// The score that the table is sorted by.
    #[serde(with = "number::option")]
    pub score: Option<f64>,
    /// How it fared.
    pub result: Option<CellResult>,
}

/// How a run of a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellOutcome {
    /// All epochs were trained.
    Finished,
    /// Stopped by SIGINT.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
    /// The record just stops.
    Killed,
    /// It ended with an error.
    Failed,
    /// It has not been trained.
    Untrained,
    /// There is something else in its place.
    Unreadable,
}

impl CellOutcome {
    /// Its name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            CellOutcome::Finished => "finished",
            CellOutcome::Interrupted => "interrupted",
            CellOutcome::Terminated => "terminated",
            CellOutcome::Killed => "killed",
            CellOutcome::Failed => "failed",
            CellOutcome::Untrained => "untrained",
            CellOutcome::Unreadable => "unreadable",
        }
    }
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellResult {
    /// Name of the model.
    pub model: String,
    /// In one word.
    pub verdict: Verdict,
    /// In one sentence.
    pub headline: String,
    /// The root findings, without their consequences.
    pub roots: Vec<RootFinding>,
    /// The meaning of a score: accuracy, or minus the mean squared error.
    pub score_name: String,
    /// The last captured epoch.
    pub last: Option<EpochSummary>,
    /// The one with the best dev score, or training score where there is no dev set.
    pub best: Option<EpochSummary>,
    /// On the test set.
    pub test: Option<TestResult>,
    /// Whole epochs done.
    pub epochs_done: u64,
    /// Seconds of training.
    pub wall_s: Option<f64>,
    /// Everything that was found, for whoever has just read it.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

/// A finding that no other explains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RootFinding {
    /// Name of the rule.
    pub rule: String,
    /// The layer, where it is about one.
    pub layer: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// One or two sentences.
    pub message: String,
}

impl Cell {
    /// A run that has no result, for this reason.
    pub fn without_result(
        name: &str,
        command: Vec<String>,
        outcome: CellOutcome,
        error: Option<String>,
    ) -> Self {
        Self {
            label: name.to_owned(),
            settings: BTreeMap::new(),
            directory: format!("{CELLS}/{name}"),
            command,
            outcome,
            error,
            score: None,
            result: None,
        }
    }

    /// The cell that lies in the directory `cells/NAME` of a sweep.
    pub fn read(sweep: &Path, name: &str) -> Self {
        let directory = sweep.join(CELLS).join(name);
        let place = format!("{CELLS}/{name}");
        let (command, outcome, error) = match fs::read_to_string(directory.join(summary::FILE_NAME)) {
            Ok(text) => match parsed(&text) {
                Ok(summary) => return Self::from_summary(name, summary),
                Err(reason) => {
                    let error = format!("{place}/{}: {reason}", summary::FILE_NAME);
                    (Vec::new(), CellOutcome::Unreadable, error)
                }
            },
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                (Vec::new(), CellOutcome::Unreadable, format!("{place}: {error}"))
            }
            Err(_) => match Record::read(&Compression::find(&directory, RECORD_FILE)) {
                Ok((record, _)) => (
                    record.header.command,
                    CellOutcome::Killed,
                    "it was killed or is still running: there is a record and no summary".into(),
                ),
                Err(_) if is_empty(&directory) => (
                    Vec::new(),
                    CellOutcome::Untrained,
                    "nothing was written: not trained, or failed before its first step".into(),
                ),
                Err(_) => (
                    Vec::new(),
                    CellOutcome::Unreadable,
                    format!("{place} holds neither a summary nor a record of gradscope"),
                ),
            },
        };
        Self::without_result(name, command, outcome, Some(error))
    }

    fn from_summary(name: &str, summary: Summary) -> Self {
        let outcome = match summary.run.outcome {
            RunOutcome::Finished => CellOutcome::Finished,
            RunOutcome::Interrupted => CellOutcome::Interrupted,
            RunOutcome::Terminated => CellOutcome::Terminated,
            RunOutcome::Killed => CellOutcome::Killed,
        };
        let command = summary.run.command.clone();
        let mut cell = Self::without_result(name, command, outcome, None);
        cell.result = Some(CellResult::new(summary));
        cell
    }

    /// Whether it is done, and what this command would train.
    pub fn is_done_as(&self, command: &[String]) -> bool {
        self.finished().is_some() && self.is_of(command)
    }

    /// Whether this command is what was trained there, as far as it came.
    pub fn is_of(&self, command: &[String]) -> bool {
        !self.command.is_empty() && same_run(&self.command, command)
    }

    /// Its result, if it was trained to its end.
    pub fn finished(&self) -> Option<&CellResult> {
        self.result.as_ref().filter(|_| self.outcome == CellOutcome::Finished)
    }

    /// Its score, if that is a number.
    pub fn finite_score(&self) -> Option<f64> {
        self.score.filter(|s| s.is_finite())
    }

    /// The name of its directory.
    pub fn name(&self) -> &str {
        self.directory.rsplit('/').next().unwrap_or(&self.directory)
    }

    /// Its faults in a few words; empty where there are none.
    pub fn trouble(&self) -> String {
        if let Some(error) = &self.error {
            return error.clone();
        }
        self.result.iter().flat_map(|r| &r.roots).map(RootFinding::in_words).collect::<Vec<_>>().join(", ")
    }
}

impl RootFinding {
    fn in_words(&self) -> String {
        match &self.layer {
            Some(layer) => format!("{} at {layer}", self.rule),
            None => self.rule.clone(),
        }
    }
}

impl CellResult {
    fn new(summary: Summary) -> Self {
        let roots = summary.findings.iter().filter(|f| f.root).map(|f| RootFinding {
            rule: f.rule.clone(),
            layer: f.layer.clone(),
            severity: f.severity,
            message: f.message.clone(),
        });
        let mut best: Option<(f64, &EpochSummary)> = None;
        for epoch in &summary.epochs {
            let score = epoch.dev_score.unwrap_or(epoch.train_score);
            // Of equals, the first.
            if score.is_finite() && best.is_none_or(|(highest, _)| score > highest) {
                best = Some((score, epoch));
            }
        }
        Self {
            roots: roots.collect(),
            best: best.map(|(_, epoch)| epoch.clone()),
            last: summary.epochs.last().cloned(),
            model: summary.run.settings.model,
            verdict: summary.verdict,
            headline: summary.headline,
            score_name: summary.run.score,
            test: summary.test,
            epochs_done: summary.run.epochs_done,
            wall_s: summary.run.wall_s,
            findings: summary.findings,
        }
    }

    /// The score of this kind, if there is one.
    pub fn score(&self, sort: Sort) -> Option<f64> {
        match sort {
            Sort::Test => self.test.map(|t| t.score),
            Sort::Dev => self.last.as_ref()?.dev_score,
            Sort::Train => self.last.as_ref().map(|e| e.train_score),
        }
    }
}

fn parsed(text: &str) -> Result<Summary, String> {
    let summary: Summary =
        serde_json::from_str(text).map_err(|e| format!("it is no summary of gradscope ({e})"))?;
    if summary.schema == SUMMARY_SCHEMA {
        Ok(summary)
    } else {
        Err(format!("its schema is {:?}, this program reads {SUMMARY_SCHEMA}", summary.schema))
    }
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}
