//! `sweep.csv`: the table for spreadsheets and data frames.

use std::borrow::Cow;

use super::{Cell, Sweep};
use crate::record::number::name;

/// The whole file: a line of headings, then a line a cell, best first.
pub(super) fn csv(sweep: &Sweep) -> String {
    let flags = sweep.grid.iter().map(|axis| axis.flag.clone());
    let fixed = [
        "outcome",
        "verdict",
        "score",
        "epochs_done",
        "train_loss",
        "train_score",
        "dev_loss",
        "dev_score",
        "best_epoch",
        "best_dev_score",
        "test_loss",
        "test_score",
        "roots",
        "error",
        "directory",
        "wall_s",
    ];
    let headings: Vec<String> = flags.chain(fixed.map(String::from)).collect();
    let rows = sweep.cells.iter().map(|cell| row(sweep, cell));
    std::iter::once(headings).chain(rows).map(|row| line(&row)).collect()
}

fn row(sweep: &Sweep, cell: &Cell) -> Vec<String> {
    let result = cell.result.as_ref();
    let last = result.and_then(|r| r.last.as_ref());
    let best = result.and_then(|r| r.best.as_ref());
    let test = result.and_then(|r| r.test);
    let trouble = cell.trouble();
    let mut row: Vec<String> =
        sweep.grid.iter().map(|a| cell.settings.get(&a.flag).cloned().unwrap_or_default()).collect();
    row.extend([
        cell.outcome.name().to_owned(),
        result.map_or(String::new(), |r| r.verdict.name().to_owned()),
        number(cell.score),
        result.map_or(String::new(), |r| r.epochs_done.to_string()),
        number(last.map(|e| e.train_loss)),
        number(last.map(|e| e.train_score)),
        number(last.and_then(|e| e.dev_loss)),
        number(last.and_then(|e| e.dev_score)),
        best.map_or(String::new(), |e| e.epoch.to_string()),
        number(best.and_then(|e| e.dev_score)),
        number(test.map(|t| t.loss)),
        number(test.map(|t| t.score)),
        if cell.error.is_none() { trouble } else { String::new() },
        cell.error.clone().unwrap_or_default(),
        cell.directory.clone(),
        number(result.and_then(|r| r.wall_s)),
    ]);
    row
}

/// All digits; what is not finite by its name.
fn number(value: Option<f64>) -> String {
    value.map_or(String::new(), |v| if v.is_finite() { v.to_string() } else { name(v).to_owned() })
}

/// As RFC 4180 has it, with a bare line feed at the end.
fn line(row: &[String]) -> String {
    row.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",") + "\n"
}

fn quoted(field: &str) -> Cow<'_, str> {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\"")).into()
    } else {
        field.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_field_is_quoted() {
        assert_eq!(
            line(&["64,64".into(), "say \"x\"".into(), "1".into()]),
            "\"64,64\",\"say \"\"x\"\"\",1\n"
        );
    }
}
