//! The table of a sweep, best first, and the sentences about it.

use std::cmp::{Ordering, Reverse};

use serde::{Deserialize, Serialize};

use super::cell::{Cell, CellOutcome};
use super::grid::{Axis, Sort};
use super::settings::{absent, label, natural, varied};
use crate::diagnose::Verdict;
use crate::record::settings::Named;
use crate::report::ReportError;
use crate::text::{count, counted, number};

/// Name and version of the format.
pub const SCHEMA: &str = "gradscope.sweep/1";
/// Its place in the directory.
pub const FILE_NAME: &str = "sweep.json";

/// All runs, in one JSON document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// Name and version of the format, [`SCHEMA`].
    pub schema: String,
    /// Version of gradscope that put it together.
    pub gradscope: String,
    /// The score that the cells are sorted by.
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
    /// Puts these cells into a table. It is sorted by what is asked for or, without that, by the first of
    /// test, dev and training score that every finished cell has.
    pub fn new(mut cells: Vec<Cell>, sort: Option<Sort>) -> Self {
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
        let runs = counted(all as u64, "run");
        let mut text = match self.best() {
            Some(best) => {
                let verdict = best.result.as_ref().map_or("", |r| r.verdict.name());
                let score = number(best.score.unwrap_or(f64::NAN));
                let equals = self.cells.iter().filter(|c| c.score == best.score).count();
                let first = if equals > 1 {
                    format!("first of {} equals, ", count(equals as u64))
                } else {
                    String::new()
                };
                let score_name = &self.score;
                format!("Best of {runs}: {}, {score_name} {score} ({first}{verdict}).", best.label)
            }
            None => format!("None of {runs} has a {}.", self.score),
        };
        let counts = self.troubles().into_iter().filter(|(n, _)| *n > 0);
        let counts: Vec<String> = counts.map(|(n, what)| format!("{} {what}", count(n as u64))).collect();
        if !counts.is_empty() {
            text += &format!(" Of all {}: {}.", count(all as u64), counts.join(", "));
        } else if all > 1 {
            text += " All are healthy.";
        }
        text
    }

    /// How many cells are not well, by what is the matter with them.
    fn troubles(&self) -> [(usize, &'static str); 7] {
        use CellOutcome::{Failed, Interrupted, Killed, Terminated, Unreadable, Untrained};
        let verdicts = self.cells.iter().filter_map(Cell::finished).map(|r| r.verdict);
        let with = |verdict| verdicts.clone().filter(|v| *v == verdict).count();
        let ended = |how: &[CellOutcome]| self.cells.iter().filter(|c| how.contains(&c.outcome)).count();
        [
            (with(Verdict::Unhealthy), "unhealthy"),
            (with(Verdict::Warning), "with warnings"),
            (ended(&[Failed]), "failed"),
            (ended(&[Interrupted, Terminated]), "interrupted"),
            (ended(&[Killed]), "killed or running"),
            (ended(&[Untrained]), "untrained"),
            (ended(&[Unreadable]), "unreadable"),
        ]
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
            n => format!("; and {} more", count(n as u64)),
        };
        let is = if self.absent.len() == 1 { "combination is" } else { "combinations are" };
        Some(format!(
            "{} {is} not there: never trained, or failed before anything was written: {named}{more}.",
            count(self.absent.len() as u64)
        ))
    }

    /// As it stands in the file: indented, one newline at the end.
    ///
    /// # Errors
    /// [`ReportError::Json`], which no sweep is known to cause.
    pub fn to_json(&self) -> Result<String, ReportError> {
        Ok(serde_json::to_string_pretty(self).map_err(ReportError::Json)? + "\n")
    }
}

/// The first of test, dev and training score that every finished cell has.
fn most_telling(cells: &[Cell]) -> Sort {
    let finished = cells.iter().filter_map(Cell::finished);
    let mut telling = [Sort::Test, Sort::Dev].into_iter();
    telling.find(|sort| finished.clone().all(|r| r.score(*sort).is_some())).unwrap_or(Sort::Train)
}

/// `accuracy`, where all cells mean the same by it.
fn score_name(cells: &[Cell]) -> &str {
    let mut names = cells.iter().filter_map(Cell::finished).map(|r| r.score_name.as_str());
    let first = names.next().unwrap_or("score");
    if names.all(|n| n == first) { first } else { "score" }
}

/// Best first: by score, of equal scores the healthier, then by the settings. Those without a score stand
/// at the end, those that were not trained to their end behind the others.
fn sort_cells(cells: &mut [Cell], grid: &[Axis]) {
    cells.sort_by(|a, b| {
        let by_score = match (a.finite_score(), b.finite_score()) {
            (Some(x), Some(y)) => y.total_cmp(&x).then_with(|| severity(a).cmp(&severity(b))),
            _ => has_score(a).cmp(&has_score(b)),
        };
        by_score.then_with(|| by_settings(a, b, grid))
    });
}

fn severity(cell: &Cell) -> Option<u8> {
    cell.result.as_ref().map(|r| r.verdict as u8)
}

fn has_score(cell: &Cell) -> Reverse<(bool, bool)> {
    Reverse((cell.finite_score().is_some(), cell.finished().is_some()))
}

/// By the values of the flags, then by the name of the directory.
fn by_settings(a: &Cell, b: &Cell, grid: &[Axis]) -> Ordering {
    for axis in grid {
        let [a, b] = [a, b].map(|cell| cell.settings.get(&axis.flag).map_or("", String::as_str));
        let order = natural(a, b);
        if order.is_ne() {
            return order;
        }
    }
    a.directory.cmp(&b.directory)
}
