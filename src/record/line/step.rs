//! The line of a step, or of several.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::Envelope;
use super::step_layer::StepLayer;
use crate::record::LayerCapture;

/// One optimizer step, or the envelope of `steps` consecutive ones in a long run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Epoch that it (the first of them) belongs to, from 0.
    pub epoch: u64,
    /// Number of the (first) step in the run, from 0.
    pub step: u64,
    /// Steps that this point stands for.
    pub steps: u64,
    /// Loss of the batch.
    pub loss: Envelope,
    /// L2 norm of the gradient of all parameters, before clipping.
    pub grad_l2: Envelope,
    /// The layers, in the header's order; norms of the weight alone, not of the bias.
    pub layers: Vec<StepLayer>,
    /// The first NaN or infinity of the run, where it appeared in this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_finite: Option<NonFinite>,
    /// Everything, where this step was a capture point that is no epoch's last step (the very first
    /// step, and every K-th with `--capture-every K`). Taken after backward and before the update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Vec<LayerCapture>>,
}

/// Where the first NaN or infinity of a run appeared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NonFinite {
    /// `activation`, `loss`, `gradient` or `weight`: the first of these, in this order, that was hit
    /// in the step. A `weight` was hit by the step's update.
    pub stage: String,
    /// The first layer that was hit (the last, for a gradient: backward comes from there); `None` for
    /// the loss.
    pub layer: Option<String>,
}

impl Step {
    /// Norms of every layer, in the header's order.
    pub fn layer(&self, index: usize) -> Option<&StepLayer> {
        self.layers.get(index)
    }

    /// Takes in the steps that came after it.
    pub(in crate::record) fn join(&mut self, later: &Step) {
        self.steps += later.steps;
        self.loss.extend(later.loss);
        self.grad_l2.extend(later.grad_l2);
        for (a, b) in self.layers.iter_mut().zip(&later.layers) {
            a.weight_l2.extend(b.weight_l2);
            a.grad_l2.extend(b.grad_l2);
            a.update_l2.extend(b.update_l2);
        }
    }
}
