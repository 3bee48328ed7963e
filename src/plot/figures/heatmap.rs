//! Scores of many runs over one or two settings: the color says where to look, the number how much.

use crate::diagnose::Verdict;
use crate::plot::draw::axis::{Place, Scale, Spacing};
use crate::plot::draw::canvas::{Anchor, Canvas, Rect};
use crate::plot::draw::sheet;
use crate::plot::draw::text::{fit, in_full, shorten, width};
use crate::plot::draw::theme::{ColorRole, LINE, PHONE_SMALL, PHONE_TEXT, WIDTH};
use crate::plot::figure::{Figure, Section, Table};
use crate::text::number;

/// Shares of the line color, from the lowest values to the highest: one hue, which every kind of
/// color vision orders alike. None lies where neither dark nor light letters can be read on it, on
/// either background.
const RAMP: [f64; 6] = [0.09, 0.2, 0.31, 0.42, 0.53, 1.0];
/// Height of a tile where there are few rows, and where there are many.
const TALL: f64 = 58.0;
/// Height of a tile where there are many rows.
const LOW: f64 = 46.0;
/// Rows that are tall, at most.
const FEW: usize = 6;
/// Room for the names of rows, at most.
const WIDEST_NAME: f64 = 190.0;
/// Width of a tile, at most.
const WIDEST_TILE: f64 = 240.0;
/// Space around a tile.
const GAP: f64 = 1.5;
/// Distance between the lines of a hatching.
const HATCH: f64 = 9.0;
/// Height of the legend beneath.
const LEGEND: f64 = 44.0;

/// A flag and its values.
pub type Axis<'a> = (&'a str, &'a [String]);

/// The numbers and names that a heat map is drawn from.
pub struct Heatmap<'a> {
    /// File name without `.svg`.
    pub name: &'a str,
    /// The name of the values: `test accuracy`. Higher is better.
    pub score: &'a str,
    /// The flag of the rows, with its values; `None` for a single row.
    pub down: Option<Axis<'a>>,
    /// The flag of the columns, with its values. Where their names have no room beneath, rows and
    /// columns change places.
    pub across: Axis<'a>,
    /// Flags of which each tile shows the best value.
    pub best_over: &'a [&'a str],
    /// Rows of tiles; `None` where there is no run.
    pub tiles: Vec<Vec<Option<Tile>>>,
}

/// A run of the map.
pub struct Tile {
    /// Its score, if it has one.
    pub value: Option<f64>,
    /// Its verdict, if it was trained to its end.
    pub verdict: Option<Verdict>,
    /// How it ended, in a word or two.
    pub outcome: String,
    /// The text for whoever points at it.
    pub title: String,
}

/// The picture, with the numbers behind it.
pub fn heatmap(map: &Heatmap) -> Figure {
    let score = in_full(map.score);
    let over = match map.down {
        Some((down, _)) => format!("{down} and {}", map.across.0),
        None => map.across.0.to_owned(),
    };
    let title = in_full(&format!("{score} by {over}"));
    let best = match map.best_over {
        [] => String::new(),
        flags => format!(" Each tile is the best over {}.", flags.join(", ")),
    };
    let caption = format!(
        "The stronger the colour, the higher the {score}; ✓ is healthy, ▲ has warnings, ✕ is \
         unhealthy.{best} What is hatched has no number: it diverged, failed or was not trained."
    );
    let grid = Grid::new(map);
    let svg = draw(&grid, &title).finish(map.name, &title, &caption);
    let table = table(&grid, map.score);
    Figure { name: map.name.into(), title, caption, section: Section::Curves, svg, table, animation: None }
}

/// Rows and columns as they are drawn.
struct Grid<'a> {
    down: Option<Axis<'a>>,
    across: Option<Axis<'a>>,
    tiles: Vec<Vec<Option<&'a Tile>>>,
}

impl<'a> Grid<'a> {
    fn new(map: &'a Heatmap<'a>) -> Self {
        let widest = |axis: Axis| axis.1.iter().map(|v| width(v, PHONE_TEXT)).fold(0.0, f64::max);
        let (above, beside) = (widest(map.across), map.down.map_or(0.0, widest));
        let room = (WIDTH - beside) / map.across.1.len().max(1) as f64;
        let rows = map.tiles.iter();
        if above <= beside || above <= room {
            let tiles = rows.map(|row| row.iter().map(Option::as_ref).collect()).collect();
            return Self { down: map.down, across: Some(map.across), tiles };
        }
        let columns = 0..map.across.1.len();
        let tiles =
            columns.map(|i| rows.clone().map(|row| row.get(i).and_then(Option::as_ref)).collect()).collect();
        Self { down: Some(map.across), across: map.down, tiles }
    }

    fn values(&self) -> impl Iterator<Item = &'a Tile> {
        self.tiles.iter().flatten().filter_map(|t| *t)
    }
}

fn draw(grid: &Grid, title: &str) -> Canvas {
    let rows = grid.down.map_or_else(
        || vec![String::new()],
        |(_, values)| shorten(values.iter().map(String::as_str), PHONE_TEXT, WIDEST_NAME),
    );
    let flag = grid.down.map(|(flag, _)| fit(&format!("--{flag}"), PHONE_SMALL, WIDEST_NAME));
    let names = rows.iter().map(|n| width(n, PHONE_TEXT));
    let widest = names.chain(flag.iter().map(|f| width(f, PHONE_SMALL))).fold(0.0, f64::max);
    let left = if grid.down.is_some() { widest + 12.0 } else { 2.0 };
    let (columns, count) = (grid.across.map_or(1, |a| a.1.len()).max(1), rows.len().max(1));
    let height = if count <= FEW { TALL } else { LOW };
    let top = sheet::TITLE_HEIGHT + LINE;
    let bottom = top + height * count as f64;
    let step = ((WIDTH - 2.0 - left) / columns as f64).min(WIDEST_TILE);
    let beneath = column_names(grid, left, step);
    let canvas = Canvas::new(bottom + beneath.height + LEGEND);
    sheet::title(&canvas, title);
    canvas.group("gs-axis", None, "", || {
        if let Some(flag) = &flag {
            canvas.small((left - 8.0, top - LINE / 2.0), Anchor::End, ColorRole::Muted, flag);
        }
        for (i, name) in rows.iter().enumerate() {
            let y = top + height * (i as f64 + 0.5);
            canvas.text((left - 8.0, y), Anchor::End, ColorRole::Text, name);
        }
        for ((x, y), name) in &beneath.names {
            canvas.text((*x, bottom + y), Anchor::Middle, ColorRole::Text, name);
        }
        if let Some((flag, _)) = grid.across {
            let flag = fit(&format!("--{flag}"), PHONE_SMALL, step * columns as f64);
            let middle = left + step * columns as f64 / 2.0;
            canvas.small(
                (middle, bottom + beneath.height - LINE / 2.0),
                Anchor::Middle,
                ColorRole::Muted,
                &flag,
            );
        }
    });
    let ramp = Ramp::new(grid.values().filter_map(|t| t.value));
    let gap = GAP.min(step / 8.0);
    let lettering = Lettering::fitting(grid, step - 2.0 * gap - 4.0);
    for (i, row) in grid.tiles.iter().enumerate() {
        for (j, tile) in row.iter().enumerate() {
            let (x, y) = (left + step * j as f64, top + height * i as f64);
            let rect = Rect { left: x + gap, top: y + gap, right: x + step - gap, bottom: y + height - gap };
            let title = tile.map_or("no run", |t| &t.title);
            canvas.group("gs-tile", None, &in_full(title), || {
                draw_tile(&canvas, rect, *tile, &ramp, lettering)
            });
        }
    }
    legend(&canvas, &ramp, left, bottom + beneath.height + 8.0);
    canvas
}

/// The names under the columns, relative to the lower edge, and the room that they and their flag need.
struct Beneath {
    names: Vec<((f64, f64), String)>,
    height: f64,
}

/// In two lines, by turns, where they have no room in one; where there are too many, as many as fit.
fn column_names(grid: &Grid, left: f64, step: f64) -> Beneath {
    /// Less room than this is for no name.
    const NARROWEST: f64 = 34.0;
    let Some((_, values)) = grid.across else { return Beneath { names: Vec::new(), height: 6.0 } };
    let widest = values.iter().map(|v| width(v, PHONE_TEXT)).fold(0.0, f64::max);
    let lines = if widest + 6.0 > step && values.len() > 1 { 2 } else { 1 };
    let room = (step * lines as f64).max(NARROWEST) - 6.0;
    let names = shorten(values.iter().map(String::as_str), PHONE_TEXT, room);
    let mut free = [f64::NEG_INFINITY; 2];
    let mut placed = Vec::new();
    for (i, name) in names.into_iter().enumerate() {
        let half = width(&name, PHONE_TEXT) / 2.0;
        let x = (left + step * (i as f64 + 0.5)).min(WIDTH - half);
        let line = i % lines;
        if x - half >= free[line] && x >= half {
            free[line] = x + half + 4.0;
            placed.push(((x, LINE * (line as f64 + 0.5) + 4.0), name));
        }
    }
    Beneath { names: placed, height: LINE * (lines + 1) as f64 + 4.0 }
}

/// How numbers are written, alike in all tiles.
#[derive(Clone, Copy, PartialEq)]
enum Lettering {
    Large,
    Small,
    /// Small, and to two decimals where that keeps what matters.
    Short,
}

impl Lettering {
    fn fitting(grid: &Grid, room: f64) -> Self {
        let widest = |size| grid.values().map(|t| width(&t.text(), size)).fold(0.0, f64::max);
        match () {
            () if widest(PHONE_TEXT) <= room => Self::Large,
            () if widest(PHONE_SMALL) <= room => Self::Small,
            () => Self::Short,
        }
    }

    fn text(self, tile: &Tile) -> String {
        match tile.value {
            Some(v) if self == Self::Short && v.abs() >= 0.1 => number((v * 100.0).round() / 100.0),
            _ => tile.text(),
        }
    }
}

impl Tile {
    /// Its number, or why it has none.
    fn text(&self) -> String {
        self.value.map_or_else(|| self.outcome.clone(), number)
    }
}

fn draw_tile(canvas: &Canvas, rect: Rect, tile: Option<&Tile>, ramp: &Ramp, lettering: Lettering) {
    let finite = tile.and_then(|t| t.value).filter(|v| v.is_finite());
    let color = match finite {
        Some(value) => {
            let step = ramp.step(value);
            canvas.tint(rect, ColorRole::Line, RAMP[step]);
            if RAMP[step] == 1.0 { ColorRole::Paper } else { ColorRole::Text }
        }
        None => {
            hatch(canvas, rect);
            ColorRole::Text
        }
    };
    let text = tile.map_or_else(|| "no run".into(), |t| lettering.text(t));
    let glyph = tile.and_then(|t| t.verdict).map(|verdict| match verdict {
        Verdict::Healthy => "✓",
        Verdict::Warning => "▲",
        Verdict::Unhealthy => "✕",
    });
    let (x, y) = (f64::midpoint(rect.left, rect.right), f64::midpoint(rect.top, rect.bottom));
    let room = rect.width() - 4.0;
    // In narrow tiles the number goes before it is cut: a part of it would be another number.
    let large = lettering == Lettering::Large;
    let text_width = width(&text, if large { PHONE_TEXT } else { PHONE_SMALL });
    let (text, text_width) = if text_width <= room { (text.as_str(), text_width) } else { ("", 0.0) };
    let half = if glyph.is_some() && !text.is_empty() { LINE / 2.0 - 1.0 } else { 0.0 };
    if finite.is_none() && !text.is_empty() {
        let (w, h) = (text_width / 2.0 + 2.0, LINE / 2.0 + half);
        canvas.bar(Rect { left: x - w, top: y - h, right: x + w, bottom: y + h }, ColorRole::Paper);
    }
    if large && !text.is_empty() {
        canvas.text((x, y - half), Anchor::Middle, color, text);
    } else if !text.is_empty() {
        canvas.small((x, y - half), Anchor::Middle, color, text);
    }
    if let Some(glyph) = glyph.filter(|g| width(g, PHONE_SMALL) <= rect.width()) {
        canvas.small((x, y + half), Anchor::Middle, color, glyph);
    }
}

/// Slanted lines over a whole tile, cut at its edges.
fn hatch(canvas: &Canvas, rect: Rect) {
    let (w, h) = (rect.width(), rect.height());
    let mut offset = HATCH;
    while offset < w + h {
        let from = (rect.left + (offset - h).max(0.0), rect.top + offset.min(h));
        let to = (rect.left + offset.min(w), rect.top + (offset - w).max(0.0));
        canvas.line(&[from, to], ColorRole::Grid, 1.5);
        offset += HATCH;
    }
}

/// The colors from left to right with the values at their ends.
fn legend(canvas: &Canvas, ramp: &Ramp, left: f64, top: f64) {
    /// Width of one color.
    const SWATCH: f64 = 34.0;
    let Some((low, high)) = ramp.ends else { return };
    let y = top + 14.0;
    canvas.group("gs-legend", None, "", || {
        let text = number(low);
        let mut x = left + width(&text, PHONE_SMALL) + 8.0;
        canvas.small((x - 8.0, y), Anchor::End, ColorRole::Muted, &text);
        for share in RAMP {
            canvas.tint(Rect { left: x, top, right: x + SWATCH, bottom: top + 28.0 }, ColorRole::Line, share);
            x += SWATCH;
        }
        let scale = if ramp.far_apart() { " (logarithmic)" } else { "" };
        canvas.small((x + 8.0, y), Anchor::Start, ColorRole::Muted, &format!("{}{scale}", number(high)));
    });
}

/// From values to steps of the ramp: evenly, or by powers of ten where values are far apart.
struct Ramp {
    scale: Scale,
    ends: Option<(f64, f64)>,
}

impl Ramp {
    fn new(values: impl Iterator<Item = f64>) -> Self {
        let finite: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        let low = finite.iter().copied().fold(f64::INFINITY, f64::min);
        let high = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let scale = Scale::fitted(finite.into_iter(), Spacing::Automatic, 2);
        Self { scale, ends: (low <= high).then_some((low, high)) }
    }

    fn far_apart(&self) -> bool {
        self.scale.kind != crate::plot::draw::axis::Kind::Linear
    }

    fn step(&self, value: f64) -> usize {
        let Some((low, high)) = self.ends else { return 0 };
        let [low, high, at] = [low, high, value].map(|v| self.scale.place(v).map_or(0.0, Place::at));
        if high > low {
            (((at - low) / (high - low) * RAMP.len() as f64) as usize).min(RAMP.len() - 1)
        } else {
            // All are equal: neither good nor bad.
            RAMP.len() / 2
        }
    }
}

fn table(grid: &Grid, score: &str) -> Table {
    let corner = grid.down.map_or("score", |(flag, _)| flag);
    let mut columns = vec![corner.to_owned()];
    match grid.across {
        Some((flag, values)) => columns.extend(values.iter().map(|v| format!("{flag}={v}"))),
        None => columns.push(score.to_owned()),
    }
    let mut rows = Vec::with_capacity(grid.tiles.len());
    for (i, tiles) in grid.tiles.iter().enumerate() {
        let name = grid.down.map_or(score, |(_, names)| names.get(i).map_or("", String::as_str));
        let mut row = vec![name.to_owned()];
        row.extend(tiles.iter().map(|tile| tile.map_or_else(|| "–".into(), Tile::text)));
        rows.push(row);
    }
    Table { columns, rows }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::draw::theme::TONES;

    fn map_of(rows: usize, columns: usize, value: impl Fn(usize, usize) -> Option<f64>) -> Figure {
        let names = |n: usize| (0..n).map(|i| format!("{}", 10 * i)).collect::<Vec<_>>();
        let (down, across) = (names(rows), names(columns));
        let tile = |i, j| {
            let value = value(i, j);
            let verdict = value.map(|_| Verdict::Unhealthy);
            Some(Tile { value, verdict, outcome: "failed".into(), title: "<x>".into() })
        };
        heatmap(&Heatmap {
            name: "heatmap",
            score: "test accuracy",
            down: (rows > 1).then_some(("hidden", down.as_slice())),
            across: ("lr", &across),
            best_over: &["seed"],
            tiles: (0..rows).map(|i| (0..columns).map(|j| tile(i, j)).collect()).collect(),
        })
    }

    /// WCAG 2.2 for text: 4.5 to one.
    #[test]
    fn numbers_can_be_read_on_every_colour_of_the_ramp() {
        let channels =
            |hex: &str| [1, 3, 5].map(|i| f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()));
        let luminance = |rgb: [f64; 3]| {
            let linear = rgb
                .map(|c| c / 255.0)
                .map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
            0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        };
        let tone = |name: &str| TONES.iter().find(|t| t.name == name).unwrap();
        let (text, paper, line) = (tone("text"), tone("paper"), tone("line"));
        for (text, paper, line) in [(text.light, paper.light, line.light), (text.dark, paper.dark, line.dark)]
        {
            for share in RAMP {
                let (p, l) = (channels(paper), channels(line));
                let mixed = [0, 1, 2].map(|i| p[i] + share * (l[i] - p[i]));
                let letters = if share == 1.0 { paper } else { text };
                let (a, b) = (luminance(mixed), luminance(channels(letters)));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{share} on {paper}: {contrast:.2}");
            }
        }
    }

    #[test]
    fn every_size_is_drawn_and_every_number_is_in_the_table() {
        for (rows, columns) in [(1, 1), (1, 12), (10, 10), (60, 60)] {
            let figure = map_of(rows, columns, |i, j| Some(0.455 + (i * columns + j) as f64 / 1000.0));
            assert_eq!(figure.svg.matches("class=\"gs-tile\"").count(), rows * columns);
            assert_eq!((figure.table.rows.len(), figure.table.columns.len()), (rows, columns + 1));
            assert!(figure.table.rows.iter().all(|r| r.len() == columns + 1));
            roxmltree::Document::parse(&figure.svg).unwrap();
            // One of sixty has no room for a number, one of twelve has.
            let numbers = figure.svg.matches(">0.").count();
            assert!(if columns <= 12 { numbers >= rows * columns } else { numbers <= 2 }, "{numbers}");
            assert_eq!(figure.table.rows[0][1], "0.455");
        }
    }

    #[test]
    fn names_that_are_longer_stand_at_the_rows() {
        let (short, long) = (["1".to_owned()], ["kaiming-normal-of-some-kind"; 9].map(String::from));
        let tile =
            || Some(Tile { value: Some(0.5), verdict: None, outcome: String::new(), title: String::new() });
        for down in [None, Some(("lr", short.as_slice()))] {
            let figure = heatmap(&Heatmap {
                name: "heatmap",
                score: "accuracy",
                down,
                across: ("init", &long),
                best_over: &[],
                tiles: vec![(0..9).map(|_| tile()).collect()],
            });
            assert_eq!((figure.table.rows.len(), figure.table.columns.len()), (9, 2));
            assert_eq!(figure.table.columns[0], "init");
            assert_eq!(figure.table.columns[1], if down.is_some() { "lr=1" } else { "accuracy" });
        }
    }

    #[test]
    fn what_has_no_number_is_hatched_and_says_why() {
        let figure = map_of(2, 2, |i, j| match (i, j) {
            (0, 0) => Some(f64::NAN),
            (0, 1) => None,
            _ => Some(0.5),
        });
        assert!(figure.svg.contains(">NaN<") && figure.svg.contains(">failed<"));
        assert!(figure.svg.contains("&lt;x&gt;") && !figure.svg.contains("<x>"));
        assert!(!figure.svg.contains("\"NaN"));
        assert_eq!(figure.table.rows[0], ["0", "NaN", "failed"]);
        assert_eq!(figure.title, "test accuracy by hidden and lr");
        assert!(figure.caption.contains("best over seed"), "{}", figure.caption);
    }

    #[test]
    fn the_ramp_goes_from_the_lowest_to_the_highest() {
        let ramp = Ramp::new([0.5, 1.0, f64::NAN].into_iter());
        assert_eq!([0.5, 0.74, 1.0].map(|v| ramp.step(v)), [0, 2, 5]);
        let losses = Ramp::new([-1e6, -1.0].into_iter());
        assert!(losses.far_apart());
        assert_eq!([-1e6, -1e3, -1.0].map(|v| losses.step(v)), [0, 3, 5]);
        assert_eq!(Ramp::new([0.5].into_iter()).step(0.5), 3);
        assert_eq!(Ramp::new(std::iter::empty()).step(0.5), 0);
    }
}
