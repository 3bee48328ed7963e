//! The sum of a model's outputs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measured::{Quantity, all_values};
use crate::record::number;

/// The sum of a model's outputs over its units, sample by sample: 1 for all after a softmax.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputSum {
    /// Smallest over the samples of the captured batch.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub min: f64,
    /// Largest, likewise.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub max: f64,
}

impl Quantity for OutputSum {
    type Value = Self;

    fn merged(ranks: &[Option<&Self>]) -> Option<Self> {
        let sums = all_values(ranks)?;
        Some(Self {
            min: sums.iter().map(|s| s.min).fold(f64::INFINITY, f64::min),
            max: sums.iter().map(|s| s.max).fold(f64::NEG_INFINITY, f64::max),
        })
    }
}
