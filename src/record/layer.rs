//! Everything that is measured of one layer at a capture point.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity::{OutputGradient, Parameter, RowDeviation, Update, list_quantities};
use super::{Activations, HiddenStateGradient, Layer, LayerSteps, ZeroGradientUnits, number};
use crate::stats::Distribution;

/// One layer at a capture point: after backward and before the optimizer's step.
///
/// Gradients are before any clipping, with a loss scale removed. A source that cannot measure a thing
/// leaves it out; nothing is made up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerCapture {
    /// Its weight (of a normalisation: the gain).
    pub weight: Distribution,
    /// Its bias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias: Option<Distribution>,
    /// Gradient of the loss with respect to the weight; absent if none was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_grad: Option<Distribution>,
    /// Gradient with respect to the bias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias_grad: Option<Distribution>,
    /// ΔW of the step that followed; of weights alone, that since the file before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Distribution>,
    /// How far the rows of the weight are from each other: the largest distance of a row from the
    /// rows' mean, over the norm of that mean (0 for equal rows; `None` for a single row).
    #[serde(default, skip_serializing_if = "Option::is_none", with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub weight_row_deviation: Option<f64>,
    /// The same of the weight's gradient.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub grad_row_deviation: Option<f64>,
    /// Forward: what the layer put out for the captured batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activations: Option<Activations>,
    /// Backward: ‖δ‖, L2 norm of the gradient of the loss with respect to the layer's own output
    /// (before its nonlinearity), over the captured batch.
    #[serde(rename = "signal_l2", default, skip_serializing_if = "Option::is_none", with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub output_gradient_l2: Option<f64>,
    /// The same of the hidden state after every step of a sequence; of the weight by which a recurrent layer
    /// looks back.
    #[serde(rename = "state_signal", default, skip_serializing_if = "Option::is_none")]
    pub hidden_state_gradient: Option<HiddenStateGradient>,
    /// Units whose weights and bias get no gradient; of layers whose outputs cannot be looked at.
    #[serde(rename = "zero_rows", default, skip_serializing_if = "Option::is_none")]
    pub zero_gradient_units: Option<ZeroGradientUnits>,
    /// Norms at every step of the epoch; absent at capture points inside an epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<LayerSteps>,
}

list_quantities!(
    LayerCapture,
    always { weight: Parameter }
    optional {
        bias: Parameter,
        weight_grad: Parameter,
        bias_grad: Parameter,
        update: Update,
        weight_row_deviation: RowDeviation,
        grad_row_deviation: RowDeviation,
        activations: Activations,
        output_gradient_l2: OutputGradient,
        hidden_state_gradient: HiddenStateGradient,
        zero_gradient_units: ZeroGradientUnits,
        steps: LayerSteps,
    }
);

impl LayerCapture {
    /// A capture of this weight, of which nothing else was measured.
    pub fn new(weight: Distribution) -> Self {
        Self {
            weight,
            bias: None,
            weight_grad: None,
            bias_grad: None,
            update: None,
            weight_row_deviation: None,
            grad_row_deviation: None,
            activations: None,
            output_gradient_l2: None,
            hidden_state_gradient: None,
            zero_gradient_units: None,
            steps: None,
        }
    }

    /// Leaves what is kept of it in a history.
    pub fn compact(&mut self) {
        self.compact_each();
    }

    /// The layer over all ranks, rank 0 first; `None` of no rank.
    pub(super) fn merged(ranks: &[&Self]) -> Option<Self> {
        let mut merged = (*ranks.first()?).clone();
        merged.merge_each(ranks);
        Some(merged)
    }

    /// Bytes that it takes, about.
    pub fn memory(&self) -> usize {
        // Distributions within are counted by their own size.
        self.memory_of_each() + size_of::<Self>() / 4
    }

    /// Whether it can be of this layer.
    ///
    /// # Errors
    /// A sentence that says what cannot be.
    pub(super) fn check(&self, layer: &Layer) -> Result<(), String> {
        self.check_each(layer).map_err(|reason| format!("layer {}: {reason}", layer.name))
    }
}
