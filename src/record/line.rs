//! The four kinds of line of a record, and what follows the first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boundary::Boundary;
use super::envelope::Envelope;
use super::header::Header;
use super::layer::LayerCapture;
use super::number;

/// One line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Line {
    /// First: what was run, on what, with which layers.
    Header(Box<Header>),
    /// One optimizer step, or the envelope of several.
    Step(Step),
    /// The state at a captured epoch's last step, and the scores after it.
    Epoch(Epoch),
    /// Last: how the run ended. Missing where it was killed.
    End(End),
}

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

/// L2 norms of one layer's weight at one step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepLayer {
    /// ‖W‖ before the update.
    pub weight_l2: Envelope,
    /// ‖g‖, before clipping.
    pub grad_l2: Envelope,
    /// ‖ΔW‖, the update that the optimizer made.
    pub update_l2: Envelope,
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

/// The state at an epoch's last step (after backward, before the update), and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Epoch {
    /// Number, from 0.
    pub epoch: u64,
    /// Number of its last step in the run.
    pub step: u64,
    /// The file that the numbers were taken from, where it was a checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The run was stopped inside this epoch; it counts the batches until then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Learning rate; NaN where it is unknown.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub lr: f64,
    /// Mean loss over its batches, as they were trained on.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub train_loss: f64,
    /// Score on the training set after the epoch, evaluation mode; NaN where it was not measured.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub train_score: f64,
    /// Loss on the dev set after the epoch, evaluation mode; `None` without a dev set.
    #[serde(default, with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub dev_loss: Option<f64>,
    /// Score on the dev set.
    #[serde(default, with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub dev_score: Option<f64>,
    /// Loss on the test set, only to be looked at: nothing is chosen by it.
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub test_loss: Option<f64>,
    /// Score on the test set.
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub test_score: Option<f64>,
    /// L2 norm of the gradient of all parameters at the captured step, before clipping.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub grad_l2: f64,
    /// The layers, in the header's order.
    pub layers: Vec<LayerCapture>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// Finished, or stopped by whom.
    pub outcome: Outcome,
    /// Whole epochs done.
    pub epochs_done: u64,
    /// Optimizer steps done.
    pub steps_done: u64,
    /// Seconds of training, capture included.
    pub wall_s: f64,
    /// Seconds of these that went into measuring and writing.
    pub capture_s: f64,
    /// On the test set, with the parameters of the best dev score (of a program that keeps running
    /// statistics: with the last); `None` without a test set.
    pub test: Option<TestResult>,
    /// That it finished before all of its epochs, since the dev score no longer rose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<EarlyStop>,
    /// What the network answers on the plane of its two inputs, where it has two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Box<Boundary>>,
}

/// Why a run finished before all of its epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarlyStop {
    /// Epochs without a better dev score that were waited for.
    pub patience: u64,
    /// The last epoch with a better one.
    pub best_epoch: u64,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All epochs were trained.
    Finished,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

/// Loss and score on the test set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestResult {
    /// Mean loss.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub loss: f64,
    /// Accuracy, or minus the mean squared error.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub score: f64,
    /// Epoch after which the parameters were taken.
    pub epoch: u64,
}
