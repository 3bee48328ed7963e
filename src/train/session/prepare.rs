//! Prepares a run: everything that it needs before anything is drawn, with its checks.

use tch::Device;

use crate::train::TrainError;
use crate::train::config::{BatchSize, Config};
use crate::train::data::Dataset;
use crate::train::model::{Model, Plan};
use crate::train::model_metadata::ModelMetadata;
use crate::train::model_source::ModelSource;
use crate::train::network::{Network, Objective};
use crate::train::optimizer::OptimizerSettings;
use crate::train::script::{Loaded, Trial};

/// Names that a message lists, at most.
const MAX_LISTED: usize = 8;

/// Everything that a run needs before anything is drawn.
pub struct Prepared {
    pub dataset: Dataset,
    /// Samples of a step.
    pub batch: i64,
    pub model: PreparedModel,
    pub optimizer: OptimizerSettings,
}

/// A model that is ready to be built.
pub enum PreparedModel {
    /// A description, laid out.
    Model { model: Box<Model>, plan: Box<Plan> },
    /// A program, what its outputs are, and which parameters of it the loss does not depend on.
    Program { loaded: Loaded, probabilities: bool, unreached: Vec<String> },
}

impl PreparedModel {
    pub fn metadata(&self, dataset: &Dataset) -> ModelMetadata {
        match self {
            Self::Model { model, plan } => ModelMetadata::from_plan(model, plan),
            Self::Program { loaded, .. } => ModelMetadata::from_program(loaded, dataset),
        }
    }

    pub fn objective(&self, dataset: &Dataset) -> Objective {
        let (loss, task) = (dataset.loss, dataset.info.task);
        match self {
            Self::Model { model, .. } => Objective::new(loss, task, model.output()),
            Self::Program { probabilities, .. } => Objective { loss, task, probabilities: *probabilities },
        }
    }

    pub fn build(self, device: Device, batch: i64) -> Network {
        match self {
            Self::Model { plan, .. } => Network::new(&plan, device),
            Self::Program { loaded, .. } => Network::from_program(loaded, device, batch),
        }
    }
}

/// Names of parameters, the first few where they are many.
pub fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(MAX_LISTED).map(String::as_str).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Reads the data, lays out the network, and checks that the one fits the other.
pub fn prepare(config: &Config) -> Result<Prepared, TrainError> {
    let optimizer = OptimizerSettings::new(&config.training)?;
    let dataset = config.source.dataset(&config.data, config.loss, config.training.seed, config.device)?;
    let rows = dataset.train.len();
    let batch = match config.batch_size {
        BatchSize::Full => rows,
        BatchSize::Samples(n) => (n as i64).min(rows),
    };
    check_patience(config, &dataset)?;
    let model = match &config.model {
        ModelSource::Model(model) => {
            let model = model.for_loss(dataset.loss);
            let plan = Plan::new(&model, model.sizes_for(&dataset))?;
            check_batch_norm(&plan, rows, batch)?;
            plan.check_token_ids(&dataset)?;
            PreparedModel::Model { model: Box::new(model), plan: Box::new(plan) }
        }
        ModelSource::Script(script) => {
            let loaded = script.load(&dataset, config.device)?;
            check_can_be_saved(config, &loaded)?;
            let Trial { probabilities, unreached } = script.try_out(&dataset, batch, config.device)?;
            PreparedModel::Program { loaded, probabilities, unreached }
        }
    };
    Ok(Prepared { dataset, batch, model, optimizer })
}

/// Refuses to save what cannot be read, and so neither kept nor gone on with.
fn check_can_be_saved(config: &Config, program: &Loaded) -> Result<(), TrainError> {
    if !config.save_model || program.buffers.is_empty() {
        return Ok(());
    }
    Err(TrainError::Settings(format!(
        "--save-model: {} keeps tensors beside its parameters ({}), which cannot be read from TorchScript, so that \
         what is saved would not be the model: leave it out",
        config.model.name(),
        listed(&program.buffers)
    )))
}

/// Early stopping goes by the dev set.
fn check_patience(config: &Config, dataset: &Dataset) -> Result<(), TrainError> {
    if config.training.patience.is_none() || dataset.dev.is_some() {
        return Ok(());
    }
    Err(TrainError::Settings(format!(
        "--patience goes by the dev set, and there is none in this split of {}: add one, such as --split 0.6,0.2,0.2",
        dataset.info.name
    )))
}

/// Batch statistics of a single row are undefined; PyTorch refuses them in the middle of a run.
fn check_batch_norm(plan: &Plan, rows: i64, batch: i64) -> Result<(), TrainError> {
    let lonely = |batch: i64| batch == 1 || rows % batch == 1;
    let Some(norm) = plan.batch_norm.as_ref().filter(|_| lonely(batch)) else { return Ok(()) };
    let advice = match (batch + 1..=rows).find(|b| !lonely(*b)) {
        Some(better) => format!("use --batch-size {better}"),
        None => "use more rows".into(),
    };
    Err(TrainError::Settings(format!(
        "batch normalisation ({norm}) needs at least 2 rows a batch, but --batch-size {batch} leaves a batch of 1 of \
         {rows} rows: {advice}",
    )))
}
