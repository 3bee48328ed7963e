//! Turns the flags of `run` into a ready configuration: model defaults below, flags above.

use gradscope::record::{Loss, Task};
use gradscope::train::{
    BatchSize, Config, DataOptions, Model, Norm, OptimizerKind, OptimizerSettings, Scheme, TrainError,
    choose_device,
};

use super::args::{LossArg, NormArg, RunArgs, TaskArg};

/// What the flags mean.
///
/// # Errors
/// [`TrainError`] for a name that there is not, or settings that do not go together.
pub fn config(args: &RunArgs, command: Vec<String>) -> Result<Config, TrainError> {
    let mut model = Model::named(&args.model)?;
    let (network, training, data) = (&args.network, &args.training, &args.data);
    let defaults = &model.defaults;
    let or = |flag: &Option<String>, default: &String| flag.as_ref().unwrap_or(default).clone();
    let source = or(&data.data, &defaults.data).parse()?;
    let init: Scheme = or(&network.init, &defaults.init).parse()?;
    let bias = Scheme::for_bias(&or(&network.bias, &defaults.bias))?;
    let batch_size = batch_size(&or(&training.batch_size, &defaults.batch_size))?;
    let kind: OptimizerKind = or(&training.optimizer, &defaults.optimizer).parse()?;
    let optimizer = OptimizerSettings {
        kind,
        lr: training.lr.unwrap_or(defaults.lr),
        momentum: training.momentum.unwrap_or(0.0),
        weight_decay: training.weight_decay.unwrap_or(kind.default_weight_decay()),
    };
    let epochs = training.epochs.unwrap_or(defaults.epochs);
    model.hidden = network.hidden.clone().unwrap_or(model.hidden);
    model.act = network.act.unwrap_or(model.act);
    model.lrelu_slope = network.lrelu_slope.unwrap_or(model.lrelu_slope);
    model.norm = network.norm.map_or(model.norm, norm);
    model.dropout = network.dropout.unwrap_or(model.dropout);
    model.check()?;
    optimizer.check()?;
    let loss = training.loss.map(loss);
    if network.lrelu_slope.is_some() && model.act != gradscope::record::Activation::Lrelu {
        return Err(TrainError::Settings(format!(
            "--lrelu-slope is for leaky ReLU, but the activation is {}: add --act lrelu",
            model.act.name()
        )));
    }
    Ok(Config {
        source,
        data: DataOptions {
            target: data.target.clone(),
            task: data.task.map(task),
            samples: data.samples,
            noise: data.noise,
            standardize: data.standardize,
            split: data
                .split
                .as_ref()
                .map(|text| text.parse().map_err(|e| TrainError::Settings(format!("--split {text}: {e}"))))
                .transpose()?,
            no_shuffle_split: data.no_shuffle_split,
        },
        loss,
        init,
        bias,
        optimizer,
        clip_norm: training.clip_norm,
        epochs,
        batch_size,
        seed: training.seed.unwrap_or(0),
        device: choose_device(&training.device)?,
        threads: training.threads,
        capture_every: training.capture_every,
        command,
        model,
    })
}

fn batch_size(text: &str) -> Result<BatchSize, TrainError> {
    match text.parse::<u64>() {
        _ if text == "full" => Ok(BatchSize::Full),
        Ok(rows) if (1..=1 << 40).contains(&rows) => Ok(BatchSize::Rows(rows)),
        _ => Err(TrainError::Settings(format!(
            "--batch-size {text}: should be a whole number of rows, 1 or more, or full"
        ))),
    }
}

fn task(task: TaskArg) -> Task {
    match task {
        TaskArg::Classification => Task::Classification,
        TaskArg::Regression => Task::Regression,
    }
}

fn loss(loss: LossArg) -> Loss {
    match loss {
        LossArg::Bce => Loss::Bce,
        LossArg::Mse => Loss::Mse,
        LossArg::CrossEntropy => Loss::CrossEntropy,
    }
}

fn norm(norm: NormArg) -> Norm {
    match norm {
        NormArg::None => Norm::None,
        NormArg::BatchPre => Norm::BatchPre,
        NormArg::BatchPost => Norm::BatchPost,
        NormArg::Layer => Norm::Layer,
    }
}
