//! Turns the flags of `run` into a ready configuration: model defaults below, flags above.

use std::path::Path;

use gradscope::cli::args::{DataArgs, NetworkArgs, RunArgs, RunFlags};
use gradscope::record::settings::{OptimizerKind, Setting, TrainingSettings};
use gradscope::train::{
    BatchSize, CaptureSettings, Changes, Config, DataOptions, DataSource, Defaults, LrDecay, Model,
    ModelSource, OptimizerSettings, Script, TrainError, choose_device,
};

/// Resolves the flags of a run.
///
/// # Errors
/// [`TrainError`] for a name that there is not, or settings that do not go together.
pub fn config(args: &RunArgs, command: Vec<String>) -> Result<Config, TrainError> {
    // The command line demands one, but not of a record that says which.
    let name = args.model.as_deref().ok_or_else(|| TrainError::Settings("--model is missing".into()))?;
    let model = blueprint(name, &args.flags.network)?;
    let training = &args.flags.training;
    let defaults = &model.defaults();
    let source = source(&args.flags.data, &model)?;
    let batch_size = batch_size(training.batch_size.as_ref().unwrap_or(&defaults.batch_size))?;
    let settings = training_settings(&args.flags, defaults);
    // What does not go together is said before the data is read.
    OptimizerSettings::new(&settings)?;
    Ok(Config {
        source,
        data: data_options(&args.flags.data)?,
        loss: training.loss.or(defaults.loss),
        training: settings,
        lr_decay: training.lr_decay.as_deref().map(lr_decay).transpose()?,
        save_model: args.flags.length.save_model,
        batch_size,
        device: choose_device(&training.device)?,
        threads: training.threads,
        capture_every: training.capture_every,
        packing: training.record_compress,
        capture: capture(training.capture.as_deref(), &model)?,
        command,
        model,
    })
}

/// Returns what the record keeps of the flags about training.
fn training_settings(flags: &RunFlags, defaults: &Defaults) -> TrainingSettings {
    let (training, length) = (&flags.training, &flags.length);
    let optimizer: Setting<OptimizerKind> =
        training.optimizer.as_ref().unwrap_or(&defaults.optimizer).as_str().into();
    let usual_decay = optimizer.known().map_or(0.0, OptimizerKind::default_weight_decay);
    TrainingSettings {
        seed: training.seed.unwrap_or(0),
        epochs: length.epochs.unwrap_or(defaults.epochs),
        patience: length.patience,
        optimizer,
        lr: training.lr.unwrap_or(defaults.lr),
        momentum: training.momentum.unwrap_or(0.0),
        weight_decay: training.weight_decay.unwrap_or(usual_decay),
        clip_norm: training.clip_norm,
        clip_value: training.clip_value,
    }
}

/// Reads what is to be measured; inside of a program, activations cannot be seen.
fn capture(text: Option<&str>, model: &ModelSource) -> Result<CaptureSettings, TrainError> {
    let refused =
        |reason: &str| TrainError::Settings(format!("--capture {}: {reason}", text.unwrap_or_default()));
    let asked =
        text.map(|text| text.parse::<CaptureSettings>().map_err(|reason| refused(&reason))).transpose()?;
    match (model, asked) {
        (ModelSource::Model(_), asked) => Ok(asked.unwrap_or_default()),
        (ModelSource::Script(_), Some(CaptureSettings { activations: true, .. })) => Err(refused(
            "inside of a TorchScript program activations cannot be measured; leave it out, or choose \
             activations=off, norms or none",
        )),
        (ModelSource::Script(_), asked) => Ok(asked.unwrap_or(CaptureSettings::NO_ACTIVATIONS)),
    }
}

/// Finds the model: one that is described, or the program in a file, which takes no network flags.
fn blueprint(name: &str, network: &NetworkArgs) -> Result<ModelSource, TrainError> {
    if !Script::is_meant_by(name) {
        return Ok(model(name, network)?.into());
    }
    let given = [
        ("--hidden", network.hidden.is_some()),
        ("--act", network.act.is_some()),
        ("--lrelu-slope", network.lrelu_slope.is_some()),
        ("--norm", network.norm.is_some()),
        ("--dropout", network.dropout.is_some()),
        ("--cell", network.cell.is_some()),
        ("--init", network.init.is_some()),
        ("--bias", network.bias.is_some()),
    ];
    let script = Script::open(Path::new(name))?;
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(TrainError::Settings(format!(
            "{flag} is for models that are described: the layers and initial weights of {name} are as it was saved"
        ))),
        None => Ok(ModelSource::Script(script)),
    }
}

/// The model of this name or file, with the network flags applied.
///
/// # Errors
/// [`TrainError`] where there is no such model, or where it cannot take a flag.
pub fn model(name: &str, network: &NetworkArgs) -> Result<Model, TrainError> {
    if Script::is_meant_by(name) {
        return Err(TrainError::Settings(format!(
            "{name}: this takes a model that is described, of the zoo or in a .toml; programs in TorchScript are \
             trained with gradscope run"
        )));
    }
    let mut model = Model::find(name)?;
    model.change(&Changes {
        hidden: network.hidden.clone(),
        act: network.act,
        lrelu_slope: network.lrelu_slope,
        norm: network.norm,
        dropout: network.dropout,
        cell: network.cell,
        init: network.init.clone(),
        bias: network.bias.clone(),
    })?;
    // A scheme that is none is said before the data is read.
    model.schemes()?;
    Ok(model)
}

/// Where rows come from.
///
/// # Errors
/// [`TrainError`] where there is no such data, or where the model needs to be told.
pub fn source(data: &DataArgs, model: &ModelSource) -> Result<DataSource, TrainError> {
    match &data.data {
        Some(name) => name.parse(),
        None => model.default_data()?.parse(),
    }
}

/// Resolves the flags about data beside its name.
///
/// # Errors
/// [`TrainError::Settings`] for a split that is none.
pub fn data_options(data: &DataArgs) -> Result<DataOptions, TrainError> {
    let split = data
        .split
        .as_ref()
        .map(|text| text.parse().map_err(|e| TrainError::Settings(format!("--split {text}: {e}"))));
    Ok(DataOptions {
        target: data.target.clone(),
        task: data.task,
        samples: data.samples,
        noise: data.noise,
        standardize: data.standardize,
        split: split.transpose()?,
        no_shuffle_split: data.no_shuffle_split,
    })
}

fn lr_decay(text: &str) -> Result<(String, LrDecay), TrainError> {
    Ok((text.to_owned(), text.parse()?))
}

fn batch_size(text: &str) -> Result<BatchSize, TrainError> {
    match text.parse::<u64>() {
        _ if text == "full" => Ok(BatchSize::Full),
        Ok(rows) if (1..=1 << 40).contains(&rows) => Ok(BatchSize::Samples(rows)),
        _ => Err(TrainError::Settings(format!(
            "--batch-size {text}: should be a whole number of rows, 1 or more, or full"
        ))),
    }
}
