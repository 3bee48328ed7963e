//! Violins: how the values of every layer are spread at the last captured epoch.

use crate::stats::{Density, Distribution};

use super::axis::{Kind, Lanes, Scale};
use super::figure::{Figure, Section, Table};
use super::scene::{LayerView, Numbers, Scene};
use super::text::in_full;
use super::violin_sheet;
use crate::text::number;

/// Labels of a value axis, at most.
pub const TICKS: usize = 7;
/// Decades between the layers' medians from which a linear axis shows one layer and flat lines.
const DECADES_FOR_LOG: f64 = 2.0;

/// What is drawn for a layer, in coordinates of the axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A density.
    Curve(Density),
    /// All values are this one.
    Tick(f64),
    /// All values are zero, on an axis without a zero.
    Zero,
    /// There is no finite value; the notes say why.
    Nothing,
}

/// One layer of the picture.
pub struct Violin<'a> {
    /// Whose.
    pub layer: LayerView<'a>,
    /// What is drawn.
    pub shape: Shape,
    /// Lower quartile, median, upper quartile, in coordinates of the axis.
    pub quartiles: Option<[f64; 3]>,
    /// What the shape cannot show, and whether it is alarming.
    pub notes: Vec<(String, bool)>,
    /// The numbers, for whoever points at it.
    pub tooltip: String,
    numbers: Option<Numbers>,
}

impl<'a> Violin<'a> {
    fn of_values(layer: LayerView<'a>, values: Option<&Distribution>, absent: &'static str) -> Self {
        Self::new(layer, values, absent, Numbers::of_values, |d, n| {
            let tick = || n.median().map_or(Shape::Nothing, Shape::Tick);
            Density::of_values(d).map_or_else(tick, Shape::Curve)
        })
    }

    fn of_magnitudes(layer: LayerView<'a>, values: Option<&Distribution>, absent: &'static str) -> Self {
        let mut violin = Self::new(layer, values, absent, Numbers::of_magnitudes, |d, n| match n.median() {
            Some(m) => Density::of_magnitudes(d).map_or(Shape::Tick(m.log10()), Shape::Curve),
            None if n.finite() > 0 => Shape::Zero,
            None => Shape::Nothing,
        });
        violin.quartiles = violin.quartiles.map(|q| q.map(f64::log10));
        violin
    }

    fn new(
        layer: LayerView<'a>,
        values: Option<&Distribution>,
        absent: &'static str,
        numbers: impl Fn(&Distribution) -> Numbers,
        shape: impl Fn(&Distribution, &Numbers) -> Shape,
    ) -> Self {
        let name = in_full(layer.name);
        let Some(d) = values else {
            let (notes, tooltip) = (vec![(absent.into(), false)], format!("{name}: {absent}"));
            return Self { layer, shape: Shape::Nothing, quartiles: None, notes, tooltip, numbers: None };
        };
        let numbers = numbers(d);
        let shape = shape(d, &numbers);
        let mut notes = numbers.notes();
        if let (Shape::Tick(_), Some(value), false) = (&shape, numbers.median(), numbers.all_zero()) {
            let whom = if notes.is_empty() { "all" } else { "others" };
            notes.insert(0, (format!("{whom} {}", number(value)), false));
        }
        let quartiles = match shape {
            Shape::Curve(_) => numbers.summary.map(|[_, q1, median, q3, _]| [q1, median, q3]),
            _ => None,
        };
        let tooltip = format!("{name}: {}", numbers.in_words());
        Self { layer, shape, quartiles, notes, tooltip, numbers: Some(numbers) }
    }

    /// Lowest and highest coordinate that it needs.
    fn span(&self) -> Option<(f64, f64)> {
        match &self.shape {
            Shape::Curve(d) => d.grid.first().copied().zip(d.grid.last().copied()),
            Shape::Tick(at) => Some((*at, *at)),
            Shape::Zero | Shape::Nothing => None,
        }
    }
}

/// The violins of gradients, the more telling view first.
pub fn gradients(scene: &Scene) -> Vec<Figure> {
    let Some([magnitudes, values]) = gradient_pictures(scene) else { return Vec::new() };
    let log_first = medians_far_apart(&magnitudes.violins);
    let mut figures = vec![magnitudes.figure(scene, Kind::Log), values.figure(scene, Kind::Linear)];
    if !log_first {
        figures.reverse();
    }
    figures
}

/// Magnitudes and values of the gradients; none where there are no gradients.
pub(super) fn gradient_pictures<'a>(scene: &Scene<'a>) -> Option<[Picture<'a>; 2]> {
    let views: Vec<_> = scene.layers.iter().map(|l| (*l, l.capture.weight_grad.as_ref())).collect();
    if views.iter().all(|(_, g)| g.is_none()) {
        return None;
    }
    let (what, absent) = ("the gradients of its weights", "no gradient");
    let epoch = scene.epoch.epoch;
    let magnitudes = Picture {
        name: "violin-gradients-log".into(),
        title: format!("Gradients of the weights, epoch {epoch}: magnitudes"),
        axis: format!("|gradient|, epoch {epoch}"),
        what,
        section: Section::Gradients,
        violins: views.iter().map(|(l, g)| Violin::of_magnitudes(*l, *g, absent)).collect(),
    };
    let values = Picture {
        name: "violin-gradients".into(),
        title: format!("Gradients of the weights, epoch {epoch}: values"),
        axis: format!("gradient, epoch {epoch}"),
        violins: views.iter().map(|(l, g)| Violin::of_values(*l, *g, absent)).collect(),
        what,
        section: Section::Gradients,
    };
    Some([magnitudes, values])
}

/// The violins of weights.
pub fn weights(scene: &Scene) -> Figure {
    weight_picture(scene).figure(scene, Kind::Linear)
}

/// See [`weights`].
pub(super) fn weight_picture<'a>(scene: &Scene<'a>) -> Picture<'a> {
    let epoch = scene.epoch.epoch;
    let violin = |l: &LayerView<'a>| Violin::of_values(*l, Some(&l.capture.weight), "no weights");
    Picture {
        name: "violin-weights".into(),
        title: format!("Weights, epoch {epoch}"),
        axis: format!("weight, epoch {epoch}"),
        what: "its weights",
        section: Section::Weights,
        violins: scene.layers.iter().map(violin).collect(),
    }
}

/// The violins of what layers put out; none where no layer's output was captured.
pub fn activations(scene: &Scene) -> Option<Figure> {
    activation_picture(scene).map(|picture| picture.figure(scene, Kind::Linear))
}

/// See [`activations`].
pub(super) fn activation_picture<'a>(scene: &Scene<'a>) -> Option<Picture<'a>> {
    let epoch = scene.epoch.epoch;
    let measured = scene.layers.iter().filter_map(|l| Some((l, l.capture.activations.as_ref()?)));
    let violins: Vec<_> = measured.map(|(l, a)| Violin::of_values(*l, Some(&a.post), "")).collect();
    (!violins.is_empty()).then(|| Picture {
        name: "violin-activations".into(),
        title: format!("Activations, epoch {epoch}"),
        axis: format!("output after the nonlinearity, epoch {epoch}"),
        what: "its outputs after the nonlinearity, over the units and samples of one batch",
        section: Section::Activations,
        violins,
    })
}

/// An axis that has room for all of these.
pub(super) fn common_scale(pictures: &[&Picture], kind: Kind) -> Scale {
    let violins = || pictures.iter().flat_map(|p| &p.violins);
    let span = violins().filter_map(Violin::span).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let zero = violins().any(|v| v.shape == Shape::Zero);
    Scale::over(kind, span, Lanes { zero, ..Lanes::default() }, TICKS)
}

/// Whether the layers' medians span more than [`DECADES_FOR_LOG`]. A layer of zeros is infinitely
/// far from one that is not.
pub(super) fn medians_far_apart(magnitudes: &[Violin]) -> bool {
    let medians = magnitudes.iter().filter_map(|v| v.numbers.as_ref()?.median()).map(f64::log10);
    let (low, high) = medians.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), m| (l.min(m), h.max(m)));
    let some_zero = magnitudes.iter().any(|v| v.shape == Shape::Zero);
    high - low > DECADES_FOR_LOG || (some_zero && low <= high)
}

/// Violins of all layers, before an axis is chosen.
pub(super) struct Picture<'a> {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) axis: String,
    what: &'static str,
    section: Section,
    pub(super) violins: Vec<Violin<'a>>,
}

impl Picture<'_> {
    /// On an axis of its own.
    fn figure(self, scene: &Scene, kind: Kind) -> Figure {
        let scale = common_scale(&[&self], kind);
        self.on(scene, &scale)
    }

    /// On this axis.
    pub(super) fn on(self, scene: &Scene, scale: &Scale) -> Figure {
        let caption = self.caption(scene, scale);
        let svg = violin_sheet::draw(&self.name, &self.title, &caption, &self.axis, &self.violins, scale);
        let (name, title, section) = (self.name, self.title, self.section);
        Figure { name, title, caption, section, svg, table: table(&self.violins, scale.kind) }
    }

    fn caption(&self, scene: &Scene, scale: &Scale) -> String {
        let what = self.what;
        let mut caption = match (scale.kind, scale.decades) {
            (Kind::Linear, _) => format!("One violin a layer, all on one axis: the values of {what}."),
            (_, Some(1)) => {
                format!("One violin a layer: how large {what} are; each step of the axis is a factor of 10.")
            }
            (_, Some(decades)) => format!(
                "One violin a layer: how large {what} are; each step of the axis is a factor of {}.",
                super::format::power_of_ten(decades)
            ),
            (_, None) => format!("One violin a layer: how large {what} are, on a logarithmic axis."),
        };
        caption += " Dot: median; bar: middle half; every violin is scaled to the same width";
        caption += match (scale.kind, scale.zero_lane()) {
            (Kind::Linear, _) => "; a tick: all values are equal.",
            (_, Some(_)) => "; exact zeros are counted beside the name, layers of nothing else stand at 0.",
            (_, None) => "; exact zeros are counted beside the name.",
        };
        scene.caption(caption)
    }
}

fn table(violins: &[Violin], kind: Kind) -> Table {
    let columns: &[&str] = match kind {
        Kind::Linear => &[
            "layer",
            "values",
            "median",
            "lower quartile",
            "upper quartile",
            "min",
            "max",
            "zeros",
            "NaN",
            "inf",
        ],
        _ => &[
            "layer",
            "values",
            "median of |g| > 0",
            "lower quartile",
            "upper quartile",
            "largest",
            "zeros",
            "NaN",
            "inf",
        ],
    };
    let row = |v: &Violin| {
        let mut row = vec![in_full(v.layer.name)];
        let mut cells = v.numbers.as_ref().map_or_else(|| vec!["-".into(); 9], Numbers::cells);
        if kind != Kind::Linear {
            // The smallest magnitude of a large tensor is not known.
            cells.remove(4);
        }
        row.append(&mut cells);
        row
    };
    Table { columns: columns.iter().map(|c| (*c).into()).collect(), rows: violins.iter().map(row).collect() }
}
