//! A violin: the shape, the quartiles and the notes of one layer's values, in coordinates of an axis.

use std::borrow::Cow;

use crate::plot::context::LayerView;
use crate::plot::draw::text::{in_full, named};
use crate::plot::numbers::Numbers;
use crate::stats::{Density, DetailLevel, Distribution};
use crate::text::number;

/// Decades between the layers' medians from which a linear axis shows one layer and flat lines.
const DECADES_FOR_LOG: f64 = 2.0;

/// How much of a distribution an outline is drawn from. The numbers beside it are always its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutlineDetail {
    /// All that is known.
    Full,
    /// Its quantiles: all that a history keeps, and drawn in a thirtieth of the time.
    Quantiles,
}

impl OutlineDetail {
    /// The distribution with as much as the outline is to be drawn from.
    fn apply(self, d: &Distribution) -> Cow<'_, Distribution> {
        match self {
            OutlineDetail::Full => Cow::Borrowed(d),
            OutlineDetail::Quantiles => Cow::Owned(d.compacted(DetailLevel::Quantiles)),
        }
    }
}

/// The shape that is drawn for a layer, in coordinates of the axis.
#[derive(Clone, Debug, PartialEq)]
pub enum ViolinShape {
    /// The density of the values.
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
    /// The layer that it is of.
    pub layer: LayerView<'a>,
    /// The shape, output dimension first.
    pub shape: ViolinShape,
    /// Lower quartile, median, upper quartile, in coordinates of the axis; of a range, the mean with a
    /// standard deviation on either side.
    pub quartiles: Option<[f64; 3]>,
    /// Notes of what the shape cannot show, each with whether it is alarming.
    pub notes: Vec<(String, bool)>,
    /// The numbers, for whoever points at it.
    pub words: String,
    /// The numbers behind it; `None` where there are no values.
    pub numbers: Option<Numbers>,
}

impl<'a> Violin<'a> {
    /// The violin of a layer's values on a linear axis; `absent` is the note where there are none.
    pub fn from_values(
        layer: LayerView<'a>,
        values: Option<&Distribution>,
        absent: &'static str,
        detail: OutlineDetail,
    ) -> Self {
        Self::new(layer, values, absent, Numbers::from_values, |d, n| match (n.moments, n.median()) {
            (Some([min, .., max]), _) if min < max => ViolinShape::Range(min, max),
            (Some([min, ..]), _) => ViolinShape::Tick(min),
            (None, median) => Density::from_values(&detail.apply(d))
                .map(ViolinShape::Curve)
                .or(median.map(ViolinShape::Tick))
                .unwrap_or(ViolinShape::Nothing),
        })
    }

    /// The violin of a layer's magnitudes, zeros left out, on an axis of decades.
    pub fn from_magnitudes(
        layer: LayerView<'a>,
        values: Option<&Distribution>,
        absent: &'static str,
        detail: OutlineDetail,
    ) -> Self {
        let mut violin =
            Self::new(layer, values, absent, Numbers::from_magnitudes, |d, n| match n.median() {
                _ if n.moments.is_some() => {
                    n.moments.map_or(ViolinShape::Nothing, |m| ViolinShape::Tick(m[0].log10()))
                }
                Some(m) => Density::from_magnitudes(&detail.apply(d))
                    .map_or(ViolinShape::Tick(m.log10()), ViolinShape::Curve),
                None if n.finite() > 0 => ViolinShape::Zero,
                None => ViolinShape::Nothing,
            });
        violin.quartiles = violin.quartiles.map(|q| q.map(f64::log10));
        violin
    }

    fn new(
        layer: LayerView<'a>,
        values: Option<&Distribution>,
        absent: &'static str,
        numbers: impl Fn(&Distribution) -> Numbers,
        shape: impl Fn(&Distribution, &Numbers) -> ViolinShape,
    ) -> Self {
        let Some(d) = values else {
            let (notes, words) = (vec![(absent.into(), false)], absent.into());
            return Self { layer, shape: ViolinShape::Nothing, quartiles: None, notes, words, numbers: None };
        };
        let numbers = numbers(d);
        let shape = shape(d, &numbers);
        let mut notes = numbers.notes();
        if let (ViolinShape::Tick(_), Some(value), false) = (&shape, numbers.median(), numbers.all_zero()) {
            let whom = if notes.is_empty() { "all" } else { "others" };
            notes.insert(0, (format!("{whom} {}", number(value)), false));
        }
        let quartiles = match shape {
            ViolinShape::Curve(_) => numbers.summary.map(|[_, q1, median, q3, _]| [q1, median, q3]),
            ViolinShape::Range(..) => numbers.moments.map(|[_, low, mean, high, _]| [low, mean, high]),
            _ => None,
        };
        let words = numbers.in_words();
        Self { layer, shape, quartiles, notes, words, numbers: Some(numbers) }
    }

    /// Its layer and its numbers.
    pub fn tooltip(&self) -> String {
        format!("{}: {}", in_full(&named(self.layer.name)), self.words)
    }

    /// Whether only the moments of its values were kept, and no shape.
    pub fn is_outlined(&self) -> bool {
        self.numbers.as_ref().is_some_and(|n| n.moments.is_some())
    }

    /// Lowest and highest coordinate that it needs.
    pub fn span(&self) -> Option<(f64, f64)> {
        match &self.shape {
            ViolinShape::Curve(d) => d.grid.first().copied().zip(d.grid.last().copied()),
            ViolinShape::Tick(at) => Some((*at, *at)),
            ViolinShape::Range(low, high) => Some((*low, *high)),
            ViolinShape::Zero | ViolinShape::Nothing => None,
        }
    }
}

/// Whether the layers' medians span more than [`DECADES_FOR_LOG`]. A layer of zeros is infinitely
/// far from one that is not.
pub fn medians_far_apart(magnitudes: &[Violin]) -> bool {
    let medians = magnitudes.iter().filter_map(|v| v.numbers.as_ref()?.median()).map(f64::log10);
    let (low, high) = medians.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), m| (l.min(m), h.max(m)));
    let some_zero = magnitudes.iter().any(|v| v.shape == ViolinShape::Zero);
    high - low > DECADES_FOR_LOG || (some_zero && low <= high)
}
