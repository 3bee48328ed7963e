//! The types that `summary.json` is made of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnose::{Finding, NotMeasured, Verdict};
use crate::record::{EarlyStop, LayerKind, Run, Task, TestResult, number};
use crate::report::ReportError;

/// Name and version of the format.
pub const SCHEMA: &str = "gradscope.summary/1";
/// Its place in the report directory.
pub const FILE_NAME: &str = "summary.json";

/// The quantiles in [`DistributionSummary::q`].
pub const QUANTILES: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/// A run in one JSON document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Name and version of the format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// Version of gradscope that made the record.
    pub gradscope: String,
    /// Version of the tensor library, where one was used.
    pub libtorch: Option<String>,
    /// The run, and how it went.
    pub run: RunSummary,
    /// The verdict in one word.
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub headline: String,
    /// The findings, worst first.
    pub findings: Vec<Finding>,
    /// Rules that could not be evaluated: never the same as passed.
    pub not_measured: Vec<NotMeasured>,
    /// In forward order.
    pub layers: Vec<LayerSummary>,
    /// The captured epochs.
    pub epochs: Vec<EpochSummary>,
    /// Where layers list fewer epochs than were captured, so that a long run's summary stays short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_epochs: Option<Listed>,
    /// On the test set, with the parameters of the best dev score (of a program that keeps running
    /// statistics: with the last).
    pub test: Option<TestResult>,
}

/// How a run was set up, and how it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSummary {
    /// The command line, word by word.
    pub command: Vec<String>,
    /// Git commit of the program that trained.
    pub commit: String,
    /// How the model was trained, as the record has it.
    #[serde(flatten)]
    pub settings: Run,
    /// Parameters of all layers.
    pub parameters: u64,
    /// As `--data` spells it.
    pub data: String,
    /// Classification or regression.
    pub task: Task,
    /// Rows trained on.
    pub train: u64,
    /// Rows held out to choose by.
    pub dev: u64,
    /// Rows held out to the end.
    pub test: u64,
    /// Mean loss of the best constant prediction.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub chance_loss: f64,
    /// The meaning of a score: accuracy, or minus the mean squared error. Higher is better.
    pub score: String,
    /// Whole epochs done.
    pub epochs_done: u64,
    /// Optimizer steps done.
    pub steps_done: u64,
    /// How it ended.
    pub outcome: RunOutcome,
    /// That it finished before all of its epochs, since the dev score no longer rose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<EarlyStop>,
    /// Seconds of training, capture included; unknown of a killed run.
    pub wall_s: Option<f64>,
    /// Time for measuring and writing, as a share of the time for training alone.
    pub capture_overhead: Option<f64>,
}

/// How a run ended, as far as its record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunOutcome {
    /// All epochs were trained.
    Finished,
    /// Stopped by SIGINT.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
    /// The record just stops.
    Killed,
}

/// How many captured epochs layers list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// In `layers`: the first, the last, and evenly chosen ones between.
    pub listed: u64,
    /// In the record.
    pub captured: u64,
}

/// A layer over the captured epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerSummary {
    /// Its name, which is unique.
    pub name: String,
    /// The operation that it computes.
    pub kind: LayerKind,
    /// Shape of its weight, output dimension first.
    pub shape: Vec<u64>,
    /// Parameters, bias included.
    pub parameters: u64,
    /// Whether the optimizer was to change it.
    pub trainable: bool,
    /// Names of the rules with a finding about it.
    pub status: Vec<String>,
    /// One entry a captured epoch.
    pub epochs: Vec<LayerEpoch>,
}

/// A layer at the captured step of an epoch: after backward, before the update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerEpoch {
    /// Number, from 0.
    pub epoch: u64,
    /// The values of its weight.
    pub weight: DistributionSummary,
    /// The values of its bias.
    pub bias: Option<DistributionSummary>,
    /// Gradient of the weight, before any clipping.
    pub weight_grad: Option<DistributionSummary>,
    /// Gradient of the bias.
    pub bias_grad: Option<DistributionSummary>,
    /// ‖ΔW‖ / max(‖W‖, 0.1·√units).
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub update_ratio: Option<f64>,
    /// ‖W‖·‖g‖ / loss, with medians over the epoch's steps; only of matrices.
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub elasticity: Option<f64>,
    /// L2 norm of the loss's gradient with respect to the layer's output.
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub signal_l2: Option<f64>,
    /// Its output.
    pub activation: Option<ActivationSummary>,
}

/// The output of a layer, after its nonlinearity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActivationSummary {
    /// Mean of the finite values.
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub mean: Option<f64>,
    /// Standard deviation of the finite values.
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub std: Option<f64>,
    /// Share of values that are exactly 0.
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub zero_fraction: Option<f64>,
    /// Units that never fired; only of ReLU.
    pub dead_units: Option<u64>,
    /// Number of units.
    pub units: u64,
    /// Share of unit-samples where the slope is below 5% of its largest; only of what saturates.
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub saturated_fraction: Option<f64>,
}

/// The distribution of one tensor's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DistributionSummary {
    /// Number of all values.
    pub count: u64,
    /// L2 norm; NaN if any value is.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub l2: f64,
    /// Mean of the finite values; `None` if there is none, as for the others.
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub mean: Option<f64>,
    /// Sample standard deviation.
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub std: Option<f64>,
    /// Smallest finite value.
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub min: Option<f64>,
    /// Largest finite value.
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub max: Option<f64>,
    /// [`QUANTILES`] of the finite values; none where only moments were kept.
    pub q: Option<[f64; QUANTILES.len()]>,
    /// Number of exact zeros.
    pub zeros: u64,
    /// Number of NaN values.
    pub nan: u64,
    /// Infinities of either sign.
    pub inf: u64,
}

/// An epoch of the whole model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EpochSummary {
    /// Number, from 0.
    pub epoch: u64,
    /// Number of its last step in the run.
    pub step: u64,
    /// Whether the run was stopped inside it.
    pub partial: bool,
    /// Learning rate; NaN where it is unknown.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub lr: f64,
    /// Mean loss over its batches, as they were trained on.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub train_loss: f64,
    /// Loss on the dev set after the epoch.
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub dev_loss: Option<f64>,
    /// Score on the training set after the epoch.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub train_score: f64,
    /// Score on the dev set after the epoch.
    #[serde(with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub dev_score: Option<f64>,
    /// Loss on the test set after the epoch; nothing was chosen by it.
    #[serde(default, with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub test_loss: Option<f64>,
    /// Score on the test set after the epoch.
    #[serde(default, with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub test_score: Option<f64>,
    /// L2 norm of the gradient of all parameters at the captured step, before clipping.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub grad_l2: f64,
}

impl Summary {
    /// As it stands in the file: indented, one newline at the end.
    ///
    /// # Errors
    /// [`ReportError::Json`], which no summary is known to cause.
    pub fn to_json(&self) -> Result<String, ReportError> {
        let mut text = serde_json::to_string_pretty(self).map_err(ReportError::Json)?;
        text.push('\n');
        Ok(text)
    }
}
