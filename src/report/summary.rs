//! `summary.json`: the whole verdict with the numbers behind it, for machines.
//!
//! The names are a contract: scripts read them. Numbers that may not be finite are written through
//! [`number`], so that a NaN is a string and never a `null`.

use serde::{Deserialize, Serialize};

use super::{File, Input, ReportError, measures};
use crate::diagnose::{Diagnosis, Finding, NotMeasured, Verdict};
use crate::record::{
    Activations, Epoch, Layer, LayerCapture, LayerKind, Loss, Outcome, Record, Task, TestResult, number,
};
use crate::stats::Distribution;

/// Name and version of the format.
pub const SCHEMA: &str = "gradscope.summary/1";
/// Its place in the report directory.
pub const FILE_NAME: &str = "summary.json";

/// The quantiles in [`DistributionSummary::q`].
pub const QUANTILES: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/// A run in one JSON document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of gradscope that made the record.
    pub gradscope: String,
    /// Version of the tensor library, where one was used.
    pub libtorch: Option<String>,
    /// What was run, and how it went.
    pub run: RunSummary,
    /// The verdict in one word.
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub headline: String,
    /// Worst first.
    pub findings: Vec<Finding>,
    /// Rules that could not be evaluated: never the same as passed.
    pub not_measured: Vec<NotMeasured>,
    /// In forward order.
    pub layers: Vec<LayerSummary>,
    /// Captured epochs.
    pub epochs: Vec<EpochSummary>,
    /// On the test set, with the parameters of the best dev score.
    pub test: Option<TestResult>,
}

/// How a run was set up, and how it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The command line, word by word.
    pub command: Vec<String>,
    /// Git commit of the program that trained.
    pub commit: String,
    /// Name of the model.
    pub model: String,
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
    pub chance_loss: f64,
    /// What is minimised.
    pub loss: Loss,
    /// What a score is: accuracy, or minus the mean squared error. Higher is better.
    pub score: String,
    /// Seed of everything that is drawn.
    pub seed: i64,
    /// Epochs asked for.
    pub epochs: u64,
    /// Whole epochs done.
    pub epochs_done: u64,
    /// Optimizer steps done.
    pub steps_done: u64,
    /// Optimizer steps an epoch.
    pub steps_per_epoch: u64,
    /// Name of the optimizer.
    pub optimizer: String,
    /// Learning rate at the start.
    pub lr: f64,
    /// Momentum; 0 for none.
    pub momentum: f64,
    /// Weight decay; 0 for none.
    pub weight_decay: f64,
    /// Largest global L2 norm of the gradient that is let through, if clipped.
    pub clip_norm: Option<f64>,
    /// Rows a batch.
    pub batch_size: u64,
    /// Initialiser of the weights.
    pub init: String,
    /// Initialiser of the biases.
    pub bias: String,
    /// Activation between layers.
    pub activation: String,
    /// Normalisation.
    pub norm: String,
    /// Dropout probability; 0 for none.
    pub dropout: f64,
    /// Where it ran.
    pub device: String,
    /// Threads of the tensor library.
    pub threads: u64,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Seconds of training, capture included; unknown of a killed run.
    pub wall_s: Option<f64>,
    /// Time for measuring and writing, as a share of the time for training alone.
    pub capture_overhead: Option<f64>,
}

/// How a run ended, as far as its record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunOutcome {
    /// All epochs were trained.
    Finished,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// The record just stops.
    Killed,
}

impl RunOutcome {
    /// Of this record.
    pub fn of(record: &Record) -> Self {
        match record.end.as_ref().map(|end| end.outcome) {
            Some(Outcome::Finished) => Self::Finished,
            Some(Outcome::Interrupted) => Self::Interrupted,
            Some(Outcome::Terminated) => Self::Terminated,
            None => Self::Killed,
        }
    }
}

/// A layer over the captured epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerSummary {
    /// Unique name.
    pub name: String,
    /// What it computes.
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerEpoch {
    /// Number, from 0.
    pub epoch: u64,
    /// Its weight.
    pub weight: DistributionSummary,
    /// Its bias.
    pub bias: Option<DistributionSummary>,
    /// Gradient of the weight, before any clipping.
    pub weight_grad: Option<DistributionSummary>,
    /// Gradient of the bias.
    pub bias_grad: Option<DistributionSummary>,
    /// ‖ΔW‖ / max(‖W‖, 0.1·√units).
    #[serde(with = "number::option")]
    pub update_ratio: Option<f64>,
    /// ‖W‖·‖g‖ / loss, with medians over the epoch's steps; only of matrices.
    #[serde(with = "number::option")]
    pub elasticity: Option<f64>,
    /// L2 norm of the loss's gradient with respect to the layer's output.
    #[serde(with = "number::option")]
    pub signal_l2: Option<f64>,
    /// What it put out.
    pub activation: Option<ActivationSummary>,
}

/// What a layer put out, after its nonlinearity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivationSummary {
    /// Mean of the finite values.
    #[serde(with = "number::option")]
    pub mean: Option<f64>,
    /// Standard deviation of the finite values.
    #[serde(with = "number::option")]
    pub std: Option<f64>,
    /// Share of values that are exactly 0.
    #[serde(with = "number::option")]
    pub zero_fraction: Option<f64>,
    /// Units that never fired; only of ReLU.
    pub dead_units: Option<u64>,
    /// Units.
    pub units: u64,
    /// Share of unit-samples where the slope is below 5% of its largest; only of what saturates.
    #[serde(with = "number::option")]
    pub saturated_fraction: Option<f64>,
}

/// What one tensor's values look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistributionSummary {
    /// All values.
    pub count: u64,
    /// L2 norm; NaN if any value is.
    #[serde(with = "number")]
    pub l2: f64,
    /// Mean of the finite values; `None` if there is none, as for the others.
    #[serde(with = "number::option")]
    pub mean: Option<f64>,
    /// Sample standard deviation.
    #[serde(with = "number::option")]
    pub std: Option<f64>,
    /// Smallest finite value.
    #[serde(with = "number::option")]
    pub min: Option<f64>,
    /// Largest finite value.
    #[serde(with = "number::option")]
    pub max: Option<f64>,
    /// [`QUANTILES`] of the finite values.
    pub q: Option<[f64; QUANTILES.len()]>,
    /// Exact zeros.
    pub zeros: u64,
    /// NaN values.
    pub nan: u64,
    /// Infinities of either sign.
    pub inf: u64,
}

/// An epoch of the whole model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochSummary {
    /// Number, from 0.
    pub epoch: u64,
    /// Number of its last step in the run.
    pub step: u64,
    /// Whether the run was stopped inside it.
    pub partial: bool,
    /// Learning rate.
    pub lr: f64,
    /// Mean loss over its batches, as they were trained on.
    #[serde(with = "number")]
    pub train_loss: f64,
    /// Loss on the dev set after the epoch.
    #[serde(with = "number::option")]
    pub dev_loss: Option<f64>,
    /// Score on the training set after the epoch.
    #[serde(with = "number")]
    pub train_score: f64,
    /// Score on the dev set after the epoch.
    #[serde(with = "number::option")]
    pub dev_score: Option<f64>,
    /// L2 norm of the gradient of all parameters at the captured step, before clipping.
    #[serde(with = "number")]
    pub grad_l2: f64,
}

/// The file of this format.
pub(super) fn files(input: &Input) -> Result<Vec<File>, ReportError> {
    Ok(vec![File::new(FILE_NAME, input.summary.to_json()?)])
}

impl Summary {
    /// Of a run and what is said about it.
    pub fn of(record: &Record, diagnosis: &Diagnosis) -> Self {
        let header = &record.header;
        let layers = header.layers.iter().enumerate();
        Self {
            schema: SCHEMA.into(),
            gradscope: header.gradscope.clone(),
            libtorch: header.libtorch.clone(),
            run: RunSummary::of(record),
            verdict: diagnosis.verdict,
            headline: diagnosis.headline.clone(),
            findings: diagnosis.findings.clone(),
            not_measured: diagnosis.not_measured.clone(),
            layers: layers.map(|(i, layer)| LayerSummary::of(i, layer, record, diagnosis)).collect(),
            epochs: record.epochs.iter().map(EpochSummary::of).collect(),
            test: record.end.as_ref().and_then(|end| end.test),
        }
    }

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

impl RunSummary {
    fn of(record: &Record) -> Self {
        let header = &record.header;
        let (run, data, end) = (header.run.clone(), &header.data, record.end.as_ref());
        Self {
            command: header.command.clone(),
            commit: header.commit.clone(),
            model: run.model,
            parameters: header.layers.iter().map(|l| l.parameters).sum(),
            data: data.name.clone(),
            task: data.task,
            train: data.train,
            dev: data.dev,
            test: data.test,
            chance_loss: data.chance_loss,
            loss: run.loss,
            score: data.task.score_name().into(),
            seed: run.seed,
            epochs: run.epochs,
            epochs_done: end.map_or_else(|| epochs_seen(record), |e| e.epochs_done),
            steps_done: end.map_or_else(|| steps_seen(record), |e| e.steps_done),
            steps_per_epoch: run.steps_per_epoch,
            optimizer: run.optimizer,
            lr: run.lr,
            momentum: run.momentum,
            weight_decay: run.weight_decay,
            clip_norm: run.clip_norm,
            batch_size: run.batch_size,
            init: run.init,
            bias: run.bias,
            activation: run.activation,
            norm: run.norm,
            dropout: run.dropout,
            device: run.device,
            threads: run.threads,
            outcome: RunOutcome::of(record),
            wall_s: end.map(|e| e.wall_s),
            capture_overhead: end
                .map(|e| e.capture_s / (e.wall_s - e.capture_s))
                .filter(|share| share.is_finite() && *share >= 0.0),
        }
    }
}

/// Whole epochs that a record without an end is known to hold.
fn epochs_seen(record: &Record) -> u64 {
    let captured = record.epochs.iter().rfind(|e| !e.partial).map_or(0, |e| e.epoch + 1);
    // Epochs are captured ever more rarely in a long run, but steps are always there.
    captured.max(record.steps.last().map_or(0, |s| s.epoch))
}

fn steps_seen(record: &Record) -> u64 {
    let captured = record.epochs.last().map_or(0, |e| e.step + 1);
    captured.max(record.steps.last().map_or(0, |s| s.step + s.steps))
}

impl LayerSummary {
    fn of(index: usize, layer: &Layer, record: &Record, diagnosis: &Diagnosis) -> Self {
        let epoch = |e: &Epoch| Some(LayerEpoch::of(layer, e, e.layers.get(index)?));
        Self {
            name: layer.name.clone(),
            kind: layer.kind,
            shape: layer.shape.clone(),
            parameters: layer.parameters,
            trainable: layer.trainable,
            status: findings_of(layer, diagnosis).map(|f| f.rule.clone()).collect(),
            epochs: record.epochs.iter().filter_map(epoch).collect(),
        }
    }
}

/// The findings about a layer, worst first.
pub(super) fn findings_of<'a>(
    layer: &'a Layer,
    diagnosis: &'a Diagnosis,
) -> impl Iterator<Item = &'a Finding> {
    let about = |f: &&Finding| f.layer.as_ref() == Some(&layer.name) || f.layers.contains(&layer.name);
    diagnosis.findings.iter().filter(about)
}

impl LayerEpoch {
    fn of(layer: &Layer, epoch: &Epoch, captured: &LayerCapture) -> Self {
        let optional = |d: &Option<Distribution>| d.as_ref().map(DistributionSummary::of);
        Self {
            epoch: epoch.epoch,
            weight: DistributionSummary::of(&captured.weight),
            bias: optional(&captured.bias),
            weight_grad: optional(&captured.weight_grad),
            bias_grad: optional(&captured.bias_grad),
            update_ratio: measures::update_ratio(layer, captured),
            elasticity: measures::elasticity(layer, captured, epoch.train_loss),
            signal_l2: captured.signal_l2,
            activation: captured.activations.as_ref().map(ActivationSummary::of),
        }
    }
}

impl ActivationSummary {
    fn of(activations: &Activations) -> Self {
        let post = &activations.post;
        Self {
            mean: post.mean(),
            std: post.std(),
            zero_fraction: (post.count() > 0).then(|| post.zeros() as f64 / post.count() as f64),
            dead_units: activations.firing.as_ref().map(|f| f.dead_units()),
            units: activations.units,
            saturated_fraction: activations.saturated_fraction,
        }
    }
}

impl DistributionSummary {
    fn of(d: &Distribution) -> Self {
        let q = QUANTILES.map(|q| d.quantile(q).unwrap_or(f64::NAN));
        Self {
            count: d.count(),
            l2: d.l2(),
            mean: d.mean(),
            std: d.std(),
            min: d.min(),
            max: d.max(),
            q: (d.finite() > 0).then_some(q),
            zeros: d.zeros(),
            nan: d.nan(),
            inf: d.infinities(),
        }
    }
}

impl EpochSummary {
    fn of(epoch: &Epoch) -> Self {
        Self {
            epoch: epoch.epoch,
            step: epoch.step,
            partial: epoch.partial,
            lr: epoch.lr,
            train_loss: epoch.train_loss,
            dev_loss: epoch.dev_loss,
            train_score: epoch.train_score,
            dev_score: epoch.dev_score,
            grad_l2: epoch.grad_l2,
        }
    }
}
