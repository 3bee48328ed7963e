//! Violins: how the values of every layer are spread, at the last captured epoch and at others.

use std::borrow::Cow;

use crate::record::{Epoch, LayerCapture};
use crate::stats::{Density, DetailLevel, Distribution};

use super::axis::{Kind, Lanes, Scale};
use super::figure::{Figure, Section, Table};
use super::scene::{LayerView, Numbers, Scene};
use super::text::{in_full, named};
use super::violin_sheet::Sheet;
use crate::text::number;

/// Labels of a value axis, at most.
pub const TICKS: usize = 7;
/// Decades between the layers' medians from which a linear axis shows one layer and flat lines.
const DECADES_FOR_LOG: f64 = 2.0;

/// How much of a distribution an outline is drawn from. The numbers beside it are always its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// All that is known.
    Full,
    /// Its quantiles: all that a history keeps, and drawn in a thirtieth of the time.
    Quantiles,
}

impl Detail {
    fn of(self, d: &Distribution) -> Cow<'_, Distribution> {
        match self {
            Detail::Full => Cow::Borrowed(d),
            Detail::Quantiles => Cow::Owned(d.compacted(DetailLevel::Quantiles)),
        }
    }
}

/// What is drawn for a layer, in coordinates of the axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A density.
    Curve(Density),
    /// All values are this one, or as large as this on the average.
    Tick(f64),
    /// From the smallest to the largest; how they are spread between is not known.
    Range(f64, f64),
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
    /// Lower quartile, median, upper quartile, in coordinates of the axis; of a range, the mean with a
    /// standard deviation on either side.
    pub quartiles: Option<[f64; 3]>,
    /// What the shape cannot show, and whether it is alarming.
    pub notes: Vec<(String, bool)>,
    /// The numbers, for whoever points at it.
    pub words: String,
    numbers: Option<Numbers>,
}

impl<'a> Violin<'a> {
    fn of_values(
        layer: LayerView<'a>,
        values: Option<&Distribution>,
        absent: &'static str,
        detail: Detail,
    ) -> Self {
        Self::new(layer, values, absent, Numbers::of_values, |d, n| {
            let tick = || n.median().map_or(Shape::Nothing, Shape::Tick);
            match n.moments {
                Some([min, .., max]) if min < max => Shape::Range(min, max),
                Some([min, ..]) => Shape::Tick(min),
                None => Density::from_values(&detail.of(d)).map_or_else(tick, Shape::Curve),
            }
        })
    }

    fn of_magnitudes(
        layer: LayerView<'a>,
        values: Option<&Distribution>,
        absent: &'static str,
        detail: Detail,
    ) -> Self {
        let mut violin = Self::new(layer, values, absent, Numbers::of_magnitudes, |d, n| match n.median() {
            _ if n.moments.is_some() => n.moments.map_or(Shape::Nothing, |m| Shape::Tick(m[0].log10())),
            Some(m) => Density::from_magnitudes(&detail.of(d)).map_or(Shape::Tick(m.log10()), Shape::Curve),
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
        let Some(d) = values else {
            let (notes, words) = (vec![(absent.into(), false)], absent.into());
            return Self { layer, shape: Shape::Nothing, quartiles: None, notes, words, numbers: None };
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
            Shape::Range(..) => numbers.moments.map(|[_, low, mean, high, _]| [low, mean, high]),
            _ => None,
        };
        let words = numbers.in_words();
        Self { layer, shape, quartiles, notes, words, numbers: Some(numbers) }
    }

    /// Its layer and its numbers.
    pub fn tooltip(&self) -> String {
        format!("{}: {}", in_full(&named(self.layer.name)), self.words)
    }

    /// Whether its shape was not kept, only how large its values are.
    fn is_outlined(&self) -> bool {
        self.numbers.as_ref().is_some_and(|n| n.moments.is_some())
    }

    /// Lowest and highest coordinate that it needs.
    fn span(&self) -> Option<(f64, f64)> {
        match &self.shape {
            Shape::Curve(d) => d.grid.first().copied().zip(d.grid.last().copied()),
            Shape::Tick(at) => Some((*at, *at)),
            Shape::Range(low, high) => Some((*low, *high)),
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
    fn gradient(capture: &LayerCapture) -> Option<&Distribution> {
        capture.weight_grad.as_ref()
    }
    if scene.layers.iter().all(|l| l.capture.weight_grad.is_none()) {
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
        violins: scene
            .layers
            .iter()
            .map(|l| Violin::of_magnitudes(*l, gradient(l.capture), absent, Detail::Full))
            .collect(),
        draw: |layer, detail| Violin::of_magnitudes(layer, gradient(layer.capture), "no gradient", detail),
    };
    let values = Picture {
        name: "violin-gradients".into(),
        title: format!("Gradients of the weights, epoch {epoch}: values"),
        axis: format!("gradient, epoch {epoch}"),
        violins: scene
            .layers
            .iter()
            .map(|l| Violin::of_values(*l, gradient(l.capture), absent, Detail::Full))
            .collect(),
        what,
        section: Section::Gradients,
        draw: |layer, detail| Violin::of_values(layer, gradient(layer.capture), "no gradient", detail),
    };
    Some([magnitudes, values])
}

/// The violins of weights; none where no layer was measured.
pub fn weights(scene: &Scene) -> Option<Figure> {
    (!scene.layers.is_empty()).then(|| weight_picture(scene).figure(scene, Kind::Linear))
}

/// See [`weights`].
pub(super) fn weight_picture<'a>(scene: &Scene<'a>) -> Picture<'a> {
    let epoch = scene.epoch.epoch;
    let draw = |layer: LayerView<'a>, detail| {
        Violin::of_values(layer, Some(&layer.capture.weight), "no weights", detail)
    };
    Picture {
        name: "violin-weights".into(),
        title: format!("Weights, epoch {epoch}"),
        axis: format!("weight, epoch {epoch}"),
        what: "its weights",
        section: Section::Weights,
        violins: scene.layers.iter().map(|l| draw(*l, Detail::Full)).collect(),
        draw,
    }
}

/// The violins of what layers put out; none where no layer's output was captured.
pub fn activations(scene: &Scene) -> Option<Figure> {
    activation_picture(scene).map(|picture| picture.figure(scene, Kind::Linear))
}

/// See [`activations`].
pub(super) fn activation_picture<'a>(scene: &Scene<'a>) -> Option<Picture<'a>> {
    let epoch = scene.epoch.epoch;
    let draw = |layer: LayerView<'a>, detail| {
        let activations = layer.capture.activations.as_ref();
        Violin::of_values(layer, activations.map(|a| &a.post), "not measured", detail)
    };
    let measured = scene.layers.iter().filter(|l| l.capture.activations.is_some());
    let violins: Vec<_> = measured.map(|l| draw(*l, Detail::Full)).collect();
    (!violins.is_empty()).then(|| Picture {
        name: "violin-activations".into(),
        title: format!("Activations, epoch {epoch}"),
        axis: format!("output after the nonlinearity, epoch {epoch}"),
        what: "its outputs after the nonlinearity, over the units and samples of one batch",
        section: Section::Activations,
        violins,
        draw,
    })
}

/// An axis that has room for all of these.
pub(super) fn common_scale(pictures: &[&Picture], kind: Kind) -> Scale {
    scale_of(&pictures.iter().flat_map(|p| &p.violins).collect::<Vec<_>>(), kind)
}

fn scale_of(violins: &[&Violin], kind: Kind) -> Scale {
    let violins = || violins.iter().copied();
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
    /// That of a layer at any epoch.
    draw: fn(LayerView<'a>, Detail) -> Violin<'a>,
}

/// One axis serves all epochs if it is at most so many times as wide as the narrowest of them needs:
/// gradients often shrink a hundredfold, and would end as flat lines.
const WIDEST: f64 = 4.0;

impl<'a> Picture<'a> {
    /// On an axis of its own, with the epochs before.
    fn figure(mut self, scene: &Scene<'a>, kind: Kind) -> Figure {
        let all = std::mem::take(&mut self.violins);
        let table = table(&all, kind);
        let there: Vec<usize> = all.iter().map(|v| v.layer.index).collect();
        let drawn = |index: usize| scene.drawn.contains(&index) && there.contains(&index);
        let earlier = scene.moments.split_last().map_or(&[][..], |(_, earlier)| earlier);
        let at = |epoch: &&'a Epoch| -> Vec<Violin<'a>> {
            scene
                .shown_at(epoch)
                .filter(|l| drawn(l.index))
                .map(|l| (self.draw)(l, Detail::Quantiles))
                .collect()
        };
        let mut frames: Vec<Vec<Violin>> = earlier.iter().map(at).collect();
        frames.push(all.into_iter().filter(|v| drawn(v.layer.index)).collect());
        let slots = frames.last().map_or(0, Vec::len);
        frames.retain(|f| f.len() == slots);
        let scales = scales(&frames, kind);
        let caption = self.caption(scene, &scales[scales.len() - 1], &frames);
        let sheet = Sheet { name: &self.name, title: &self.title, caption: &caption, axis: &self.axis };
        let (svg, motion) = sheet.draw(&frames, &scales);
        let (name, title, section) = (self.name, self.title, self.section);
        Figure { name, title, caption, section, svg, table, motion: (frames.len() > 1).then_some(motion) }
    }

    /// On this axis, at the last epoch alone.
    pub(super) fn on(mut self, scene: &Scene, scale: &Scale) -> Figure {
        let all = std::mem::take(&mut self.violins);
        let table = table(&all, scale.kind);
        let drawn = all.into_iter().filter(|v| scene.drawn.contains(&v.layer.index));
        let frames = [drawn.collect::<Vec<_>>()];
        let caption = self.caption(scene, scale, &frames);
        let sheet = Sheet { name: &self.name, title: &self.title, caption: &caption, axis: &self.axis };
        let (svg, _) = sheet.draw(&frames, std::slice::from_ref(scale));
        let (name, title, section) = (self.name, self.title, self.section);
        Figure { name, title, caption, section, svg, table, motion: None }
    }

    fn caption(&self, scene: &Scene, scale: &Scale, frames: &[Vec<Violin>]) -> String {
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
        let mut also = |text: &str| {
            caption.truncate(caption.trim_end_matches('.').len());
            caption += &format!("; {text}.");
        };
        if frames.iter().flatten().any(Violin::is_outlined) {
            also(match scale.kind {
                Kind::Linear => {
                    "where the shape was not kept, a line from smallest to largest with the mean and one \
                     standard deviation to either side"
                }
                _ => "where the shape was not kept, a tick at the root mean square",
            });
        }
        if let Some(text) = scene.left_out() {
            also(&text);
        }
        scene.caption(caption)
    }
}

/// The axes of these frames: one for all of them, or one each.
fn scales(frames: &[Vec<Violin>], kind: Kind) -> Vec<Scale> {
    let shared = scale_of(&frames.iter().flatten().collect::<Vec<_>>(), kind);
    let own = |f: &Vec<Violin>| scale_of(&f.iter().collect::<Vec<_>>(), kind);
    let wide = |f: &Vec<Violin>| {
        let spans = f.iter().filter_map(Violin::span);
        let (low, high) = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        (high > low).then_some(high - low)
    };
    let narrowest = frames.iter().filter_map(wide).fold(f64::INFINITY, f64::min);
    if kind == Kind::Linear && shared.high - shared.low > WIDEST * narrowest {
        frames.iter().map(own).collect()
    } else {
        vec![shared]
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
        let mut row = vec![in_full(&named(v.layer.name))];
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
