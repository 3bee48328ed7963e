//! The numbers of a layer at a captured epoch.

use crate::record::{ActivationFrequency, Epoch, LayerCapture, Record};

/// A number of every layer at every captured epoch.
pub struct Quantity {
    /// A word for programs.
    pub key: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// How to read it, as the end of a sentence.
    pub meaning: &'static str,
    /// A share from 0 to 1, which has an axis of its own; everything else spans decades.
    pub is_share: bool,
    measure: fn(&View, usize) -> Option<f64>,
}

/// A captured epoch, with what relates its layers to each other.
pub struct View<'a> {
    record: &'a Record,
    epoch: &'a Epoch,
    /// The largest elasticity of any layer.
    strongest: f64,
}

/// All of them; the first is shown first.
pub const QUANTITIES: [Quantity; 9] = [
    Quantity {
        key: "share",
        name: "elasticity, share of the strongest",
        meaning: "how strongly the loss pulls on a layer, beside the layer that it pulls on most",
        is_share: false,
        measure: |view, i| {
            let elasticity = view.elasticity(i)?;
            Some(if view.strongest > 0.0 { elasticity / view.strongest } else { 0.0 })
        },
    },
    Quantity {
        key: "gradient",
        name: "gradient L2",
        meaning: "the length of a layer's weight gradient at the epoch's last batch",
        is_share: false,
        measure: |view, i| Some(view.layer(i)?.weight_grad.as_ref()?.l2()),
    },
    Quantity {
        key: "update",
        name: "update ratio",
        meaning: "the length of one step beside that of the weights; 0.002 to 0.04 is usual at first",
        is_share: false,
        measure: |view, i| view.layer(i)?.update_ratio(&view.record.header.layers[i]),
    },
    Quantity {
        key: "dead",
        name: "dead units, share",
        meaning: "the share of a layer's units that never fired",
        is_share: true,
        measure: |view, i| {
            let firing = view.layer(i)?.firing()?;
            Some(ActivationFrequency::dead_units(firing) as f64 / firing.rate.len() as f64)
        },
    },
    Quantity {
        key: "saturated",
        name: "saturated, share",
        meaning: "the share of a layer's outputs where the nonlinearity is flat",
        is_share: true,
        measure: |view, i| view.layer(i)?.activations.as_ref()?.saturated_fraction,
    },
    Quantity {
        key: "signal",
        name: "backward signal L2",
        meaning: "the length of the loss's gradient with respect to a layer's output",
        is_share: false,
        measure: |view, i| view.layer(i)?.output_gradient_l2,
    },
    Quantity {
        key: "weight",
        name: "weight L2",
        meaning: "the length of a layer's weights",
        is_share: false,
        measure: |view, i| Some(view.layer(i)?.weight.l2()),
    },
    Quantity {
        key: "spread",
        name: "activation std",
        meaning: "the standard deviation of what a layer puts out, over units and samples",
        is_share: false,
        measure: |view, i| view.layer(i)?.activations.as_ref()?.post.std(),
    },
    Quantity {
        key: "zeros",
        name: "activation zeros, share",
        meaning: "the share of a layer's outputs that are exactly 0",
        is_share: true,
        measure: |view, i| {
            let post = &view.layer(i)?.activations.as_ref()?.post;
            (post.count() > 0).then(|| post.zeros() as f64 / post.count() as f64)
        },
    },
];

impl Quantity {
    /// That with this key.
    pub fn named(key: &str) -> Option<&'static Self> {
        QUANTITIES.iter().find(|q| q.key == key)
    }

    /// Of a layer; `None` where it was not measured or is not defined.
    pub fn value(&self, view: &View, layer: usize) -> Option<f64> {
        (self.measure)(view, layer)
    }
}

impl<'a> View<'a> {
    /// Of this epoch.
    pub fn new(record: &'a Record, epoch: &'a Epoch) -> Self {
        let mut view = Self { record, epoch, strongest: 0.0 };
        let layers = 0..epoch.layers.len().min(record.header.layers.len());
        view.strongest = layers.filter_map(|i| view.elasticity(i)).fold(0.0, f64::max);
        view
    }

    fn layer(&self, index: usize) -> Option<&'a LayerCapture> {
        self.epoch.layers.get(index)
    }

    fn elasticity(&self, index: usize) -> Option<f64> {
        self.layer(index)?.elasticity(&self.record.header.layers[index], self.epoch.train_loss)
    }
}

/// Where a quantity's values lie on an axis from 0 to 1, for bars and for shades.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Extent {
    /// Power of ten at its lower end; of a share: 0.
    pub low: f64,
    /// Power of ten at its upper end; of a share: 1.
    pub high: f64,
    /// Whether the two are powers of ten.
    pub log: bool,
}

/// Decades that an axis spans at least: a factor of two should not look like an abyss.
const MIN_DECADES: f64 = 3.0;

impl Extent {
    /// That holds all of these.
    pub fn over(quantity: &Quantity, values: impl Iterator<Item = f64>) -> Self {
        if quantity.is_share {
            return Self { low: 0.0, high: 1.0, log: false };
        }
        let logs = values.filter(|v| *v > 0.0 && v.is_finite()).map(f64::log10);
        let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            return Self { low: -MIN_DECADES, high: 0.0, log: true };
        }
        let high = (high - 1e-9).ceil();
        // The smallest value still has a bar that can be seen.
        Self { low: (low - 0.5).floor().min(high - MIN_DECADES), high, log: true }
    }

    /// From 0 to 1; `None` where a value has no place: NaN, and what is below zero.
    pub fn place(self, value: f64) -> Option<f64> {
        match (value, self.log) {
            (v, _) if v.is_nan() || v < 0.0 => None,
            (v, _) if v.is_infinite() => Some(1.0),
            (v, true) if v > 0.0 => Some(((v.log10() - self.low) / (self.high - self.low)).clamp(0.0, 1.0)),
            (v, true) => Some(v),
            (v, false) => Some(v.clamp(0.0, 1.0)),
        }
    }

    /// The values at its ends.
    pub fn ends(self) -> [f64; 2] {
        [self.low, self.high].map(|end| if self.log { 10f64.powf(end) } else { end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_of_decades_shows_its_smallest_value_and_no_abyss() {
        let share = Quantity::named("share").unwrap();
        let axis = Extent::over(share, [1.0, 1e-4, 0.0, f64::NAN].into_iter());
        assert_eq!((axis.low, axis.high), (-5.0, 0.0));
        let places = [1.0, 1e-4, 0.0].map(|v| axis.place(v).unwrap());
        assert!(
            places.iter().zip([1.0, 0.2, 0.0]).all(|(place, is)| (place - is).abs() < 1e-12),
            "{places:?}"
        );
        assert_eq!(axis.place(f64::NAN), None);
        assert_eq!(Extent::over(share, [0.5].into_iter()).ends(), [1e-3, 1.0]);
        let dead = Extent::over(Quantity::named("dead").unwrap(), [0.5].into_iter());
        assert_eq!((dead.place(0.25), dead.ends()), (Some(0.25), [0.0, 1.0]));
    }
}
