//! L2 norms of a layer over the steps of an epoch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measured::Quantity;
use super::scalars::shortened;
use crate::record::{Layer, StepLayer};
use crate::stats::{Distribution, Spread};

/// Norms that wait before they join the distribution of their epoch.
const PENDING_NORMS: usize = 4_096;
/// The largest cosine that rounding makes of 1.
const MAX_COSINE: f64 = 1.001;

/// L2 norms of a layer's weight over the steps of an epoch; `None` where no value was finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerSteps {
    /// ‖W‖ before the update.
    pub weight_l2: Option<Spread>,
    /// ‖g‖, before clipping.
    pub grad_l2: Option<Spread>,
    /// ‖ΔW‖ of the update.
    pub update_l2: Option<Spread>,
    /// cos(ΔW, −W): 1 where a step does nothing but shrink the weight; only with weight decay.
    #[serde(rename = "shrinking", default, skip_serializing_if = "Option::is_none")]
    pub decay_alignment: Option<Spread>,
}

impl Quantity for LayerSteps {
    type Value = Self;

    fn compact(value: &mut Self) {
        let spreads =
            [&mut value.weight_l2, &mut value.grad_l2, &mut value.update_l2, &mut value.decay_alignment];
        for Spread { min, median, max } in spreads.into_iter().flatten() {
            for number in [min, median, max] {
                *number = shortened(*number);
            }
        }
    }

    fn check(value: &Self, _: &Layer) -> Result<(), String> {
        if value.decay_alignment.is_some_and(|s| !(s.min >= -MAX_COSINE && s.max <= MAX_COSINE)) {
            return Err("no cosine is beyond 1".into());
        }
        Ok(())
    }
}

/// The norms of one layer over the steps of an epoch, bounded however many they are.
#[derive(Default)]
pub struct NormsOverSteps {
    weight: OverSteps,
    grad: OverSteps,
    update: OverSteps,
    decay_alignment: OverSteps,
}

impl NormsOverSteps {
    /// Takes in one step, with cos(ΔW, −W) where that was measured.
    pub fn push(&mut self, layer: &StepLayer, decay_alignment: Option<f64>) {
        self.weight.push(layer.weight_l2.last);
        self.grad.push(layer.grad_l2.last);
        self.update.push(layer.update_l2.last);
        decay_alignment.into_iter().for_each(|cosine| self.decay_alignment.push(cosine));
    }

    /// Turns them into spreads over the steps.
    pub fn spreads(self) -> LayerSteps {
        LayerSteps {
            weight_l2: self.weight.spread(),
            grad_l2: self.grad.spread(),
            update_l2: self.update.spread(),
            decay_alignment: self.decay_alignment.spread(),
        }
    }
}

/// One number over the steps of an epoch.
#[derive(Default)]
struct OverSteps {
    pending: Vec<f32>,
    seen: Distribution,
}

impl OverSteps {
    fn push(&mut self, number: f64) {
        self.pending.push(number as f32);
        if self.pending.len() == PENDING_NORMS {
            self.fold();
        }
    }

    fn fold(&mut self) {
        self.seen.merge(&Distribution::new(&self.pending));
        self.pending.clear();
    }

    fn spread(mut self) -> Option<Spread> {
        self.fold();
        Spread::from_distribution(&self.seen)
    }
}
