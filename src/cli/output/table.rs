//! Tables on a terminal.

use std::ops::Range;

/// Columns beside each other; those in `right` hold numbers, which end at the right. All rows are as long
/// as the first.
pub fn aligned<R: AsRef<[String]>>(rows: &[R], right: Range<usize>) -> String {
    let length = rows.first().map_or(0, |row| row.as_ref().len());
    let wide = |row: &R, i: usize| row.as_ref().get(i).map_or(0, |cell| cell.chars().count());
    let widths: Vec<usize> =
        (0..length).map(|i| rows.iter().map(|row| wide(row, i)).max().unwrap_or(0)).collect();
    let line = |row: &R| {
        let cells = row.as_ref().iter().zip(&widths).enumerate().map(|(i, (cell, width))| {
            if right.contains(&i) { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
