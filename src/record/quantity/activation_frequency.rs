//! How often the units of a ReLU layer are active.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measured::{Quantity, all_values};
use crate::record::Layer;
use crate::record::io::MAX_COUNT;
use crate::stats::packed_floats;

/// A unit's share of samples in a history: in 256ths, but only 0 and 1 themselves are that.
pub const RATE_STEPS: f32 = 256.0;

/// How often each unit of a ReLU layer fired (pre-activation above zero).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Firing")]
pub struct ActivationFrequency {
    /// Samples looked at.
    pub samples: u64,
    /// True: one pass over the whole training set with the captured parameters (at the end of a run: with
    /// those that the last step left), without dropout, and with batch normalisation by the rows' own
    /// statistics, as in training.
    /// False: collected from the training batches of the epoch, while the parameters moved, or over rows
    /// evenly spread over the training set, until they told enough.
    pub exact: bool,
    /// Share of the samples on which each unit fired, 0..1.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub rate: Vec<f32>,
    /// Largest pre-activation of each unit; in a history, one number: the largest of all units.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub max_pre: Vec<f32>,
}

impl ActivationFrequency {
    /// Units that never fired. Never in N samples bounds a unit's rate below 3/N at 95% (Hanley and
    /// Lippman-Hand, 1983).
    pub fn dead_units(&self) -> u64 {
        self.rate.iter().filter(|r| **r == 0.0).count() as u64
    }

    /// Largest pre-activation of any unit.
    pub fn max_pre(&self) -> f64 {
        self.max_pre.iter().fold(f64::NEG_INFINITY, |max, v| max.max(f64::from(*v)))
    }
}

impl Quantity for ActivationFrequency {
    type Value = Self;

    /// Which units are silent stays exact.
    fn compact(value: &mut Self) {
        if !value.max_pre.is_empty() {
            value.max_pre = vec![value.max_pre() as f32];
        }
        for rate in value.rate.iter_mut().filter(|rate| **rate > 0.0 && **rate < 1.0) {
            *rate = (*rate * RATE_STEPS).round().clamp(1.0, RATE_STEPS - 1.0) / RATE_STEPS;
        }
    }

    fn memory(value: &Self) -> usize {
        4 * (value.rate.len() + value.max_pre.len())
    }

    fn check(value: &Self, layer: &Layer) -> Result<(), String> {
        let units = layer.units;
        let fits = value.rate.len() as u64 == units && [units, 1].contains(&(value.max_pre.len() as u64));
        if !fits || value.samples > MAX_COUNT {
            return Err(format!("firing is not of its {units} units"));
        }
        Ok(())
    }

    fn merged(ranks: &[Option<&Self>]) -> Option<Self> {
        let ranks = all_values(ranks)?;
        let mut merged = (*ranks.first()?).clone();
        if ranks.iter().any(|f| f.rate.len() != merged.rate.len()) {
            return None;
        }
        merged.samples = ranks.iter().map(|f| f.samples).fold(0, u64::saturating_add);
        merged.exact = ranks.iter().all(|f| f.exact);
        for (unit, rate) in merged.rate.iter_mut().enumerate() {
            let fired: f64 = ranks.iter().map(|f| (f64::from(f.rate[unit]) * f.samples as f64).round()).sum();
            *rate = (fired / merged.samples.max(1) as f64) as f32;
        }
        if ranks.iter().all(|f| f.max_pre.len() == merged.max_pre.len()) {
            for (unit, max) in merged.max_pre.iter_mut().enumerate() {
                *max = ranks.iter().map(|f| f.max_pre[unit]).fold(f32::NEG_INFINITY, larger);
            }
        }
        Some(merged)
    }
}

/// The larger number; NaN wins, lest it be hidden.
fn larger(a: f32, b: f32) -> f32 {
    if a.is_nan() || a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_are_silent_or_always_fire_are_still_told_apart_from_those_that_hardly_do() {
        let mut firing = ActivationFrequency {
            samples: 100_000,
            exact: true,
            rate: vec![0.0, 1e-5, 0.3, 0.99999, 1.0],
            max_pre: vec![-1.0, 2.0, 0.5, 3.5, 3.0],
        };
        ActivationFrequency::compact(&mut firing);
        assert_eq!(firing.rate, [0.0, 1.0 / 256.0, 77.0 / 256.0, 255.0 / 256.0, 1.0]);
        assert_eq!((firing.dead_units(), firing.max_pre()), (1, 3.5));
    }
}
