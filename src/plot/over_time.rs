//! Every layer at every epoch: a heat map of one quantity at a time, and the table of all of them.

use std::collections::BTreeSet;

use super::canvas::{Anchor, Canvas, Frame};
use super::figure::{Figure, Section, Table};
use super::quantity::{Extent, QUANTITIES, Quantity, View};
use super::scene::{LayerView, Numbers, Scene, evenly};
use super::sheet;
use super::text::{in_full, named, width};
use super::theme::{Ink, LINE, PHONE_SMALL, PHONE_TEXT, WIDTH};
use crate::record::{Epoch, Record};
use crate::text::number;

/// Height of a row: of few layers, and of many, where a label still has its line.
const TALLEST: f64 = 34.0;
const LOWEST: f64 = LINE;
/// Height of all rows, where rows are between the two.
const HEIGHT: f64 = 240.0;
/// Widest name beside a row.
const WIDEST_NAME: f64 = 200.0;
/// Height of the legend beneath.
const LEGEND: f64 = 44.0;
/// Share of the colour that the smallest value has: less, and it would look unmeasured.
const PALEST: f64 = 0.08;
/// Rows of the table, at most: beyond, it lists some of the epochs.
const MOST_ROWS: usize = 1_200;

/// What layers went through: every quantity at the epochs that pictures move through.
pub struct Timeline {
    /// Numbers of the epochs, ascending.
    pub epochs: Vec<u64>,
    /// Captured epochs, of which these are some.
    pub captured: usize,
    /// Indices of the layers, ascending.
    pub layers: Vec<usize>,
    /// The quantities that were measured.
    pub courses: Vec<Course>,
}

/// A quantity of every layer over time.
pub struct Course {
    /// Which.
    pub quantity: &'static Quantity,
    /// An axis for all of its values.
    pub extent: Extent,
    /// A row a layer, a column an epoch; `None` where it was not measured.
    pub values: Vec<Vec<Option<f64>>>,
}

impl Course {
    /// Whether a value has no place on the axis.
    fn is_odd(&self) -> bool {
        self.values.iter().flatten().flatten().any(|v| self.extent.place(*v).is_none())
    }
}

impl Timeline {
    /// Of a run in which a finding is about `flagged` layers; `None` where no epoch was captured.
    pub fn of(record: &Record, flagged: &BTreeSet<String>) -> Option<Self> {
        Scene::of(record, flagged).map(|scene| Self::of_scene(&scene))
    }

    fn of_scene(scene: &Scene) -> Self {
        let views: Vec<View> = scene.moments.iter().map(|e| View::of(scene.record, e)).collect();
        let course = |quantity: &'static Quantity| {
            let row = |layer: &usize| views.iter().map(|v| quantity.of(v, *layer)).collect::<Vec<_>>();
            let values: Vec<_> = scene.drawn.iter().map(row).collect();
            let known = || values.iter().flatten().flatten().copied();
            known().next()?;
            Some(Course { quantity, extent: Extent::of(quantity, known()), values })
        };
        Self {
            epochs: scene.moments.iter().map(|e| e.epoch).collect(),
            captured: scene.record.epochs.len(),
            layers: scene.drawn.clone(),
            courses: QUANTITIES.iter().filter_map(course).collect(),
        }
    }

    /// That of this key.
    pub fn course(&self, key: &str) -> Option<&Course> {
        self.courses.iter().find(|c| c.quantity.key == key)
    }
}

/// The heat map; none where nothing was measured of the layers.
pub fn over_time(scene: &Scene) -> Option<Figure> {
    let timeline = Timeline::of_scene(scene);
    let course = timeline.courses.first()?;
    let Quantity { name, meaning, .. } = course.quantity;
    let title = "Every layer at every epoch".to_owned();
    let mut caption = format!(
        "A row a layer, a column an epoch: the stronger the colour, the larger the {name}, which is {meaning}."
    );
    let mut also = Vec::new();
    if timeline.courses.iter().any(Course::is_odd) {
        also.push("a cross is NaN".to_owned());
    }
    let steps = timeline.epochs.windows(2).map(|pair| pair[1] - pair[0]);
    if steps.clone().min() != steps.max() {
        also.push("the epochs are not evenly spaced: see the numbers below the columns".to_owned());
    }
    if timeline.epochs.len() < timeline.captured {
        also.push(format!("{} of {} captured epochs are drawn", timeline.epochs.len(), timeline.captured));
    }
    also.extend(scene.left_out());
    let (table, listed) = table(scene);
    if listed < timeline.captured {
        also.push(format!("the table lists {listed} of {} epochs", timeline.captured));
    }
    let drawn_in_part = timeline.epochs.len() < timeline.captured || scene.left_out().is_some();
    if drawn_in_part || listed < timeline.captured {
        also.push("the record has all".to_owned());
    }
    if !also.is_empty() {
        caption += &format!(" {}.", capitalized(&also.join("; ")));
    }
    let caption = scene.caption(caption);
    let svg = draw(scene, &timeline, course).finish("over-time", &title, &caption);
    let name = "over-time".into();
    Some(Figure { name, title, caption, section: Section::OverTime, svg, table, motion: None })
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn draw(scene: &Scene, timeline: &Timeline, course: &Course) -> Canvas {
    let names = sheet::labels_of(scene.shown().collect::<Vec<_>>().iter(), PHONE_TEXT, WIDEST_NAME);
    let left = names.iter().map(|n| width(&n.0, PHONE_TEXT)).fold(24.0, f64::max) + 12.0;
    let (rows, columns) = (names.len().max(1) as f64, timeline.epochs.len().max(1) as f64);
    let height = (HEIGHT / rows).clamp(LOWEST, TALLEST);
    let top = sheet::TITLE_HEIGHT;
    let bottom = top + height * rows;
    let step = (WIDTH - 4.0 - left) / columns;
    let gap = if step > 6.0 { 0.8 } else { 0.0 };
    let canvas = Canvas::new(bottom + LINE + LEGEND);
    sheet::title(&canvas, course.quantity.name);
    for (i, (layer, values)) in scene.shown().zip(&course.values).enumerate() {
        let y = top + height * i as f64;
        canvas.group("gs-layer", Some(layer.index), &told(&layer, timeline, values), || {
            canvas.hit(Frame { left: 0.0, top: y, right: WIDTH, bottom: y + height });
            canvas.text((left - 8.0, y + height / 2.0), Anchor::End, names[i].1, &names[i].0);
            canvas.group("gs-cells", None, "", || {
                for (j, value) in values.iter().enumerate() {
                    let x = left + step * j as f64;
                    let cell = Frame {
                        left: x + gap,
                        top: y + 0.8,
                        right: x + step - gap,
                        bottom: y + height - 0.8,
                    };
                    let place = value.and_then(|v| course.extent.place(v));
                    canvas.cell(cell, place.map_or(0.0, |p| PALEST + (1.0 - PALEST) * p));
                }
            });
            // Not a number, which no shade stands for.
            let odd = |v: &Option<f64>| v.is_some_and(|v| course.extent.place(v).is_none());
            let at = (0..values.len()).filter(|j| odd(&values[*j]));
            let crosses: Vec<_> = at.map(|j| (left + step * (j as f64 + 0.5), y + height / 2.0)).collect();
            canvas.crosses(&crosses, (step / 2.0 - 1.0).clamp(1.5, 5.0), Ink::Alarm);
        });
    }
    columns_beneath(&canvas, timeline, left, step, bottom);
    legend(&canvas, course, left, bottom + LINE + 10.0);
    canvas
}

/// A row's ends, for whoever points at it.
fn told(layer: &LayerView, timeline: &Timeline, values: &[Option<f64>]) -> String {
    let shown = |v: Option<&Option<f64>>| v.copied().flatten().map_or_else(|| "-".into(), number);
    let ends = [timeline.epochs.first(), timeline.epochs.last()].map(|e| e.copied().unwrap_or(0));
    let (first, last) = (shown(values.first()), shown(values.last()));
    format!("{}: {first} at epoch {}, {last} at epoch {}", in_full(&named(layer.name)), ends[0], ends[1])
}

/// Numbers of the epochs, evenly as far as there is room, and that of the last.
fn columns_beneath(canvas: &Canvas, timeline: &Timeline, left: f64, step: f64, bottom: f64) {
    let Some((last, epochs)) = timeline.epochs.split_last() else { return };
    let room = |epoch: &u64| width(&epoch.to_string(), PHONE_TEXT) + 10.0;
    let stride = ((room(last) / step).ceil() as usize).max(1);
    let place =
        |j: usize, epoch: &u64| (left + step * (j as f64 + 0.5)).min(WIDTH - (room(epoch) - 10.0) / 2.0);
    canvas.group("gs-axis", None, "", || {
        let write = |j: usize, epoch: &u64| {
            let at = (place(j, epoch), bottom + LINE / 2.0 + 3.0);
            canvas.text(at, Anchor::Middle, Ink::Muted, &epoch.to_string());
        };
        let end = place(epochs.len(), last) - room(last) / 2.0;
        for (j, epoch) in epochs.iter().enumerate().step_by(stride) {
            if place(j, epoch) + room(epoch) / 2.0 <= end {
                write(j, epoch);
            }
        }
        write(epochs.len(), last);
    });
}

fn legend(canvas: &Canvas, course: &Course, left: f64, top: f64) {
    const SWATCHES: usize = 6;
    const SIZE: f64 = 22.0;
    let [low, high] = course.extent.ends().map(number);
    canvas.group("gs-legend", None, "", || {
        let room = width("-1.23e-45", PHONE_SMALL) + 8.0;
        let start = (left + room).min(WIDTH - 2.0 * room - SIZE * SWATCHES as f64);
        let y = top + 11.0;
        canvas.small((start - 8.0, y), Anchor::End, Ink::Muted, &low);
        for i in 0..SWATCHES {
            let x = start + SIZE * i as f64;
            let share = PALEST + (1.0 - PALEST) * i as f64 / (SWATCHES - 1) as f64;
            canvas.cell(Frame { left: x, top: top + 3.0, right: x + SIZE, bottom: top + 19.0 }, share);
        }
        canvas.small((start + SIZE * SWATCHES as f64 + 8.0, y), Anchor::Start, Ink::Muted, &high);
    });
}

/// All quantities and the quartiles of every layer and epoch; and how many epochs are listed.
fn table(scene: &Scene) -> (Table, usize) {
    let epochs = &scene.record.epochs;
    let most = (MOST_ROWS / scene.drawn.len().max(1)).max(2);
    let listed: Vec<&Epoch> = evenly(epochs.len(), most).map(|i| &epochs[i]).collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for epoch in &listed {
        let view = View::of(scene.record, epoch);
        for layer in scene.shown_at(epoch) {
            let mut row = vec![epoch.epoch.to_string(), in_full(&named(layer.name))];
            row.extend(QUANTITIES.iter().map(|q| q.of(&view, layer.index).map_or_else(String::new, number)));
            let capture = layer.capture;
            for d in [Some(&capture.weight), capture.weight_grad.as_ref()] {
                let quartiles = d.and_then(|d| Numbers::of_values(d).summary);
                let cell = |i: usize| quartiles.map_or_else(String::new, |s| number(s[i]));
                row.extend([1, 2, 3].map(cell));
            }
            rows.push(row);
        }
    }
    let quartiles = ["weight", "gradient"]
        .iter()
        .flat_map(|what| ["lower quartile", "median", "upper quartile"].map(|q| format!("{what}: {q}")));
    let mut columns: Vec<String> = ["epoch", "layer"].map(Into::into).to_vec();
    columns.extend(QUANTITIES.iter().map(|q| q.name.to_owned()));
    columns.extend(quartiles);
    // What nobody measured needs no column.
    let kept: Vec<usize> =
        (0..columns.len()).filter(|c| rows.iter().any(|row| !row[*c].is_empty())).collect();
    let cell = |text: &String| if text.is_empty() { "-".to_owned() } else { text.clone() };
    let rows = rows.iter().map(|row| kept.iter().map(|c| cell(&row[*c])).collect()).collect();
    (Table { columns: kept.iter().map(|c| columns[*c].clone()).collect(), rows }, listed.len())
}
