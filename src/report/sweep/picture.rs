//! The heat map of a sweep: its first two flags, and of the others the best.

use std::collections::HashMap;

use super::{Cell, Sweep};
use crate::plot::{Figure, Heatmap, Tile, heatmap};
use crate::text::number;

/// None where nothing was varied or nothing has a score.
pub(super) fn figures(sweep: &Sweep) -> Vec<Figure> {
    let (down, across, others) = match sweep.grid.as_slice() {
        [] => return Vec::new(),
        [only] => (None, only, [].as_slice()),
        [first, second, others @ ..] => (Some(first), second, others),
    };
    if sweep.best().is_none() {
        return Vec::new();
    }
    let mut best: HashMap<(Option<&String>, Option<&String>), &Cell> = HashMap::new();
    for cell in &sweep.cells {
        // They are sorted: of several in one place, the first is the best.
        best.entry((down.and_then(|d| cell.settings.get(&d.flag)), cell.settings.get(&across.flag)))
            .or_insert(cell);
    }
    let rows: Vec<Option<&String>> = match down {
        Some(axis) => axis.values.iter().map(Some).collect(),
        None => vec![None],
    };
    let mut tiles: Vec<Vec<Option<Tile>>> = Vec::with_capacity(rows.len());
    for row in rows {
        let cells = across.values.iter().map(|column| best.get(&(row, Some(column))));
        tiles.push(cells.map(|cell| cell.map(|cell| tile(sweep, cell))).collect());
    }
    vec![heatmap(&Heatmap {
        name: "heatmap",
        score: &sweep.score,
        down: down.map(|a| (a.flag.as_str(), a.values.as_slice())),
        across: (&across.flag, &across.values),
        best_over: &others.iter().map(|a| a.flag.as_str()).collect::<Vec<_>>(),
        tiles,
    })]
}

fn tile(sweep: &Sweep, cell: &Cell) -> Tile {
    let verdict = cell.finished().map(|r| r.verdict);
    let what = match (cell.score, verdict) {
        (Some(score), Some(verdict)) => format!("{} {}, {}", sweep.score, number(score), verdict.name()),
        _ => cell.outcome.name().to_owned(),
    };
    Tile {
        value: cell.score,
        verdict,
        outcome: cell.outcome.name().into(),
        title: format!("{}: {what}", cell.label),
    }
}
