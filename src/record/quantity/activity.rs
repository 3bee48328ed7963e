//! How alive the units of a layer are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measured::Quantity;
use crate::record::Layer;
use crate::stats::packed_floats;

/// How alive each unit of a layer is whose nonlinearity is not ReLU (of those, [`super::ActivationFrequency`] tells).
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

impl Quantity for Activity {
    type Value = Self;

    fn memory(value: &Self) -> usize {
        4 * (value.std.len() + value.grad.len())
    }

    fn check(value: &Self, layer: &Layer) -> Result<(), String> {
        let units = layer.units;
        if value.std.len() as u64 != units || value.grad.len() as u64 != units {
            return Err(format!("activity is not of its {units} units"));
        }
        Ok(())
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
