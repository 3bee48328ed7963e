//! Many runs in one table: what was varied, how each fared, best first.
//!
//! A [`Sweep`] is made of the [`Cell`]s alone, so that it is the same whatever started the runs. Wall
//! times stand in `sweep.json` and `sweep.csv` only: everything else repeats to the byte.

mod cell;
mod csv;
mod picture;
mod settings;

use std::cmp::Reverse;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{File, OutputDir, ReportError, html};
use crate::diagnose::Verdict;
use crate::text::number;

pub use cell::{Cell, CellOutcome, CellResult, RootFinding, collect};
use settings::{absent, label, natural, varied};

/// Name and version of the format.
pub const SCHEMA: &str = "gradscope.sweep/1";
/// Its place in the directory.
pub const FILE_NAME: &str = "sweep.json";
/// Where the runs are, each in a directory of its own.
pub const CELLS: &str = "cells";

/// A flag and the values that it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// Without its dashes.
    pub flag: String,
    /// In their natural order.
    pub values: Vec<String>,
}

/// The score that a table is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// On the test set.
    Test,
    /// On the dev set, after the last epoch.
    Dev,
    /// On the training set, after the last epoch.
    Train,
}

impl Sort {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Sort; 3] = [Sort::Test, Sort::Dev, Sort::Train];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Sort::Test => "test",
            Sort::Dev => "dev",
            Sort::Train => "train",
        }
    }
}

/// All runs, in one JSON document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of gradscope that put it together.
    pub gradscope: String,
    /// What the cells are sorted by.
    pub sort: Sort,
    /// The same in words: `test accuracy`.
    pub score: String,
    /// Flags with more than one value, in the order of the command line.
    pub grid: Vec<Axis>,
    /// Best first; those without a score at the end.
    pub cells: Vec<Cell>,
    /// Combinations of the grid's values that no cell has.
    pub absent: Vec<String>,
}

impl Sweep {
    /// Of these cells. Sorted by what is asked for or, without that, by the first of test, dev and
    /// training score that every finished cell has.
    pub fn of(mut cells: Vec<Cell>, sort: Option<Sort>) -> Self {
        let known: Vec<usize> = (0..cells.len()).filter(|i| !cells[*i].command.is_empty()).collect();
        let commands: Vec<&[String]> = known.iter().map(|i| cells[*i].command.as_slice()).collect();
        let (grid, values) = varied(&commands);
        for (i, values) in known.into_iter().zip(values) {
            cells[i].settings = values;
        }
        let sort = sort.unwrap_or_else(|| most_telling(&cells));
        for cell in &mut cells {
            let label = label(&grid, &cell.settings);
            cell.label = if label.is_empty() { cell.name().to_owned() } else { label };
            cell.score = cell.finished().and_then(|result| result.score(sort));
        }
        let settings: Vec<_> = cells.iter().map(|c| &c.settings).collect();
        let absent = absent(&grid, &settings);
        sort_cells(&mut cells, &grid);
        Self {
            schema: SCHEMA.into(),
            gradscope: env!("CARGO_PKG_VERSION").into(),
            score: format!("{} {}", sort.name(), score_name(&cells)),
            sort,
            grid,
            cells,
            absent,
        }
    }

    /// The cell with the best score.
    pub fn best(&self) -> Option<&Cell> {
        self.cells.first().filter(|cell| cell.finite_score().is_some())
    }

    /// Whether every cell was trained to its end, and every combination is there.
    pub fn is_complete(&self) -> bool {
        self.absent.is_empty() && self.cells.iter().all(|c| c.finished().is_some())
    }

    /// Which cell is best and how many are not well, in one or two sentences.
    pub fn headline(&self) -> String {
        let all = self.cells.len();
        let runs = format!("{all} run{}", if all == 1 { "" } else { "s" });
        let finished: Vec<&CellResult> = self.cells.iter().filter_map(Cell::finished).collect();
        let mut text = match self.best() {
            Some(best) => {
                let verdict = best.result.as_ref().map_or("", |r| r.verdict.name());
                let score = number(best.score.unwrap_or(f64::NAN));
                let equals = self.cells.iter().filter(|c| c.score == best.score).count();
                let first = if equals > 1 { format!("first of {equals} equals, ") } else { String::new() };
                let score_name = &self.score;
                format!("Best of {runs}: {}, {score_name} {score} ({first}{verdict}).", best.label)
            }
            None => format!("None of {runs} has a {}.", self.score),
        };
        let verdicts = |v: Verdict| finished.iter().filter(|r| r.verdict == v).count();
        let outcome = |o: CellOutcome| self.cells.iter().filter(|c| c.outcome == o).count();
        let counts = [
            (verdicts(Verdict::Unhealthy), "unhealthy"),
            (verdicts(Verdict::Warning), "with warnings"),
            (outcome(CellOutcome::Failed), "failed"),
            (outcome(CellOutcome::Interrupted) + outcome(CellOutcome::Terminated), "interrupted"),
            (outcome(CellOutcome::Killed), "killed or running"),
            (outcome(CellOutcome::Untrained), "untrained"),
            (outcome(CellOutcome::Unreadable), "unreadable"),
        ];
        let counts = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        let counts: Vec<String> = counts.collect();
        if !counts.is_empty() {
            text += &format!(" Of all {all}: {}.", counts.join(", "));
        } else if all > 1 {
            text += " All are healthy.";
        }
        text
    }

    /// Combinations that are not there, in a sentence.
    pub fn notice(&self) -> Option<String> {
        /// Named one by one, at most.
        const NAMED: usize = 6;
        if self.absent.is_empty() {
            return None;
        }
        let named = self.absent.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
        let more = match self.absent.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!("; and {n} more"),
        };
        let is = if self.absent.len() == 1 { "combination is" } else { "combinations are" };
        Some(format!(
            "{} {is} not there: never trained, or failed before anything was written: {named}{more}.",
            self.absent.len()
        ))
    }

    /// As it stands in the file: indented, one newline at the end.
    ///
    /// # Errors
    /// [`ReportError::Json`], which no sweep is known to cause.
    pub fn to_json(&self) -> Result<String, ReportError> {
        Ok(serde_json::to_string_pretty(self).map_err(ReportError::Json)? + "\n")
    }

    /// Writes `report.html`, `sweep.json`, `sweep.csv` and the heat map, in place of earlier ones.
    ///
    /// # Errors
    /// [`ReportError`]; what was there before is then intact.
    pub fn write(&self, dir: &OutputDir) -> Result<Vec<PathBuf>, ReportError> {
        let figures = picture::figures(self);
        let mut files = vec![
            html::sweep::file(self, &figures)?,
            File::new(FILE_NAME, self.to_json()?),
            File::new("sweep.csv", csv::csv(self)),
        ];
        files.extend(super::plots::of(&figures));
        dir.replace(&files)
    }
}

/// The first of test, dev and training score that every finished cell has.
fn most_telling(cells: &[Cell]) -> Sort {
    let all_have = |sort: &Sort| cells.iter().filter_map(Cell::finished).all(|r| r.score(*sort).is_some());
    [Sort::Test, Sort::Dev].into_iter().find(all_have).unwrap_or(Sort::Train)
}

/// `accuracy`, where all cells mean the same by it.
fn score_name(cells: &[Cell]) -> &str {
    let mut names = cells.iter().filter_map(Cell::finished).map(|r| r.score_name.as_str());
    let first = names.next().unwrap_or("score");
    if names.all(|n| n == first) { first } else { "score" }
}

fn sort_cells(cells: &mut [Cell], grid: &[Axis]) {
    let by_settings = |a: &Cell, b: &Cell| {
        let value = |cell: &Cell, axis: &Axis| cell.settings.get(&axis.flag).cloned().unwrap_or_default();
        let differ = grid.iter().map(|axis| natural(&value(a, axis), &value(b, axis))).find(|o| o.is_ne());
        differ.unwrap_or_else(|| a.directory.cmp(&b.directory))
    };
    // Of equal scores, the healthier comes first.
    let severity = |cell: &Cell| cell.result.as_ref().map(|r| r.verdict as u8);
    cells.sort_by(|a, b| match (a.finite_score(), b.finite_score()) {
        (Some(x), Some(y)) => {
            y.total_cmp(&x).then_with(|| severity(a).cmp(&severity(b))).then_with(|| by_settings(a, b))
        }
        (x, y) => {
            let rank =
                |cell: &Cell, score: Option<f64>| Reverse((score.is_some(), cell.finished().is_some()));
            rank(a, x).cmp(&rank(b, y)).then_with(|| by_settings(a, b))
        }
    });
}
