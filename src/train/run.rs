//! A run: everything is set up and checked, then the loop begins.

use std::path::Path;
use std::time::Instant;

use tch::Device;

use super::TrainError;
use super::blueprint::Blueprint;
use super::checkpoint::Checkpoint;
use super::config::{BatchSize, Config, Sketch};
use super::data::Dataset;
use super::device;
use super::firing;
use super::model::{Model, Plan};
use super::network::Network;
use super::norms::StepMeter;
use super::objective::Objective;
use super::script::{Loaded, Trial};
use super::state::{Progress, State};
use super::trainer::{Saving, Trainer};
use crate::record::{Header, Line, Outcome, Record, RecordError};
use crate::text::counted;

/// Names that a message lists, at most.
const LISTED: usize = 8;

/// Whoever wants to know what happens: writes it, diagnoses it, shows it.
pub trait Observer {
    /// Takes the next line of the record.
    ///
    /// # Errors
    /// Whatever makes it pointless to train on, such as a full disk.
    fn observe(&mut self, line: Line) -> Result<(), RecordError>;

    /// Instead of a first header: an earlier record goes on, from where it had so many lines of steps
    /// and of epochs.
    ///
    /// # Errors
    /// As [`observe`](Self::observe).
    fn go_on(&mut self, header: Header, steps: u64, epochs: u64) -> Result<(), RecordError> {
        let _ = (header, steps, epochs);
        Ok(())
    }

    /// Takes what whoever started the run should know before it begins.
    fn note(&mut self, text: &str) {
        let _ = text;
    }

    /// Takes a file that belongs beside the record, in place of the one before it.
    ///
    /// # Errors
    /// As [`observe`](Self::observe).
    fn keep(&mut self, name: &str, content: &Checkpoint) -> Result<(), RecordError> {
        let _ = (name, content);
        Ok(())
    }
}

/// Asked before every step: whether to stop after it, and why.
pub type Stop<'a> = &'a dyn Fn() -> Option<Outcome>;

/// Trains, and tells the observer all of it: a header, steps, epochs, an end.
///
/// Libtorch's one generator is seeded anew before the data, before the initial weights and before
/// every epoch, so that none of them shifts another: the order of the rows depends on seed and epoch
/// alone, whatever the initialiser drew.
///
/// # Errors
/// [`TrainError`], before anything is observed where the request cannot be met.
pub fn train(config: &Config, observer: &mut dyn Observer, stop: Stop) -> Result<Outcome, TrainError> {
    run(config, None, observer, stop)
}

/// Goes on from a state that an earlier part of the same run has saved, as if it had never stopped.
///
/// # Errors
/// [`TrainError`], before anything is observed where the state is not of this run, or is its end.
pub fn resume(
    config: &Config,
    state: &Path,
    record: &Record,
    observer: &mut dyn Observer,
    stop: Stop,
) -> Result<Outcome, TrainError> {
    run(config, Some((state, record)), observer, stop)
}

fn run(
    config: &Config,
    earlier: Option<(&Path, &Record)>,
    observer: &mut dyn Observer,
    stop: Stop,
) -> Result<Outcome, TrainError> {
    let Prepared { dataset, batch, design } = prepare(config)?;
    let sketch = design.sketch(&dataset);
    let objective = design.objective(&dataset);
    if let Design::Program { unreached, .. } = &design
        && !unreached.is_empty()
    {
        observer.note(&format!(
            "{} {} no gradient: the loss does not depend on {}",
            listed(unreached),
            if unreached.len() == 1 { "gets" } else { "get" },
            if unreached.len() == 1 { "it" } else { "them" },
        ));
    }
    tch::manual_seed(config.seed);
    let network = design.build(config.device, batch);
    let threads = config.threads.unwrap_or_else(|| device::threads_for(network.work(), batch as u64));
    tch::set_num_threads(threads as i32);
    let header = config.header(&dataset, sketch, batch as u64, threads);
    let mut optimizer = config.optimizer.build(network.variables(), network.device())?;
    let (progress, best) = match earlier {
        None => {
            observer.observe(Line::Header(Box::new(header.clone())))?;
            (Progress::new(network.layers().len()), None)
        }
        Some((path, record)) => {
            check_same_run(config, &header, record)?;
            let state = State::resume(path, record, &network, &mut optimizer)?;
            check_something_is_left(config, &state.progress)?;
            let progress = &state.progress;
            observer.go_on(header.clone(), progress.step_thinning.written(), progress.epochs_to_keep())?;
            if let Some(epoch) = progress.ended.clone() {
                observer.observe(Line::Epoch(epoch))?;
            }
            (progress.clone(), state.best())
        }
    };
    Trainer {
        config,
        dataset: &dataset,
        network: &network,
        optimizer,
        objective,
        observer,
        stop,
        batch,
        threads: threads as usize,
        meter: StepMeter::new(
            network.parameters(),
            config.capture.parameters,
            config.optimizer.weight_decay,
        )?,
        cheap_exact_pass: firing::is_cheap(&network, &dataset.train),
        best,
        stopped_early: None,
        saving: config.save_model.then(|| Saving::of(header)),
        before: progress.wall_s,
        started: Instant::now(),
        progress,
    }
    .run()
}

/// Whether this can be trained at all: reads the data and lays out the network, and keeps nothing.
///
/// # Errors
/// [`TrainError`], what [`train`] would say before it observes anything.
pub fn check(config: &Config) -> Result<(), TrainError> {
    prepare(config).map(drop)
}

/// What a run needs before anything is drawn.
struct Prepared {
    dataset: Dataset,
    batch: i64,
    design: Design,
}

/// What a network is built from.
enum Design {
    /// A description.
    Model { model: Box<Model>, plan: Box<Plan> },
    /// A program, what its outputs are, and which parameters of it the loss does not depend on.
    Program { loaded: Loaded, probabilities: bool, unreached: Vec<String> },
}

impl Design {
    fn sketch(&self, dataset: &Dataset) -> Sketch {
        match self {
            Self::Model { model, plan } => Sketch::of_model(model, plan),
            Self::Program { loaded, .. } => Sketch::of_program(loaded, dataset),
        }
    }

    fn objective(&self, dataset: &Dataset) -> Objective {
        let (loss, task) = (dataset.loss, dataset.info.task);
        match self {
            Self::Model { model, .. } => Objective::new(loss, task, model.output()),
            Self::Program { probabilities, .. } => Objective { loss, task, probabilities: *probabilities },
        }
    }

    fn build(self, device: Device, batch: i64) -> Network {
        match self {
            Self::Model { plan, .. } => Network::new(&plan, device),
            Self::Program { loaded, .. } => Network::of_program(loaded, device, batch),
        }
    }
}

/// Names of parameters, the first few where they are many.
fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn prepare(config: &Config) -> Result<Prepared, TrainError> {
    config.optimizer.check()?;
    let dataset = config.source.dataset(&config.data, config.loss, config.seed, config.device)?;
    let rows = dataset.train.len();
    let batch = match config.batch_size {
        BatchSize::Full => rows,
        BatchSize::Rows(n) => (n as i64).min(rows),
    };
    check_patience(config, &dataset)?;
    let design = match &config.model {
        Blueprint::Model(model) => {
            let model = model.for_loss(dataset.loss);
            let plan = Plan::new(&model, model.sizes_for(&dataset))?;
            check_batch_norm(&plan, rows, batch)?;
            plan.check_words(&dataset)?;
            Design::Model { model: Box::new(model), plan: Box::new(plan) }
        }
        Blueprint::Script(script) => {
            let loaded = script.load(&dataset, config.device)?;
            check_can_be_saved(config, &loaded)?;
            let Trial { probabilities, unreached } = script.try_out(&dataset, batch, config.device)?;
            Design::Program { loaded, probabilities, unreached }
        }
    };
    Ok(Prepared { dataset, batch, design })
}

/// What cannot be read can neither be kept nor gone on with.
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
    if config.patience.is_none() || dataset.dev.is_some() {
        return Ok(());
    }
    Err(TrainError::Settings(format!(
        "--patience goes by the dev set, and there is none in this split of {}: add one, such as --split 0.6,0.2,0.2",
        dataset.info.name
    )))
}

/// The data or the model file may have changed since.
fn check_same_run(config: &Config, header: &Header, record: &Record) -> Result<(), TrainError> {
    let fail = |reason: String| Err(TrainError::Settings(format!("this run cannot be resumed: {reason}")));
    if let Some(what) = record.header.first_difference(header) {
        return fail(format!(
            "{what}, where there is the record of its beginning and here is what its command gives now"
        ));
    }
    let (was, is) = (record.header.run.epochs, config.epochs);
    if was != is && config.lr_decay.as_ref().is_some_and(|(_, decay)| decay.depends_on_length()) {
        return fail(format!(
            "its learning rate falls over all of its {was} epochs, and would have been another from the \
             beginning with --epochs {is}"
        ));
    }
    Ok(())
}

/// A run that has come to its end needs to be told to go further.
fn check_something_is_left(config: &Config, progress: &Progress) -> Result<(), TrainError> {
    let done = progress.epochs_done;
    let fail = |reason: String| Err(TrainError::Settings(format!("there is nothing to resume: {reason}")));
    if done >= config.epochs {
        return fail(format!(
            "the run has done {}; give a larger number, such as --epochs {}",
            counted(done, "epoch"),
            2 * done
        ));
    }
    match (config.patience, progress.best) {
        (Some(patience), Some(best)) if done > best.epoch + patience => fail(format!(
            "after {}, the run is no better on the dev set since epoch {}, which is the end of --patience \
             {patience}; give a larger --patience",
            counted(done, "epoch"),
            best.epoch
        )),
        _ => Ok(()),
    }
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
