//! The depth profile: layers as rows, from the input to the output.

use askama::Template;

use super::bar::{Bar, Tone};
use super::mark::Mark;
use super::text::{Names, optional};
use crate::diagnose::{Diagnosis, Severity};
use crate::plot::{Extent, Quantity, Timeline, View};
use crate::record::{ActivationFrequency, Layer, LayerCapture, Record};
use crate::report::summary::findings_of;
use crate::text::{count, counted, number};

/// The rule whose limit is one on the share that the bars show.
const RULE_OF_SHARES: &str = "vanishing-depth";

/// All layers at one epoch.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(path = "layers.html")]
pub(super) struct Profile {
    epoch: u64,
    /// The layers that are drawn.
    rows: Vec<Row>,
    /// Those of a deep network that are not.
    others: Vec<Row>,
    /// The ends of the bars of shares.
    ends: [String; 2],
    /// The mark on the bars.
    limit: Option<String>,
    /// Whether any layer's units can be dead.
    can_die: bool,
    /// Whether nothing but weights was measured.
    weights_alone: bool,
}

/// The quantities that have a column.
const COLUMNS: [&str; 5] = ["gradient", "share", "update", "dead", "weight"];
/// The column of shares, which has the limit.
const SHARE: usize = 1;

#[derive(Clone, Debug, PartialEq)]
struct Row {
    layer: usize,
    name: String,
    kind: &'static str,
    shape: String,
    parameters: String,
    gradient: Cell,
    share: Cell,
    update: Cell,
    dead: Cell,
    weight: Cell,
    /// The worst finding about it.
    status: Mark,
    /// Rules of the others.
    also: String,
}

/// A number with its bar.
#[derive(Clone, Debug, PartialEq)]
struct Cell {
    text: String,
    bar: Option<Bar>,
}

impl Profile {
    /// Of the last captured epoch; `None` where there is none, or nothing was measured of the layers.
    pub(super) fn new(
        record: &Record,
        diagnosis: &Diagnosis,
        timeline: &Timeline,
        names: &Names,
    ) -> Option<Self> {
        let epoch = record.shown_epoch()?;
        let layers = &record.header.layers;
        let limit = diagnosis.findings.iter().find(|f| f.rule == RULE_OF_SHARES).map(|f| f.threshold);
        let columns = Columns {
            view: View::new(record, epoch),
            extents: COLUMNS.map(|key| timeline.quantity(key).map(|series| series.extent)),
            limit,
        };
        let rows = layers.iter().zip(&epoch.layers).enumerate().map(|(index, (layer, captured))| {
            let cells = columns.cells(index, tone(layer, diagnosis));
            Row::new(index, cells, (layer, captured), diagnosis, names)
        });
        let (rows, others): (Vec<Row>, Vec<Row>) = rows.partition(|r| timeline.layers.contains(&r.layer));
        if rows.is_empty() {
            return None;
        }
        let ends = columns.extents[1].map_or([1e-3, 1.0], Extent::ends);
        Some(Self {
            epoch: epoch.epoch,
            rows,
            others,
            ends: ends.map(number),
            limit: limit.map(number),
            weights_alone: record.header.has_weights_alone(),
            can_die: layers.iter().any(|l| l.activation.can_die()),
        })
    }

    fn count(&self) -> String {
        counted((self.rows.len() + self.others.len()) as u64, "layer")
    }

    /// The number of the epoch.
    fn as_of(&self) -> String {
        count(self.epoch)
    }

    /// The layers with a row, and those that are folded away; no empty part.
    fn parts(&self) -> Vec<&[Row]> {
        [&self.rows, &self.others].into_iter().map(Vec::as_slice).filter(|r| !r.is_empty()).collect()
    }
}

/// The axes of the columns, and the numbers in them.
struct Columns<'a> {
    view: View<'a>,
    /// The axis of each of [`COLUMNS`]; `None` where nothing was measured.
    extents: [Option<Extent>; COLUMNS.len()],
    /// The mark on the bars of shares.
    limit: Option<f64>,
}

impl Columns<'_> {
    /// The cells of a layer, in the order of [`COLUMNS`]; in the alarm color where it is a root.
    fn cells(&self, layer: usize, tone: Tone) -> [Cell; COLUMNS.len()] {
        std::array::from_fn(|column| {
            let value = Quantity::named(COLUMNS[column]).and_then(|q| q.value(&self.view, layer));
            let limit = self.limit.filter(|_| column == SHARE);
            let bar = value.zip(self.extents[column]).and_then(|(v, e)| bar_of(e, v, limit, tone));
            let bar = bar.map(|b| if column == SHARE { b } else { b.thin() });
            Cell { text: optional(value), bar }
        })
    }
}

impl Row {
    fn new(
        index: usize,
        cells: [Cell; COLUMNS.len()],
        (layer, captured): (&Layer, &LayerCapture),
        diagnosis: &Diagnosis,
        names: &Names,
    ) -> Self {
        let [gradient, share, update, dead, weight] = cells;
        let dead_units = captured.firing().map(ActivationFrequency::dead_units);
        let dead_text =
            dead_units.map_or_else(|| "–".into(), |n| format!("{} of {}", count(n), count(layer.units)));
        Self {
            layer: index,
            name: names.layer(layer),
            kind: layer.kind.name(),
            shape: shape(layer),
            parameters: count(layer.parameters),
            gradient,
            share,
            update,
            dead: Cell { text: dead_text, ..dead },
            weight,
            status: status(layer, captured, diagnosis),
            also: also(layer, diagnosis),
        }
    }
}

/// A value on the axis of its column.
fn bar_of(extent: Extent, value: f64, limit: Option<f64>, tone: Tone) -> Option<Bar> {
    Some(Bar::from_zero(extent.place(value)?, limit.and_then(|l| extent.place(l)), tone))
}

/// `2 → 3` for a matrix, output dimension last as data flows; the plain shape otherwise.
fn shape(layer: &Layer) -> String {
    match layer.shape.as_slice() {
        [outputs, inputs] => format!("{} → {}", count(*inputs), count(*outputs)),
        other => other.iter().copied().map(count).collect::<Vec<_>>().join(" × "),
    }
}

/// The color of a layer's bars: that of an alarm where a root cause lies in it.
fn tone(layer: &Layer, diagnosis: &Diagnosis) -> Tone {
    let is_root = findings_of(layer, diagnosis).any(|f| f.root && f.severity > Severity::Info);
    if is_root { Tone::Alarm } else { Tone::Plain }
}

/// The worst finding about a layer, as a mark.
fn status(layer: &Layer, captured: &LayerCapture, diagnosis: &Diagnosis) -> Mark {
    match findings_of(layer, diagnosis).next() {
        Some(worst) => Mark::new(worst.severity, worst.rule.as_str()),
        // Not the layer that a finding names, but a check mark beside a NaN would be a lie.
        None if captured.is_broken() => Mark::new(Severity::Error, "not finite"),
        None if !layer.trainable => Mark::good("not trained"),
        None => Mark::good("no finding"),
    }
}

/// The rules of the other findings about it, each once.
fn also(layer: &Layer, diagnosis: &Diagnosis) -> String {
    let mut rules: Vec<&str> = Vec::new();
    for finding in findings_of(layer, diagnosis) {
        if !rules.contains(&finding.rule.as_str()) {
            rules.push(&finding.rule);
        }
    }
    rules.get(1..).unwrap_or_default().join(", ")
}
