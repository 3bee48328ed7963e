//! A run, resolved: what to train on what, and how.

use tch::Device;

use super::blueprint::Blueprint;
use super::capture::Capture;
use super::data::{DataOptions, DataSource, Dataset};
use super::decay::LrDecay;
use super::device;
use super::model::{Model, Plan};
use super::optimizer::OptimizerSettings;
use super::script::Loaded;
use crate::record::{Data, Header, Layer, Loss, Packing, Run, SCHEMA, TORCHSCRIPT};

/// A whole run, resolved: nothing is left to guess.
#[derive(Clone, Debug)]
pub struct Config {
    /// The model, with every override applied.
    pub model: Blueprint,
    /// Where rows come from.
    pub source: DataSource,
    /// What is asked of them.
    pub data: DataOptions,
    /// What is minimised; the usual for the data where left out.
    pub loss: Option<Loss>,
    /// Optimizer.
    pub optimizer: OptimizerSettings,
    /// Clip the gradient's global L2 norm to this.
    pub clip_norm: Option<f64>,
    /// Clip every value of the gradient to this magnitude.
    pub clip_value: Option<f64>,
    /// How the learning rate falls; as it is written and what it means.
    pub lr_decay: Option<(String, LrDecay)>,
    /// Passes over the training set.
    pub epochs: u64,
    /// Epochs without a better dev score after which to stop.
    pub patience: Option<u64>,
    /// Keep the best parameters, and the state to go on from.
    pub save_model: bool,
    /// Rows of a step.
    pub batch_size: BatchSize,
    /// Seed of everything that is drawn.
    pub seed: i64,
    /// Where to run.
    pub device: Device,
    /// Threads; by the size of the work where left out.
    pub threads: Option<u64>,
    /// Capture everything at every K-th step too.
    pub capture_every: Option<u64>,
    /// How the record is compressed.
    pub packing: Packing,
    /// What is measured.
    pub capture: Capture,
    /// The command line, for the record.
    pub command: Vec<String>,
}

/// Rows of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// The whole training set.
    Full,
    /// So many (the last batch of an epoch may have fewer).
    Rows(u64),
}

impl Config {
    /// The learning rate of an epoch.
    pub(super) fn lr(&self, epoch: u64) -> f64 {
        let start = self.optimizer.lr;
        self.lr_decay.as_ref().map_or(start, |(_, decay)| decay.lr(start, epoch, self.epochs))
    }

    /// What the record's first line says of this run.
    pub(super) fn header(&self, dataset: &Dataset, sketch: Sketch, batch: u64, threads: u64) -> Header {
        Header {
            schema: SCHEMA.into(),
            gradscope: env!("CARGO_PKG_VERSION").into(),
            commit: gradscope_core::COMMIT.into(),
            libtorch: Some(super::libtorch_version().into()),
            command: self.command.clone(),
            run: Run {
                model: self.model.name().to_owned(),
                format: sketch.format,
                loss: dataset.loss,
                seed: self.seed,
                epochs: self.epochs,
                patience: self.patience,
                optimizer: self.optimizer.name().into(),
                lr: self.optimizer.lr,
                momentum: self.optimizer.momentum,
                weight_decay: self.optimizer.weight_decay,
                clip_norm: self.clip_norm,
                clip_value: self.clip_value,
                lr_decay: self.lr_decay.as_ref().map(|(text, _)| text.clone()),
                batch_size: batch,
                steps_per_epoch: dataset.info.train.div_ceil(batch),
                init: sketch.init,
                bias: sketch.bias,
                activation: sketch.activation,
                lrelu_slope: sketch.lrelu_slope,
                norm: sketch.norm,
                dropout: sketch.dropout,
                device: device::name(self.device),
                threads,
                capture: Some(self.capture).filter(|c| *c != Capture::default()).map(|c| c.to_string()),
                quantiles_of: None,
            },
            data: Data {
                // Numbers of words have no size.
                input_rms: if sketch.takes_words { f64::NAN } else { dataset.info.input_rms },
                ..dataset.info.clone()
            },
            layers: sketch.layers,
            ranks: None,
        }
    }
}

/// What a record's first line says of a model.
pub struct Sketch {
    format: Option<String>,
    layers: Vec<Layer>,
    init: String,
    bias: String,
    activation: String,
    lrelu_slope: f64,
    norm: String,
    dropout: f64,
    takes_words: bool,
}

impl Sketch {
    /// Of one that is described.
    pub fn of_model(model: &Model, plan: &Plan) -> Self {
        Self {
            format: None,
            layers: plan.layers.iter().map(|l| l.layer.clone()).collect(),
            init: plan.init_text(|(weight, _)| weight),
            bias: plan.init_text(|(_, bias)| bias),
            activation: model.activation(),
            lrelu_slope: model.lrelu_slope,
            norm: model.norm(),
            dropout: model.dropout(),
            takes_words: plan.words.is_some(),
        }
    }

    /// Of a program, of which little more is known than its layers.
    pub fn of_program(program: &Loaded, data: &Dataset) -> Self {
        let unknown = Run::of("", data.loss, 0, 0);
        let as_saved = || "as saved".to_owned();
        Self {
            format: Some(TORCHSCRIPT.into()),
            layers: program.layers.clone(),
            init: as_saved(),
            bias: as_saved(),
            activation: unknown.activation.clone(),
            lrelu_slope: unknown.lrelu_slope,
            norm: "unknown".into(),
            dropout: unknown.dropout,
            takes_words: false,
        }
    }
}
