//! The table on a terminal: best first, as wide as the terminal lets it be.

use std::io::{self, IsTerminal};

use textwrap::core::display_width;

use super::Colors;
use super::terminal::columns;
use crate::diagnose::Verdict;
use crate::report::sweep::{Cell, CellOutcome, Sweep};
use crate::text::{fill, number};

/// Columns of a setting, at most.
const MAX_WIDTH: usize = 26;
/// Columns for what is wrong, at least: where they are not there, the line is longer than the terminal.
const MIN_LAST_WIDTH: usize = 16;
/// The space between two columns.
const GAP: &str = "  ";

/// The headline, the table and what is not in it.
pub fn table(sweep: &Sweep, colors: Colors) -> String {
    let width = columns();
    // What is not on a screen need not fit onto one.
    let terminal = io::stdout().is_terminal().then_some(width);
    let mut text = String::new();
    for line in fill(&sweep.headline(), width, "").lines() {
        text += &format!("{}\n", colors.wrap("1", line));
    }
    text.push('\n');
    let rows: Vec<Vec<String>> = sweep.cells.iter().map(|cell| row(cell, sweep)).collect();
    let headings = headings(sweep);
    let widths: Vec<usize> = (0..headings.len())
        .map(|i| rows.iter().chain([&headings]).map(|r| display_width(&r[i])).max().unwrap_or(0))
        .collect();
    text += &colors.wrap("2", &line(&headings, &widths, terminal, &|_, cell| cell));
    text.push('\n');
    for (cell, row) in sweep.cells.iter().zip(&rows) {
        let verdict = headings.len() - 2;
        let painted = |i: usize, text: String| match color(cell) {
            Some(code) if i == verdict => colors.wrap(code, &text),
            _ => text,
        };
        text += &line(row, &widths, terminal, &painted);
        text.push('\n');
    }
    if let Some(notice) = sweep.notice() {
        text += &format!("\n{}", fill(&notice, width, ""));
    }
    text
}

fn headings(sweep: &Sweep) -> Vec<String> {
    let mut all: Vec<String> = sweep.grid.iter().map(|axis| cut(&axis.flag, MAX_WIDTH)).collect();
    if all.is_empty() {
        all.push("run".into());
    }
    all.extend([sweep.score.clone(), "verdict".into(), "what is wrong".into()]);
    all
}

fn row(cell: &Cell, sweep: &Sweep) -> Vec<String> {
    let values = sweep.grid.iter().map(|axis| cell.settings.get(&axis.flag));
    let mut row: Vec<String> = values.map(|v| v.map_or_else(|| "–".into(), |v| cut(v, MAX_WIDTH))).collect();
    if row.is_empty() {
        row.push(cut(&cell.label, MAX_WIDTH));
    } else if cell.settings.is_empty() {
        row[0] = cut(&cell.label, MAX_WIDTH);
    }
    row.extend([cell.score.map_or_else(|| "–".into(), number), verdict(cell), cell.trouble()]);
    row
}

fn verdict(cell: &Cell) -> String {
    match (cell.outcome, cell.result.as_ref().map(|r| r.verdict)) {
        (CellOutcome::Finished, Some(verdict)) => {
            let glyph = match verdict {
                Verdict::Healthy => "✓",
                Verdict::Warning => "!",
                Verdict::Unhealthy => "✕",
            };
            format!("{glyph} {}", verdict.name())
        }
        (outcome, _) => format!("– {}", outcome.name()),
    }
}

fn color(cell: &Cell) -> Option<&'static str> {
    match cell.finished()?.verdict {
        Verdict::Healthy => Some("1;32"),
        Verdict::Warning => Some("1;33"),
        Verdict::Unhealthy => Some("1;31"),
    }
}

/// A line whose last cell takes what is left of the terminal; the score, third from the end, ends where
/// its column does.
fn line(
    row: &[String],
    widths: &[usize],
    terminal: Option<usize>,
    painted: &dyn Fn(usize, String) -> String,
) -> String {
    let mut text = String::new();
    let mut used = 0;
    for (i, (cell, width)) in row.iter().zip(widths).enumerate() {
        if i + 1 == row.len() {
            text += &cut(cell, terminal.map_or(usize::MAX, |t| t.saturating_sub(used).max(MIN_LAST_WIDTH)));
            break;
        }
        let space = " ".repeat(width.saturating_sub(display_width(cell)));
        let cell = painted(i, cell.clone());
        text +=
            &if i + 3 == row.len() { format!("{space}{cell}{GAP}") } else { format!("{cell}{space}{GAP}") };
        used += width + GAP.len();
    }
    text.trim_end().to_owned()
}

/// A text in one line of at most so many columns.
fn cut(text: &str, width: usize) -> String {
    let text = text.replace(char::is_control, " ");
    if display_width(&text) <= width {
        return text;
    }
    let mut kept = String::new();
    for c in text.chars() {
        if display_width(&kept) + display_width(c.encode_utf8(&mut [0; 4])) + 1 > width {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_to_its_columns_and_to_one_line() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("a\nb\u{1b}[1m", 9), "a b [1m");
        assert_eq!(display_width(&cut("漢字漢字", 5)), 5);
    }
}
