//! The plane of two inputs: what the network answers where, and the rows over it.

use crate::record::{Answers, Boundary, SplitPoints, Task};
use crate::text::{count, number, percentage};

use crate::plot::context::PlotContext;
use crate::plot::draw::axis::{Kind, ReservedBands, Scale, Tick, linear_ticks};
use crate::plot::draw::canvas::{Anchor, Area, Canvas, Mark, Panel, Point, Rect};
use crate::plot::draw::regions::{Grid, outlines};
use crate::plot::draw::sheet;
use crate::plot::draw::text::{clean, fit, width};
use crate::plot::draw::theme::{ColorRole, LINE, PHONE_TEXT, WIDTH};
use crate::plot::figure::{Figure, Section, Table};

/// Height of the plot at most, and at least.
const HEIGHT: (f64, f64) = (460.0, 180.0);
/// Inputs whose spans differ by no more are drawn to the same scale.
const SAME_SCALE: f64 = 3.0;
/// Bands of a shaded value, about.
const BANDS: usize = 8;
/// Room for the bands' scale.
const BAR_ROOM: f64 = 100.0;
/// Names of so many classes are given.
const MAX_NAMES: usize = 8;
/// Room for the name of a class or of an input.
const NAME_ROOM: f64 = 130.0;
/// Marks of a split, at most, by class and by value (where each is drawn twice): the rows come in
/// random order.
const MAX_MARKS: (usize, usize) = (800, 400);
/// From one entry of the legend to the next.
const GAP: f64 = 22.0;
/// Opacity of a class's color.
const TINT: f64 = 0.28;
/// Opacity of the lowest and of the highest band.
const SHADES: (f64, f64) = (0.05, 0.8);
/// Shapes of the splits.
const SHAPES: [(&str, Mark); 3] = [("train", Mark::Circle), ("dev", Mark::Triangle), ("test", Mark::Square)];

/// The picture, where the network has such a plane.
pub fn boundary(context: &PlotContext) -> Option<Figure> {
    let end = context.record.end.as_ref()?;
    let boundary = end.boundary.as_deref()?;
    let data = &context.record.header.data;
    let picture =
        Picture { boundary, colors: Coloring::new(boundary), classes: &data.classes, task: data.task };
    let name = "boundary";
    let title = match data.task {
        Task::Classification => format!("Decision boundary, epoch {}", count(boundary.epoch)),
        Task::Regression => format!("Answers over the plane, epoch {}", count(boundary.epoch)),
    };
    let caption = picture.caption();
    let svg = picture.draw().finish(name, &title, &caption);
    let table = picture.table();
    Some(Figure {
        name: name.into(),
        title,
        caption,
        section: Section::Boundary,
        svg,
        table,
        animation: None,
    })
}

/// How regions and targets are coloured.
enum Coloring {
    /// A color a class.
    Classes,
    /// A shade a band, between these values.
    Bands(Vec<Tick>),
}

impl Coloring {
    fn new(boundary: &Boundary) -> Self {
        let Answers::Values { value } = &boundary.answers else { return Self::Classes };
        let targets = boundary.splits.iter().flat_map(|split| &split.target);
        let finite = value.iter().chain(targets).map(|v| f64::from(*v)).filter(|v| v.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        Self::Bands(if low < high { linear_ticks(low, high, BANDS) } else { Vec::new() })
    }

    /// The region of a class or of a value.
    fn region(&self, value: f32) -> u8 {
        match self {
            Self::Classes => value as u8,
            Self::Bands(_) if value.is_nan() => u8::MAX,
            Self::Bands(limits) => limits.iter().filter(|t| t.at <= f64::from(value)).count() as u8,
        }
    }

    /// The color of a region, with its opacity.
    fn fill(&self, region: u8, mark: bool) -> (ColorRole, f64) {
        match self {
            Self::Classes => (ColorRole::series(usize::from(region)), if mark { 1.0 } else { TINT }),
            Self::Bands(limits) => {
                let (low, high) = SHADES;
                let share = f64::from(region) / limits.len().max(1) as f64;
                if region == u8::MAX {
                    (ColorRole::Alarm, TINT)
                } else {
                    (ColorRole::Line, low + (high - low) * share)
                }
            }
        }
    }
}

struct Picture<'a> {
    boundary: &'a Boundary,
    colors: Coloring,
    classes: &'a [String],
    task: Task,
}

/// An entry of the legend: a mark with its colors, and a text.
struct Entry {
    mark: Mark,
    fill: (ColorRole, f64),
    wrong: bool,
    text: String,
}

impl Picture<'_> {
    fn score(&self, split: &SplitPoints) -> String {
        match self.task {
            Task::Classification => percentage(split.score),
            Task::Regression => number(split.score),
        }
    }

    fn caption(&self) -> String {
        let splits = &self.boundary.splits;
        let scores: Vec<String> = splits.iter().map(|s| format!("{} on {}", self.score(s), s.name)).collect();
        let scores = scores.join(", ");
        match self.task {
            Task::Classification => format!(
                "The colour of an area is the class that the network answers there, that of a mark the right one; \
                 marks with a bold rim are answered wrongly. Accuracy: {scores}. An outline that bends around \
                 single training rows learns them by heart, a straight one where the classes interlock is too simple."
            ),
            Task::Regression => format!(
                "The shade of an area is what the network answers there, that of a mark the right answer: where \
                 marks stand out from their surroundings, the network is wrong. Negative MSE: {scores}."
            ),
        }
    }

    fn table(&self) -> Table {
        let mut columns = vec!["split".to_owned(), "rows".into(), self.task.score_name().into()];
        let classes = self.task == Task::Classification;
        columns.extend(classes.then(|| "wrong".into()));
        let mut rows = Vec::with_capacity(self.boundary.splits.len());
        for split in &self.boundary.splits {
            let mut row = vec![split.name.clone(), count(split.rows), self.score(split)];
            row.extend(classes.then(|| split.wrong.map_or_else(|| "-".into(), count)));
            rows.push(row);
        }
        Table { columns, rows }
    }

    fn draw(&self) -> Canvas {
        let [x, y] = &self.boundary.axes;
        let [across, up] = [x, y].map(|axis| {
            let mut scale =
                Scale::over(Kind::Linear, Some((axis.low, axis.high)), ReservedBands::default(), 6);
            (scale.low, scale.high) = (axis.low, axis.high);
            scale.ticks = linear_ticks(axis.low, axis.high, 6);
            scale
        });
        // Splits and classes are told apart by different things: each begins a line.
        let legend: Vec<_> = self.legend().into_iter().flat_map(lines).collect();
        let left = sheet::left_margin(&up);
        let room = WIDTH - left - if matches!(self.colors, Coloring::Bands(_)) { BAR_ROOM } else { 24.0 };
        let top = sheet::TITLE_HEIGHT + legend.len() as f64 * LINE;
        let ratio = (x.high - x.low) / (y.high - y.low);
        let (highest, lowest) = HEIGHT;
        let (wide, high) = if (1.0 / SAME_SCALE..=SAME_SCALE).contains(&ratio) {
            let high = (room / ratio).min(highest).max(lowest);
            (high * ratio, high)
        } else {
            (room, highest)
        };
        let rect = Rect { left, top, right: left + wide.min(room), bottom: top + high };
        let canvas = Canvas::new(rect.bottom + sheet::UNDER + LINE / 2.0 + 4.0);
        let panel = canvas.panel(rect, x.low..x.high, y.low..y.high);
        let [across_name, up_name] = [x, y].map(|axis| fit(&clean(&axis.name), PHONE_TEXT, NAME_ROOM));
        sheet::title(&canvas, &format!("up: {up_name}, across: {across_name}"));
        for (row, entries) in legend.iter().enumerate() {
            let at = sheet::TITLE_HEIGHT + row as f64 * LINE + 1.0;
            for (x, entry) in entries {
                let fill = entry.fill;
                canvas.marks(
                    &[(*x, at)],
                    entry.mark,
                    fill,
                    if entry.wrong { ColorRole::Text } else { ColorRole::Paper },
                );
                canvas.text((x + 10.0, at), Anchor::Start, ColorRole::Text, &entry.text);
            }
        }
        self.areas(&canvas, &panel);
        sheet::vertical_axis(&canvas, Rect { right: rect.left, ..rect }, &panel, &up);
        bottom_axis(&canvas, rect, &panel, &across);
        canvas.area(&corners(rect), Area { fill: None, stroke: Some(ColorRole::Axis) });
        for (name, shape) in SHAPES {
            for split in self.boundary.splits.iter().filter(|s| s.name == name) {
                self.points(&canvas, &panel, split, shape);
            }
        }
        if let Coloring::Bands(limits) = &self.colors {
            self.bar(&canvas, rect, limits);
        }
        canvas
    }

    fn legend(&self) -> [Vec<Entry>; 2] {
        let splits = &self.boundary.splits;
        let neutral = (ColorRole::Muted, 1.0);
        let shapes = SHAPES.iter().filter_map(|(name, mark)| {
            let split = splits.iter().find(|s| s.name == *name)?;
            let text = format!("{name} {}", self.score(split));
            Some(Entry { mark: *mark, fill: neutral, wrong: false, text })
        });
        let mut entries: Vec<Entry> = shapes.collect();
        if self.task == Task::Classification {
            entries.push(Entry { mark: Mark::Circle, fill: neutral, wrong: true, text: "wrong".into() });
        }
        let classes = self.classes.iter().enumerate().take(MAX_NAMES);
        let classes = classes.map(|(i, name)| Entry {
            mark: Mark::Square,
            fill: self.colors.fill(i as u8, true),
            wrong: false,
            text: fit(&format!("class {}", clean(name)), PHONE_TEXT, NAME_ROOM),
        });
        [entries, classes.collect()]
    }

    fn areas(&self, canvas: &Canvas, panel: &Panel) {
        let [x, y] = &self.boundary.axes;
        let region: Vec<u8> = match &self.boundary.answers {
            Answers::Classes { class, .. } => class.clone(),
            Answers::Values { value } => value.iter().map(|v| self.colors.region(*v)).collect(),
        };
        let crossing = |a: usize, b: usize| match (&self.boundary.answers, &self.colors) {
            (Answers::Values { value }, Coloring::Bands(limits)) => between(value, limits, &region, a, b),
            (Answers::Classes { margin, .. }, _) => {
                let [a, b] = [a, b].map(|i| f64::from(margin[i]).powi(2));
                if a + b > 0.0 { a / (a + b) } else { 0.5 }
            }
            _ => 0.5,
        };
        let grid = Grid {
            columns: x.points as usize,
            rows: y.points as usize,
            region: &region,
            crossing: &crossing,
        };
        canvas.group("gs-areas", None, "", || {
            for (region, corners) in outlines(&grid) {
                let corners: Vec<Point> = corners.iter().map(|(i, j)| panel.at(x.at(*i), y.at(*j))).collect();
                let edge =
                    if matches!(self.colors, Coloring::Classes) { ColorRole::Text } else { ColorRole::Ghost };
                // What is beneath must not shine through.
                canvas.area(&corners, Area { fill: Some((ColorRole::Paper, 1.0)), stroke: None });
                canvas
                    .area(&corners, Area { fill: Some(self.colors.fill(region, false)), stroke: Some(edge) });
            }
        });
    }

    fn points(&self, canvas: &Canvas, panel: &Panel, split: &SplitPoints, shape: Mark) {
        let tooltip = format!(
            "{}: {} rows, {} {}",
            split.name,
            count(split.rows),
            self.task.score_name(),
            self.score(split)
        );
        canvas.group("gs-points", None, &tooltip, || {
            let bands = matches!(self.colors, Coloring::Bands(_));
            let most = if bands { MAX_MARKS.1 } else { MAX_MARKS.0 };
            // Wrong ones last, over the others.
            for wrong in [false, true] {
                let mut groups: Vec<(u8, Vec<Point>)> = Vec::new();
                for i in 0..split.x.len().min(most) {
                    let missed = self.task == Task::Classification && split.answer[i] != split.target[i];
                    if missed != wrong {
                        continue;
                    }
                    let region = self.colors.region(split.target[i]);
                    let at = panel.at(f64::from(split.x[i]), f64::from(split.y[i]));
                    match groups.iter_mut().find(|g| g.0 == region) {
                        Some((_, points)) => points.push(at),
                        None => groups.push((region, vec![at])),
                    }
                }
                groups.sort_by_key(|g| g.0);
                for (region, points) in groups {
                    let fill = self.colors.fill(region, true);
                    let rim = match (bands, wrong) {
                        (true, _) => ColorRole::Muted,
                        (false, true) => ColorRole::Text,
                        (false, false) => ColorRole::Paper,
                    };
                    if bands {
                        canvas.marks(&points, shape, (ColorRole::Paper, 1.0), ColorRole::Paper);
                    }
                    canvas.marks(&points, shape, fill, rim);
                }
            }
        });
    }

    /// Which shade is which value.
    fn bar(&self, canvas: &Canvas, rect: Rect, limits: &[Tick]) {
        let (left, right) = (rect.right + 16.0, rect.right + 34.0);
        let step = rect.height() / (limits.len() + 1) as f64;
        for band in 0..=limits.len() {
            let bottom = rect.bottom - band as f64 * step;
            let part = Rect { left, right, top: bottom - step, bottom };
            let area =
                Area { fill: Some(self.colors.fill(band as u8, false)), stroke: Some(ColorRole::Axis) };
            canvas.area(&corners(part), area);
            if let Some(limit) = limits.get(band) {
                canvas.text((right + 7.0, part.top), Anchor::Start, ColorRole::Muted, &limit.label);
            }
        }
    }
}

/// Where between two values the limit in the middle of those between them lies.
fn between(value: &[f32], limits: &[Tick], region: &[u8], a: usize, b: usize) -> f64 {
    let (low, high) = (region[a].min(region[b]), region[a].max(region[b]));
    let limit = limits.get((usize::from(low) + usize::from(high)) / 2).map_or(f64::NAN, |t| t.at);
    let (from, to) = (f64::from(value[a]), f64::from(value[b]));
    let share = (limit - from) / (to - from);
    if share.is_finite() { share } else { 0.5 }
}

fn corners(rect: Rect) -> [Point; 4] {
    let Rect { left, top, right, bottom } = rect;
    [(left, bottom), (right, bottom), (right, top), (left, top)]
}

/// Entries with their places, in as many lines as they need.
fn lines(entries: Vec<Entry>) -> Vec<Vec<(f64, Entry)>> {
    let mut lines: Vec<Vec<(f64, Entry)>> = Vec::new();
    let mut free = f64::INFINITY;
    for entry in entries {
        let needed = 10.0 + width(&entry.text, PHONE_TEXT);
        if free + needed > WIDTH {
            lines.push(Vec::new());
            free = 8.0;
        }
        if let Some(line) = lines.last_mut() {
            line.push((free, entry));
        }
        free += needed + GAP;
    }
    lines
}

fn bottom_axis(canvas: &Canvas, rect: Rect, panel: &Panel, scale: &Scale) {
    canvas.group("gs-axis", None, "", || {
        let mut free = f64::NEG_INFINITY;
        for t in &scale.ticks {
            let x = panel.at(t.at, 0.0).0;
            let half = width(&t.label, PHONE_TEXT) / 2.0;
            if x - half >= free && x + half <= WIDTH {
                canvas.text((x, rect.bottom + sheet::UNDER), Anchor::Middle, ColorRole::Muted, &t.label);
                free = x + half + 10.0;
            }
        }
    });
}
