//! A run: everything is set up and checked, then the loop begins.

use std::path::Path;
use std::time::Instant;

use super::observer::{Observer, Stop};
use super::prepare::{Prepared, PreparedModel, listed, prepare};
use super::state::{Progress, State};
use super::trainer::{Saving, Trainer};
use crate::record::{Header, Line, Outcome, Record, Recorder, RecorderSettings, RecorderState};
use crate::text::counted;
use crate::train::TrainError;
use crate::train::config::Config;
use crate::train::device;
use crate::train::measure::exact_pass;
use crate::train::measure::norms::StepMeter;
use crate::train::network::Snapshot;

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
    let Prepared { dataset, batch, model, optimizer } = prepare(config)?;
    let metadata = model.metadata(&dataset);
    let objective = model.objective(&dataset);
    note_unreached(&model, observer);
    tch::manual_seed(config.training.seed);
    let network = model.build(config.device, batch);
    let threads = config.threads.unwrap_or_else(|| device::threads_for(network.macs(), batch as u64));
    tch::set_num_threads(threads as i32);
    let header = config.header(&dataset, metadata, batch as u64, threads);
    let mut optimizer = optimizer.build(network.variables(), network.device())?;
    let beginning = match earlier {
        None => {
            observer.observe(Line::Header(Box::new(header.clone())))?;
            Beginning::new(network.layers().len())
        }
        Some((path, record)) => {
            check_same_run(config, &header, record)?;
            let state = State::resume(path, record, &network, &mut optimizer)?;
            check_something_is_left(config, &state.progress)?;
            Beginning::resume(state, &header, observer)?
        }
    };
    let settings = RecorderSettings {
        layers: network.layers().len(),
        capture: config.capture,
        capture_every: config.capture_every,
    };
    let Beginning { progress, recorder, best } = beginning;
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
        meter: StepMeter::new(network.parameters(), config.capture.parameters, config.training.weight_decay)?,
        cheap_exact_pass: exact_pass::is_cheap(&network, &dataset.train),
        recorder: Recorder::new(settings, recorder),
        best,
        stopped_early: None,
        saving: config.save_model.then(|| Saving::new(header)),
        before: progress.wall_s,
        started: Instant::now(),
        progress,
    }
    .run()
}

/// Where a run begins: at its start, or at the state that an earlier part of it has saved.
struct Beginning {
    progress: Progress,
    recorder: RecorderState,
    /// The parameters with the best dev score so far.
    best: Option<Snapshot>,
}

impl Beginning {
    fn new(layers: usize) -> Self {
        Self { progress: Progress::default(), recorder: RecorderState::new(layers), best: None }
    }

    fn resume(state: State, header: &Header, observer: &mut dyn Observer) -> Result<Self, TrainError> {
        let best = state.best();
        let State { progress, recorder, .. } = state;
        observer.resume(header.clone(), recorder.step_thinning.written(), recorder.epochs_to_keep())?;
        if let Some(epoch) = recorder.ended.clone() {
            observer.observe(Line::Epoch(epoch))?;
        }
        Ok(Self { progress, recorder, best })
    }
}

/// Says which parameters of a program get no gradient.
fn note_unreached(model: &PreparedModel, observer: &mut dyn Observer) {
    if let PreparedModel::Program { unreached, .. } = model
        && !unreached.is_empty()
    {
        observer.note(&format!(
            "{} {} no gradient: the loss does not depend on {}",
            listed(unreached),
            if unreached.len() == 1 { "gets" } else { "get" },
            if unreached.len() == 1 { "it" } else { "them" },
        ));
    }
}

/// Whether this can be trained at all: reads the data and lays out the network, and keeps nothing.
///
/// # Errors
/// [`TrainError`], what [`train`] would say before it observes anything.
pub fn check(config: &Config) -> Result<(), TrainError> {
    prepare(config).map(drop)
}

/// The data or the model file may have changed since.
fn check_same_run(config: &Config, header: &Header, record: &Record) -> Result<(), TrainError> {
    let fail = |reason: String| Err(TrainError::Settings(format!("this run cannot be resumed: {reason}")));
    if let Some(what) = record.header.first_difference(header) {
        return fail(format!(
            "{what}, where there is the record of its beginning and here is what its command gives now"
        ));
    }
    let (was, is) = (record.header.run.training.epochs, config.training.epochs);
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
    if done >= config.training.epochs {
        return fail(format!(
            "the run has done {}; give a larger number, such as --epochs {}",
            counted(done, "epoch"),
            2 * done
        ));
    }
    match (config.training.patience, progress.best) {
        (Some(patience), Some(best)) if done > best.epoch + patience => fail(format!(
            "after {}, the run is no better on the dev set since epoch {}, which is the end of --patience \
             {patience}; give a larger --patience",
            counted(done, "epoch"),
            best.epoch
        )),
        _ => Ok(()),
    }
}
