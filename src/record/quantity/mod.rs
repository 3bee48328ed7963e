//! The quantities that are measured of a layer at a capture point, one a file.
//!
//! Each implements [`Quantity`]: what a history keeps of it, what it comes to over several ranks, the memory
//! that it takes, and what no layer can have. [`LayerCapture`] and [`Activations`] list theirs once, with
//! `list_quantities!`. A new one is a file, its lines here, and where it is measured: in
//! `train/measure/probe.rs`, and in the recorder for PyTorch.

mod activation_frequency;
mod activations;
mod activity;
mod capture;
mod distributions;
mod hidden_state_gradient;
mod measured;
mod output_sum;
mod per_unit;
mod scalars;
mod step_norms;
mod zero_gradient_units;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::number;
use crate::stats::Distribution;

pub use activation_frequency::{ActivationFrequency, RATE_STEPS};
pub use activations::Activations;
pub use activity::Activity;
pub(super) use distributions::{Parameter, Update, distance, relative_difference};
pub use hidden_state_gradient::{Ends, HiddenStateGradient};
pub(super) use measured::{Quantity, list_quantities};
pub use output_sum::OutputSum;
pub use per_unit::PerUnit;
pub use scalars::DIGITS;
pub(super) use scalars::{OutputGradient, RowDeviation, shortened};
pub use step_norms::LayerSteps;
pub(super) use step_norms::NormsOverSteps;
pub use zero_gradient_units::ZeroGradientUnits;

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
    new,
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
