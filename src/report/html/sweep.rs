//! The page of a sweep: which cell is best, the table, the heat map, the commands.

use askama::Template;

use super::FILE_NAME;
use super::figures::{self, Group};
use super::mark::Mark;
use super::text::clean;
use crate::diagnose::Severity;
use crate::plot::Figure;
use crate::report::sweep::{Cell, CellOutcome, Sweep};
use crate::report::{ReportError, command};
use crate::text::{count, counted, number};

#[derive(Template)]
#[template(path = "sweep.html")]
struct Page<'a> {
    sweep: &'a Sweep,
    context: String,
    mark: Mark,
    headline: String,
    notice: Option<String>,
    rows: Vec<Row>,
    groups: Vec<Group<'a>>,
    best: Option<String>,
    commands: Vec<String>,
}

/// A cell in the table.
struct Row {
    settings: Vec<String>,
    score: String,
    mark: Mark,
    trouble: String,
    /// Its own report.
    link: Option<String>,
}

impl Page<'_> {
    /// `1 line`, `1,200 lines`.
    fn commands_counted(&self) -> String {
        counted(self.commands.len() as u64, "line")
    }
}

/// The whole page.
pub fn page(sweep: &Sweep, figures: &[Figure]) -> Result<String, ReportError> {
    let known = sweep.cells.iter().filter(|c| !c.command.is_empty());
    let page = Page {
        sweep,
        context: clean(&context(sweep)),
        mark: mark_of_all(sweep),
        headline: clean(&sweep.headline()),
        notice: sweep.notice().map(|n| clean(&n)),
        rows: sweep.cells.iter().map(|cell| Row::new(cell, sweep)).collect(),
        groups: figures::groups(figures),
        best: sweep.best().map(command_of),
        commands: known.map(command_of).collect(),
    };
    page.render().map_err(ReportError::Template)
}

/// The command line of a cell.
fn command_of(cell: &Cell) -> String {
    clean(&command::line(&cell.command))
}

impl Row {
    fn new(cell: &Cell, sweep: &Sweep) -> Self {
        let settings = sweep.grid.iter().map(|axis| cell.settings.get(&axis.flag));
        let settings: Vec<String> = settings.map(|v| v.map_or_else(|| "–".into(), |v| clean(v))).collect();
        // A cell whose settings are not known is named by its directory.
        let named = !sweep.grid.is_empty() && !cell.settings.is_empty();
        Self {
            settings: if named { settings } else { beside(clean(&cell.label), sweep.grid.len()) },
            score: cell.score.map_or_else(|| "–".into(), number),
            mark: mark(cell),
            trouble: clean(&cell.trouble()),
            link: cell.result.is_some().then(|| address(&cell.directory)),
        }
    }
}

/// A name in the first of so many columns.
fn beside(name: String, columns: usize) -> Vec<String> {
    let mut row = vec![name];
    row.resize(columns.max(1), "–".into());
    row
}

fn mark(cell: &Cell) -> Mark {
    match (cell.outcome, &cell.result) {
        (CellOutcome::Finished, Some(result)) => {
            let verdict = Mark::verdict(result.verdict);
            Mark { word: verdict.word.to_lowercase(), ..verdict }
        }
        (CellOutcome::Untrained, _) => Mark { glyph: "–", word: cell.outcome.name().into(), class: "" },
        (outcome, _) => Mark { glyph: "◼", word: outcome.name().into(), class: "warning" },
    }
}

/// Of the sweep as a whole: whether there is a table to choose from.
fn mark_of_all(sweep: &Sweep) -> Mark {
    let finished = sweep.cells.iter().filter(|c| c.finished().is_some()).count();
    let word = format!("{} of {} finished", count(finished as u64), count(sweep.cells.len() as u64));
    if sweep.is_complete() { Mark::good(word) } else { Mark::new(Severity::Warning, word) }
}

/// Above the headline: the models, and what was varied.
fn context(sweep: &Sweep) -> String {
    let mut models: Vec<&str> =
        sweep.cells.iter().flat_map(|c| &c.result).map(|r| r.model.as_str()).collect();
    models.sort_unstable();
    models.dedup();
    let varied = sweep.grid.iter().map(|a| format!("{} values of {}", count(a.values.len() as u64), a.flag));
    let parts = ["gradscope sweep".to_owned()].into_iter().chain(models.into_iter().map(String::from));
    parts.chain(varied).collect::<Vec<_>>().join(" · ")
}

/// Of a cell's report, relative to the page.
fn address(directory: &str) -> String {
    let mut path = String::with_capacity(directory.len());
    for b in directory.bytes() {
        if b.is_ascii_alphanumeric() || b"/-_.~=,+".contains(&b) {
            path.push(char::from(b));
        } else {
            path += &format!("%{b:02X}");
        }
    }
    format!("{path}/{FILE_NAME}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_escaped() {
        assert_eq!(address("cells/lr=1,2-a"), "cells/lr=1,2-a/report.html");
        assert_eq!(address("cells/a b\"é"), "cells/a%20b%22%C3%A9/report.html");
    }
}
