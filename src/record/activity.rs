//! What single units do, and what their outputs add up to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number;
use crate::stats::packed_floats;

/// How alive each unit of a layer is whose nonlinearity is not ReLU (of those, [`super::Firing`] tells).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Activity {
    /// Standard deviation of each unit's output over the samples of the captured batch.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub std: Vec<f32>,
    /// L2 norm of the gradient of each unit's weights.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub grad: Vec<f32>,
}

/// The sum of a model's outputs over its units, sample by sample: 1 for all after a softmax.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputSum {
    /// Smallest over the samples of the captured batch.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub min: f64,
    /// Largest.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub max: f64,
}

impl Activity {
    /// Units whose output and whose gradient are both at most this share of the layer's mean; none where
    /// the layer as a whole does nothing.
    pub fn dormant(&self, share: f64) -> u64 {
        let limit = |values: &[f32]| {
            let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();
            share * sum / values.len().max(1) as f64
        };
        let (std, grad) = (limit(&self.std), limit(&self.grad));
        if !(std > 0.0 && grad > 0.0 && std.is_finite() && grad.is_finite()) {
            return 0;
        }
        let both = self.std.iter().zip(&self.grad);
        both.filter(|(s, g)| f64::from(**s) <= std && f64::from(**g) <= grad).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_dormant_where_output_and_gradient_both_are() {
        let activity = Activity { std: vec![1.0, 0.0, 0.0, 1.0], grad: vec![1.0, 0.0, 1.0, 0.0] };
        assert_eq!(activity.dormant(0.025), 1);
        assert_eq!(Activity { std: vec![0.0; 4], grad: vec![0.0; 4] }.dormant(0.025), 0);
        assert_eq!(Activity { std: vec![f32::NAN, 0.0], grad: vec![1.0, 0.0] }.dormant(0.025), 0);
    }
}
