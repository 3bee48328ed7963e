//! Everything that is measured of one layer at a capture point.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ranks::PerUnit;
use super::{Activity, OutputSum, StateSignal, number};
use crate::stats::{Distribution, Spread, packed_floats};

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
    #[serde(default, skip_serializing_if = "Option::is_none", with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub signal_l2: Option<f64>,
    /// The same of the hidden state after every step of a sequence; of the weight by which a recurrent layer
    /// looks back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_signal: Option<StateSignal>,
    /// Units whose weights and bias get no gradient; of layers whose outputs cannot be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero_rows: Option<ZeroRows>,
    /// Norms at every step of the epoch; absent at capture points inside an epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<LayerSteps>,
}

/// What a layer put out. Present for layers that are followed by a nonlinearity or give the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Activations {
    /// What goes into the nonlinearity, over units and samples of the captured batch.
    pub pre: Distribution,
    /// What comes out of it.
    pub post: Distribution,
    /// Units (for a convolution: channels).
    pub units: u64,
    /// Standard deviation of the pre-activation over the samples, root mean square over units.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub pre_sample_std: f64,
    /// Standard deviation of the output over the samples, root mean square over units.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub post_sample_std: f64,
    /// Share of unit-samples where the nonlinearity's slope is below 5% of its largest; `None` for
    /// those that do not saturate.
    pub saturated_fraction: Option<f64>,
    /// How often units fired; only for ReLU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firing: Option<Firing>,
    /// How alive each unit is; of hidden layers that are not ReLU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
    /// What the outputs of a sample add up to; of the layer that gives a model's outputs, where there are
    /// several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_sum: Option<OutputSum>,
    /// What adding up with other ranks needs; only in the record of one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_unit: Option<Box<PerUnit>>,
}

/// How often each unit of a ReLU layer fired (pre-activation above zero).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Firing {
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

impl Firing {
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

/// How many units of a layer got a gradient of exactly zero, in every value of their row of weights and of
/// their bias, in every batch of an epoch. Units that are silent do, and so do those that are saturated for
/// good, or whose output nothing looks at: an indirect test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ZeroRows {
    /// Such units.
    pub zero: u64,
    /// Units of the layer.
    pub units: u64,
    /// Batches of the epoch.
    pub batches: u64,
}

/// L2 norms of a layer's weight over the steps of an epoch; `None` where no value was finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerSteps {
    /// ‖W‖ before the update.
    pub weight_l2: Option<Spread>,
    /// ‖g‖, before clipping.
    pub grad_l2: Option<Spread>,
    /// ‖ΔW‖.
    pub update_l2: Option<Spread>,
    /// cos(ΔW, −W): 1 where a step does nothing but shrink the weight; only with weight decay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shrinking: Option<Spread>,
}
