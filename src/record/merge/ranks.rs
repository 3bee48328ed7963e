//! Several processes that trained one model together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::number;

/// Of which rank a record is, or what came of adding those of all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ranks {
    /// How many there were.
    pub of: u64,
    /// Whose record it is, from 0; `None` of what was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u64>,
    /// Where what should be the same on all ranks was not: the largest difference of each kind, with the
    /// first place where there was any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<RankDifference>,
}

/// That two ranks do not agree on a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RankDifference {
    /// Its name.
    pub layer: String,
    /// `weight`, `gradient` or `update`.
    pub quantity: String,
    /// The rank that is furthest from rank 0.
    pub rank: u64,
    /// Epoch and step where any difference was first seen.
    pub epoch: u64,
    /// Number of that step in the run.
    pub step: u64,
    /// Largest difference of a norm or of the mean, over the norm on rank 0; infinite where only one of
    /// them is a number.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub value: f64,
}
