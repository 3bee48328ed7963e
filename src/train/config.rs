//! A run, resolved: what to train on what, and how.

use tch::Device;

use super::data::{DataOptions, DataSource, Dataset};
use super::device;
use super::model_metadata::ModelMetadata;
use super::model_source::ModelSource;
use super::session::LrDecay;
use crate::record::settings::TrainingSettings;
use crate::record::{CaptureSettings, Compression, Data, Header, Loss, Run, SCHEMA};

/// A whole run, resolved: nothing is left to guess.
#[derive(Clone, Debug)]
pub struct Config {
    /// The model, with every override applied.
    pub model: ModelSource,
    /// Where rows come from.
    pub source: DataSource,
    /// Options of the data.
    pub data: DataOptions,
    /// The loss; the usual for the data where left out.
    pub loss: Option<Loss>,
    /// Optimizer, clipping, length and seed.
    pub training: TrainingSettings,
    /// How the learning rate falls; as it is written and what it means.
    pub lr_decay: Option<(String, LrDecay)>,
    /// Keep the best parameters, and the state to go on from.
    pub save_model: bool,
    /// Rows of a step.
    pub batch_size: BatchSize,
    /// Where to run.
    pub device: Device,
    /// Threads; by the size of the work where left out.
    pub threads: Option<u64>,
    /// Capture everything at every K-th step too.
    pub capture_every: Option<u64>,
    /// How the record is compressed.
    pub packing: Compression,
    /// Settings of what is measured.
    pub capture: CaptureSettings,
    /// The command line, for the record.
    pub command: Vec<String>,
}

/// Rows of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// The whole training set.
    Full,
    /// So many (the last batch of an epoch may have fewer).
    Samples(u64),
}

impl Config {
    /// Returns the settings of a training of this model on this data, on the CPU in batches of all samples; the rest
    /// as where no flag is given.
    pub fn new(model: ModelSource, source: DataSource, training: TrainingSettings) -> Self {
        Self {
            model,
            source,
            data: DataOptions::default(),
            loss: None,
            training,
            lr_decay: None,
            save_model: false,
            batch_size: BatchSize::Full,
            device: Device::Cpu,
            threads: None,
            capture_every: None,
            packing: Compression::default(),
            capture: CaptureSettings::default(),
            command: Vec::new(),
        }
    }

    /// The learning rate of an epoch.
    pub(super) fn lr(&self, epoch: u64) -> f64 {
        let start = self.training.lr;
        self.lr_decay.as_ref().map_or(start, |(_, decay)| decay.lr(start, epoch, self.training.epochs))
    }

    /// Returns the record's first line for this run.
    pub(super) fn header(&self, dataset: &Dataset, model: ModelMetadata, batch: u64, threads: u64) -> Header {
        Header {
            schema: SCHEMA.into(),
            gradscope: env!("CARGO_PKG_VERSION").into(),
            commit: gradscope_core::COMMIT.into(),
            libtorch: Some(super::libtorch_version().into()),
            command: self.command.clone(),
            run: Run {
                model: self.model.name().to_owned(),
                format: model.format,
                loss: dataset.loss,
                training: self.training.clone(),
                lr_decay: self.lr_decay.as_ref().map(|(text, _)| text.clone()),
                batch_size: batch,
                steps_per_epoch: dataset.info.train.div_ceil(batch),
                init: model.init,
                bias: model.bias,
                activation: model.activation,
                lrelu_slope: model.lrelu_slope,
                norm: model.norm,
                dropout: model.dropout,
                device: device::name(self.device),
                threads,
                capture: Some(self.capture)
                    .filter(|c| *c != CaptureSettings::default())
                    .map(|c| c.to_string()),
                quantiles_of: None,
            },
            data: Data {
                // Numbers of tokens have no size.
                input_rms: if model.takes_token_ids { f64::NAN } else { dataset.info.input_rms },
                ..dataset.info.clone()
            },
            layers: model.layers,
            ranks: None,
        }
    }
}
