//! Units that no gradient reaches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measured::Quantity;

/// How many units of a layer got a gradient of exactly zero, in every value of their row of weights and of
/// their bias, in every batch of an epoch. Units that are silent do, and so do those that are saturated for
/// good, or whose output nothing looks at: an indirect test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ZeroRows")]
pub struct ZeroGradientUnits {
    /// Such units.
    pub zero: u64,
    /// Units of the layer.
    pub units: u64,
    /// Batches of the epoch.
    pub batches: u64,
}

impl Quantity for ZeroGradientUnits {
    type Value = Self;
}
