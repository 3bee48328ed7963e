//! Every layer at every epoch: a heat map of one quantity at a time, and the table of all of them.

use crate::plot::context::{LayerView, PlotContext, evenly};
use crate::plot::draw::canvas::{Anchor, Canvas, Rect};
use crate::plot::draw::sheet;
use crate::plot::draw::text::{in_full, named, width};
use crate::plot::draw::theme::{ColorRole, LINE, PHONE_SMALL, PHONE_TEXT, WIDTH};
use crate::plot::figure::{Figure, Section, Table};
use crate::plot::numbers::Numbers;
use crate::plot::quantity::{Extent, QUANTITIES, Quantity, View};
use crate::record::Epoch;
use crate::text::{capitalized, count, number};

/// Height of a row: of few layers, and of many, where a label still has its line.
const TALLEST: f64 = 34.0;
const LOWEST: f64 = LINE;
/// Height of all rows, where rows are between the two.
const HEIGHT: f64 = 240.0;
/// Widest name beside a row.
const WIDEST_NAME: f64 = 200.0;
/// Height of the legend beneath.
const LEGEND: f64 = 44.0;
/// Share of the color that the smallest value has: less, and it would look unmeasured.
const PALEST: f64 = 0.08;
/// Rows of the table, at most: beyond, it lists some of the epochs.
const MAX_ROWS: usize = 1_200;

/// The history of the layers: every quantity at the epochs that pictures move through.
pub struct Timeline {
    /// Numbers of the epochs, ascending.
    pub epochs: Vec<u64>,
    /// Captured epochs, of which these are some.
    pub captured: usize,
    /// Indices of the layers, ascending.
    pub layers: Vec<usize>,
    /// The quantities that were measured.
    pub series: Vec<Series>,
}

/// A quantity of every layer over time.
pub struct Series {
    /// The quantity that is followed.
    pub quantity: &'static Quantity,
    /// An axis for all of its values.
    pub extent: Extent,
    /// A row a layer, a column an epoch; `None` where it was not measured.
    pub values: Vec<Vec<Option<f64>>>,
}

impl Series {
    /// A quantity of these layers over time; `None` where it was not measured.
    fn new(quantity: &'static Quantity, views: &[View], layers: &[usize]) -> Option<Self> {
        let values: Vec<Vec<Option<f64>>> =
            layers.iter().map(|layer| views.iter().map(|v| quantity.value(v, *layer)).collect()).collect();
        let mut known = values.iter().flatten().flatten().copied().peekable();
        known.peek()?;
        let extent = Extent::over(quantity, known);
        Some(Self { quantity, extent, values })
    }

    /// Whether a value has no place on the axis.
    fn is_odd(&self) -> bool {
        self.values.iter().flatten().flatten().any(|v| self.extent.place(*v).is_none())
    }
}

impl Timeline {
    /// The timeline of the layers and epochs that the pictures of this run show.
    pub fn new(context: &PlotContext) -> Self {
        let views: Vec<View> = context.frame_epochs.iter().map(|e| View::new(context.record, e)).collect();
        Self {
            epochs: context.frame_epochs.iter().map(|e| e.epoch).collect(),
            captured: context.record.epochs.len(),
            layers: context.drawn.clone(),
            series: QUANTITIES.iter().filter_map(|q| Series::new(q, &views, &context.drawn)).collect(),
        }
    }

    /// The series of the quantity with this key.
    pub fn quantity(&self, key: &str) -> Option<&Series> {
        self.series.iter().find(|s| s.quantity.key == key)
    }
}

/// The heat map; none where nothing was measured of the layers.
pub fn over_time(context: &PlotContext) -> Option<Figure> {
    let timeline = Timeline::new(context);
    let series = timeline.series.first()?;
    let Quantity { name, meaning, .. } = series.quantity;
    let title = "Every layer at every epoch".to_owned();
    let mut caption = format!(
        "A row a layer, a column an epoch: the stronger the colour, the larger the {name}, which is {meaning}."
    );
    let mut also = Vec::new();
    let captured = count(timeline.captured as u64);
    if timeline.series.iter().any(Series::is_odd) {
        also.push("a cross is NaN".to_owned());
    }
    let steps = timeline.epochs.windows(2).map(|pair| pair[1] - pair[0]);
    if steps.clone().min() != steps.max() {
        also.push("the epochs are not evenly spaced: see the numbers below the columns".to_owned());
    }
    if timeline.epochs.len() < timeline.captured {
        let drawn = count(timeline.epochs.len() as u64);
        also.push(format!("{drawn} of {captured} captured epochs are drawn"));
    }
    also.extend(context.left_out());
    let (table, listed) = table(context);
    if listed < timeline.captured {
        also.push(format!("the table lists {} of {captured} epochs", count(listed as u64)));
    }
    let drawn_in_part = timeline.epochs.len() < timeline.captured || context.left_out().is_some();
    if drawn_in_part || listed < timeline.captured {
        also.push("the record has all".to_owned());
    }
    if !also.is_empty() {
        caption += &format!(" {}.", capitalized(&also.join("; ")));
    }
    let caption = context.caption(caption);
    let svg = draw(context, &timeline, series).finish("over-time", &title, &caption);
    let name = "over-time".into();
    Some(Figure { name, title, caption, section: Section::OverTime, svg, table, animation: None })
}

fn draw(context: &PlotContext, timeline: &Timeline, series: &Series) -> Canvas {
    let names = sheet::labels_of(context.shown().collect::<Vec<_>>().iter(), PHONE_TEXT, WIDEST_NAME);
    let left = names.iter().map(|n| width(&n.0, PHONE_TEXT)).fold(24.0, f64::max) + 12.0;
    let (rows, columns) = (names.len().max(1) as f64, timeline.epochs.len().max(1) as f64);
    let height = (HEIGHT / rows).clamp(LOWEST, TALLEST);
    let top = sheet::TITLE_HEIGHT;
    let bottom = top + height * rows;
    let step = (WIDTH - 4.0 - left) / columns;
    let gap = if step > 6.0 { 0.8 } else { 0.0 };
    let canvas = Canvas::new(bottom + LINE + LEGEND);
    sheet::title(&canvas, series.quantity.name);
    for (i, (layer, values)) in context.shown().zip(&series.values).enumerate() {
        let y = top + height * i as f64;
        canvas.group("gs-layer", Some(layer.index), &told(&layer, timeline, values), || {
            canvas.hit(Rect { left: 0.0, top: y, right: WIDTH, bottom: y + height });
            canvas.text((left - 8.0, y + height / 2.0), Anchor::End, names[i].1, &names[i].0);
            canvas.group("gs-cells", None, "", || {
                for (j, value) in values.iter().enumerate() {
                    let x = left + step * j as f64;
                    let cell =
                        Rect { left: x + gap, top: y + 0.8, right: x + step - gap, bottom: y + height - 0.8 };
                    let place = value.and_then(|v| series.extent.place(v));
                    canvas.cell(cell, place.map_or(0.0, |p| PALEST + (1.0 - PALEST) * p));
                }
            });
            // Not a number, which no shade stands for.
            let odd = values.iter().map(|v| v.is_some_and(|v| series.extent.place(v).is_none()));
            let at = odd.enumerate().filter(|(_, odd)| *odd);
            let crosses: Vec<_> =
                at.map(|(j, _)| (left + step * (j as f64 + 0.5), y + height / 2.0)).collect();
            canvas.crosses(&crosses, (step / 2.0 - 1.0).clamp(1.5, 5.0), ColorRole::Alarm);
        });
    }
    columns_beneath(&canvas, timeline, left, step, bottom);
    legend(&canvas, series, left, bottom + LINE + 10.0);
    canvas
}

/// A row's ends, for whoever points at it.
fn told(layer: &LayerView, timeline: &Timeline, values: &[Option<f64>]) -> String {
    let ends = [timeline.epochs.first(), timeline.epochs.last()].map(|e| count(e.copied().unwrap_or(0)));
    let [first, last] =
        [values.first(), values.last()].map(|v| v.copied().flatten().map_or_else(|| "-".into(), number));
    format!("{}: {first} at epoch {}, {last} at epoch {}", in_full(&named(layer.name)), ends[0], ends[1])
}

/// Numbers of the epochs, evenly as far as there is room, and that of the last.
fn columns_beneath(canvas: &Canvas, timeline: &Timeline, left: f64, step: f64, bottom: f64) {
    let Some((last, epochs)) = timeline.epochs.split_last() else { return };
    let stride = ((label_room(*last) / step).ceil() as usize).max(1);
    let end = column_middle(epochs.len(), *last, left, step) - label_room(*last) / 2.0;
    let mut labels: Vec<(usize, u64)> = epochs.iter().copied().enumerate().step_by(stride).collect();
    labels.retain(|(j, epoch)| column_middle(*j, *epoch, left, step) + label_room(*epoch) / 2.0 <= end);
    labels.push((epochs.len(), *last));
    canvas.group("gs-axis", None, "", || {
        for (j, epoch) in labels {
            let at = (column_middle(j, epoch, left, step), bottom + LINE / 2.0 + 3.0);
            canvas.text(at, Anchor::Middle, ColorRole::Muted, &count(epoch));
        }
    });
}

/// Room for the number of an epoch, with a gap to the next.
fn label_room(epoch: u64) -> f64 {
    width(&count(epoch), PHONE_TEXT) + 10.0
}

/// The middle of the j-th column's label, which does not reach beyond the picture.
fn column_middle(j: usize, epoch: u64, left: f64, step: f64) -> f64 {
    (left + step * (j as f64 + 0.5)).min(WIDTH - (label_room(epoch) - 10.0) / 2.0)
}

fn legend(canvas: &Canvas, series: &Series, left: f64, top: f64) {
    const SWATCHES: usize = 6;
    const SIZE: f64 = 22.0;
    let [low, high] = series.extent.ends().map(number);
    canvas.group("gs-legend", None, "", || {
        let room = width("-1.23e-45", PHONE_SMALL) + 8.0;
        let start = (left + room).min(WIDTH - 2.0 * room - SIZE * SWATCHES as f64);
        let y = top + 11.0;
        canvas.small((start - 8.0, y), Anchor::End, ColorRole::Muted, &low);
        for i in 0..SWATCHES {
            let x = start + SIZE * i as f64;
            let share = PALEST + (1.0 - PALEST) * i as f64 / (SWATCHES - 1) as f64;
            canvas.cell(Rect { left: x, top: top + 3.0, right: x + SIZE, bottom: top + 19.0 }, share);
        }
        canvas.small((start + SIZE * SWATCHES as f64 + 8.0, y), Anchor::Start, ColorRole::Muted, &high);
    });
}

/// All quantities and the quartiles of every layer and epoch; and how many epochs are listed.
fn table(context: &PlotContext) -> (Table, usize) {
    let epochs = &context.record.epochs;
    let most = (MAX_ROWS / context.drawn.len().max(1)).max(2);
    let listed: Vec<&Epoch> = evenly(epochs.len(), most).map(|i| &epochs[i]).collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for epoch in &listed {
        let view = View::new(context.record, epoch);
        for layer in context.shown_at(epoch) {
            let mut row = vec![count(epoch.epoch), in_full(&named(layer.name))];
            row.extend(
                QUANTITIES.iter().map(|q| q.value(&view, layer.index).map_or_else(String::new, number)),
            );
            let capture = layer.capture;
            for d in [Some(&capture.weight), capture.weight_grad.as_ref()] {
                let quartiles = d.and_then(|d| Numbers::from_values(d).summary);
                row.extend([1, 2, 3].map(|i| quartiles.map_or_else(String::new, |s| number(s[i]))));
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
    rows.iter_mut().flatten().filter(|cell| cell.is_empty()).for_each(|cell| "-".clone_into(cell));
    let rows = rows.iter().map(|row| kept.iter().map(|c| row[*c].clone()).collect()).collect();
    (Table { columns: kept.iter().map(|c| columns[*c].clone()).collect(), rows }, listed.len())
}
