//! The spread of one number over the steps of an epoch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Distribution;

/// Smallest, median and largest value of a scalar that is measured at every step.
///
/// A median of an epoch is what rules use instead of the last batch's value, which varies fourfold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Smallest finite value.
    pub min: f64,
    /// Median of the finite values (within a bin where there were very many).
    pub median: f64,
    /// Largest finite value.
    pub max: f64,
}

impl Spread {
    /// Of the values that a distribution has seen; `None` where none was finite.
    pub fn from_distribution(distribution: &Distribution) -> Option<Self> {
        Some(Self { min: distribution.min()?, median: distribution.quantile(0.5)?, max: distribution.max()? })
    }
}
