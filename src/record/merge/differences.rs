//! Where ranks differ in what should be the same on all of them.

use std::collections::BTreeMap;

use super::ranks::RankDifference;

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
