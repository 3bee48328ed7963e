//! Pictures, each with how to read it and the numbers behind it.

use std::collections::HashSet;

use askama::Template;

use crate::plot::{Figure, Section, Table};
use crate::report::RunReport;
use crate::text::counted;

/// Histograms that the page shows, at most; the others are files.
const MAX_HISTOGRAMS: usize = 120;

/// The pictures of one part of the report.
pub(super) struct Group<'a> {
    pub(super) title: &'static str,
    /// Whether they are folded away.
    pub(super) folded: bool,
    pub(super) pictures: Vec<Picture<'a>>,
}

impl Group<'_> {
    /// Whether its pictures show one epoch, and can show others.
    pub(super) fn is_moving(&self) -> bool {
        [Section::Gradients, Section::OverTime, Section::Weights, Section::Activations]
            .iter()
            .any(|s| s.title() == self.title)
    }

    /// Whether it holds two views of the same numbers.
    pub(super) fn has_views(&self) -> bool {
        self.title == Section::Gradients.title() && self.pictures.len() == 2
    }

    /// The name of a view.
    pub(super) fn view(picture: &Picture) -> &'static str {
        if picture.figure.name.ends_with("-log") { "magnitude, log" } else { "values, linear" }
    }

    /// Whether it is the heat map.
    pub(super) fn is_over_time(&self) -> bool {
        self.title == Section::OverTime.title()
    }

    /// Whether there is a picture for each of several runs, to be seen side by side.
    pub(super) fn is_of_runs(&self) -> bool {
        self.pictures.len() > 1 && self.title != Section::Curves.title()
    }
}

#[derive(Template)]
#[template(path = "figure.html")]
pub(super) struct Picture<'a> {
    pub(super) figure: &'a Figure,
    svg: String,
    columns: Vec<Column<'a>>,
}

/// The heading of a column, and whether numbers stand in it.
struct Column<'a> {
    name: &'a str,
    numeric: bool,
}

/// The pictures that a page shows, and how many histograms it does not: of deep networks those of layers
/// with a finding come first, and the others as far as there is room.
pub(super) fn chosen<'a>(report: &'a RunReport) -> (Vec<&'a Figure>, usize) {
    let (mut histograms, mut others): (Vec<&Figure>, Vec<&Figure>) =
        report.figures.iter().partition(|f| f.section == Section::Histograms);
    if histograms.len() > MAX_HISTOGRAMS {
        let names = report.record.header.layers.iter().map(|l| l.name.as_str());
        let flagged: HashSet<&str> = names.filter(|name| report.flagged.contains(*name)).collect();
        histograms
            .sort_by_key(|f| !f.title.rsplit_once(": ").is_some_and(|(name, _)| flagged.contains(name)));
    }
    let left_out = histograms.len().saturating_sub(MAX_HISTOGRAMS);
    histograms.truncate(MAX_HISTOGRAMS);
    others.append(&mut histograms);
    (others, left_out)
}

/// The pictures by part, in the report's order.
pub(super) fn groups<'a>(figures: impl IntoIterator<Item = &'a Figure>) -> Vec<Group<'a>> {
    let mut ordered: Vec<&Figure> = figures.into_iter().collect();
    ordered.sort_by_key(|f| f.section);
    let mut seen = HashSet::new();
    let mut groups: Vec<Group> = Vec::new();
    for figure in ordered {
        let picture = Picture::new(figure, &mut seen);
        match groups.last_mut().filter(|g| g.title == figure.section.title()) {
            Some(group) => group.pictures.push(picture),
            None => groups.push(Group {
                title: figure.section.title(),
                folded: figure.section == Section::Histograms,
                pictures: vec![picture],
            }),
        }
    }
    groups
}

impl<'a> Picture<'a> {
    fn new(figure: &'a Figure, seen: &mut HashSet<&'a str>) -> Self {
        let mut columns = Vec::with_capacity(figure.table.columns.len());
        for (i, name) in figure.table.columns.iter().enumerate() {
            columns.push(Column { name, numeric: is_numeric(&figure.table, i) });
        }
        Self { figure, svg: without_known_styles(&figure.svg, seen), columns }
    }

    /// `1 row`, `1,200 rows`.
    fn rows_counted(&self) -> String {
        counted(self.figure.table.rows.len() as u64, "row")
    }

    /// A cell with whether it is a number.
    fn cells<'r>(&'r self, row: &'r [String]) -> impl Iterator<Item = (&'r str, bool)> {
        row.iter().zip(&self.columns).map(|(cell, column)| (cell.as_str(), column.numeric))
    }
}

/// Every picture carries its style sheet, since it is a file of its own as well. In one page the same
/// sheet is needed once; of sixty layers it would be half of the page.
fn without_known_styles<'a>(svg: &'a str, seen: &mut HashSet<&'a str>) -> String {
    let (open, close) = ("<style>", "</style>");
    let range = svg.find(open).and_then(|from| Some(from..from + svg[from..].find(close)? + close.len()));
    match range {
        Some(range) if !seen.insert(&svg[range.clone()]) => {
            format!("{}{}", &svg[..range.start], &svg[range.end..])
        }
        _ => svg.to_owned(),
    }
}

/// Whether a column holds numbers, counts or dashes only.
fn is_numeric(table: &Table, column: usize) -> bool {
    table.rows.iter().filter_map(|row| row.get(column)).all(|cell| is_number(cell))
}

fn is_number(cell: &str) -> bool {
    let digits: String = cell.trim_end_matches('%').chars().filter(|c| *c != ',').collect();
    matches!(cell, "" | "–" | "-") || digits.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_sheet_is_kept_once() {
        let mut seen = HashSet::new();
        let svg = "<svg><style>a{}</style><g/></svg>";
        assert_eq!(without_known_styles(svg, &mut seen), svg);
        assert_eq!(without_known_styles(svg, &mut seen), "<svg><g/></svg>");
        assert_eq!(without_known_styles("<svg/>", &mut seen), "<svg/>");
    }

    #[test]
    fn a_column_of_names_is_not_numeric() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let table =
            Table { columns: vec![], rows: vec![row(["fc1", "1,234", "NaN"]), row(["fc2", "12%", "–"])] };
        assert_eq!([0, 1, 2].map(|i| is_numeric(&table, i)), [false, true, true]);
    }
}
