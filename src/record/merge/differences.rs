//! Where ranks differ in what should be the same on all of them.

use std::collections::BTreeMap;

use super::ranks::RankDifference;
use crate::record::LayerCapture;
use crate::record::quantity::distance;
use crate::stats::Distribution;

/// Where a difference was seen: on which rank, at which step of which epoch.
#[derive(Clone, Copy)]
pub struct Place {
    pub rank: u64,
    pub epoch: u64,
    pub step: u64,
}

/// Differences by layer and quantity, each the largest, with the first place where there was any.
#[derive(Default)]
pub struct Differences(BTreeMap<(String, String), RankDifference>);

impl Differences {
    /// Takes in a difference from rank 0, unless there is none.
    pub fn see(&mut self, layer: &str, quantity: &str, place: Place, value: f64) {
        if value <= 0.0 {
            return;
        }
        let Place { rank, epoch, step } = place;
        let known = self.0.entry((layer.to_owned(), quantity.to_owned())).or_insert_with(|| RankDifference {
            layer: layer.to_owned(),
            quantity: quantity.to_owned(),
            rank,
            epoch,
            step,
            value,
        });
        if (epoch, step) < (known.epoch, known.step) {
            (known.epoch, known.step) = (epoch, step);
        }
        if value > known.value {
            (known.value, known.rank) = (value, rank);
        }
    }

    /// All of them, by layer and quantity.
    pub fn into_list(self) -> Vec<RankDifference> {
        self.0.into_values().collect()
    }
}

/// How far a rank is from rank 0 in what should be the same on all: each distribution's name in the record of
/// ranks, and the distance over a norm (0 where they agree, infinite where one of them lacks it).
pub fn rank_differences(first: &LayerCapture, other: &LayerCapture) -> [(&'static str, f64); 5] {
    let size = first.weight.l2();
    let own_size = |d: &Option<Distribution>| d.as_ref().map_or(0.0, Distribution::l2);
    [
        ("weight", distance(Some(&first.weight), Some(&other.weight), size)),
        ("weight", distance(first.bias.as_ref(), other.bias.as_ref(), own_size(&first.bias))),
        (
            "gradient",
            distance(first.weight_grad.as_ref(), other.weight_grad.as_ref(), own_size(&first.weight_grad)),
        ),
        (
            "gradient",
            distance(first.bias_grad.as_ref(), other.bias_grad.as_ref(), own_size(&first.bias_grad)),
        ),
        ("update", distance(first.update.as_ref(), other.update.as_ref(), size)),
    ]
}
