//! Where a run stands at the end of an epoch: all that it needs to go on as if it had never stopped.
//!
//! Libtorch's generator is seeded anew for every epoch, so its state is no part of this.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use crate::record::{Epoch, Header, Line, Record, RecorderState, number};
use crate::train::TrainError;
use crate::train::measure::non_finite::FirstNonFinite;
use crate::train::network::{Network, Snapshot};
use crate::train::optimizer::Optimizer;

/// Its place in a report directory.
pub const STATE_FILE: &str = "state.safetensors";

/// How far a run has come, beside what its record tells.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Whole epochs done.
    pub epochs_done: u64,
    /// Seconds of training until then.
    pub wall_s: f64,
    /// Seconds of these that went into measuring and writing.
    pub capture_s: f64,
    /// The epoch with the best dev score.
    pub best: Option<BestEpoch>,
    /// Whether the first NaN or infinity has been found.
    pub non_finite: FirstNonFinite,
}

/// Everything of a state but its tensors, as it is written.
#[derive(Serialize, Deserialize)]
struct Standing<P, R> {
    #[serde(flatten)]
    progress: P,
    #[serde(flatten)]
    recorder: R,
}

/// The best dev score so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestEpoch {
    /// After which epoch it was.
    pub epoch: u64,
    /// The score.
    #[serde(with = "number")]
    pub score: f64,
}

impl BestEpoch {
    /// Whether a score is better than the best so far.
    pub fn is_beaten_by(&self, score: f64) -> bool {
        score > self.score || (self.score.is_nan() && !score.is_nan())
    }
}

/// Parts of the names of a state's tensors.
const MODEL: &str = "model.";
const OPTIMIZER: &str = "optimizer.";
const BEST: &str = "best.";
/// Keys of a state's metadata.
const HEADER: &str = "header";
const PROGRESS: &str = "progress";

/// A run at the end of an epoch.
#[derive(Debug)]
pub struct State {
    /// How far it has come.
    pub progress: Progress,
    /// Where its record stands.
    pub recorder: RecorderState,
    /// Tensors that training changes, those of the optimizer, and the best parameters so far.
    pub tensors: Snapshot,
}

impl State {
    /// Copies everything as it is now.
    pub fn new(
        progress: Progress,
        recorder: RecorderState,
        network: &Network,
        optimizer: &Optimizer,
        best: Option<&Snapshot>,
    ) -> Self {
        let mut tensors = Snapshot::new();
        let mut add = |prefix: &str, named: Snapshot| {
            tensors.extend(named.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)));
        };
        add(MODEL, network.snapshot());
        add(OPTIMIZER, optimizer.memory().into_iter().map(|(n, t)| (n, t.copy())).collect());
        // Nothing changes the best parameters in place.
        add(BEST, best.into_iter().flatten().map(|(n, t)| (n.clone(), t.shallow_clone())).collect());
        Self { progress, recorder, tensors }
    }

    /// As a file of the run with this header.
    pub fn checkpoint(&self, header: &Header) -> Checkpoint {
        let standing = Standing { progress: &self.progress, recorder: &self.recorder };
        let metadata = [
            ("gradscope", env!("CARGO_PKG_VERSION").to_owned()),
            (HEADER, serde_json::to_string(header).unwrap_or_default()),
            (PROGRESS, serde_json::to_string(&standing).unwrap_or_default()),
        ];
        Checkpoint {
            metadata: metadata.map(|(key, value)| (key.to_owned(), value)).into(),
            tensors: self.tensors.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect(),
        }
    }

    /// Reads the state of a run, and puts a network and an optimizer of its kind into it.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] where the file is damaged, or is of another run.
    pub fn resume(
        path: &Path,
        record: &Record,
        network: &Network,
        optimizer: &mut Optimizer,
    ) -> Result<Self, TrainError> {
        let failed = |reason: String| TrainError::Checkpoint { path: path.into(), reason };
        // The best parameters are as many again as the network's.
        let model = network.snapshot();
        let memory = optimizer.memory();
        let file = Checkpoint::read(path, 2 * values(&model) + values(&memory))?;
        let unreadable =
            |what: &str| failed(format!("is no state of a run: it has no {what} that can be read"));
        let text = |key: &str| file.metadata.get(key).map(String::as_str).unwrap_or_default();
        let header: Header = serde_json::from_str(text(HEADER)).map_err(|_| unreadable(HEADER))?;
        let Standing::<Progress, RecorderState> { progress, recorder } =
            serde_json::from_str(text(PROGRESS)).map_err(|_| unreadable(PROGRESS))?;
        if let Some(what) = header.first_difference(&record.header) {
            return Err(failed(format!("is of another run than the record beside it: {what}")));
        }
        if !progress.fits(&recorder, record) {
            return Err(failed("does not fit the record beside it: their steps and epochs differ".into()));
        }
        let mut expected = shapes(MODEL, &model);
        expected.extend(shapes(OPTIMIZER, &memory));
        if progress.best.is_some() {
            expected.extend(shapes(BEST, &model));
        }
        let mut found = shapes("", &file.tensors);
        expected.sort();
        found.sort();
        if let Some((name, _)) = expected.iter().find(|e| !found.contains(e)) {
            return Err(failed(format!("holds no tensor {name:?} of this model's shape")));
        }
        if found.len() != expected.len() {
            return Err(failed("holds tensors that this model has not".into()));
        }
        let state = Self { progress, recorder, tensors: file.tensors };
        state.restore(network, optimizer, memory);
        Ok(state)
    }

    /// Puts a network and an optimizer, of which this is the memory, into this state.
    fn restore(&self, network: &Network, optimizer: &mut Optimizer, memory: Snapshot) {
        network.restore(&self.part(MODEL));
        let saved = self.part(OPTIMIZER);
        tch::no_grad(|| {
            for (name, mut tensor) in memory {
                if let Some((_, value)) = saved.iter().find(|(n, _)| *n == name) {
                    tensor.copy_(value);
                }
            }
        });
        optimizer.set_steps(self.recorder.steps_done);
    }

    /// The best parameters so far.
    pub fn best(&self) -> Option<Snapshot> {
        self.progress.best.map(|_| self.part(BEST))
    }

    fn part(&self, prefix: &str) -> Snapshot {
        let named = self.tensors.iter().filter_map(|(n, t)| Some((n.strip_prefix(prefix)?, t)));
        named.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone())).collect()
    }
}

/// Values of all tensors.
fn values(tensors: &Snapshot) -> u64 {
    tensors.iter().map(|(_, t)| t.numel() as u64).sum()
}

/// The tensors' shapes, by their names with a prefix.
fn shapes(prefix: &str, tensors: &Snapshot) -> Vec<(String, Vec<i64>)> {
    tensors.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.size())).collect()
}

impl Progress {
    /// Whether the record holds everything until here. It may hold more: what came after the state
    /// was saved.
    fn fits(&self, recorder: &RecorderState, record: &Record) -> bool {
        let (run, pending) = (&record.header.run, recorder.step_thinning.pending());
        let steps = usize::try_from(recorder.step_thinning.written()).ok();
        let epochs = usize::try_from(recorder.epochs_to_keep()).ok();
        let (Some(steps), Some(epochs)) = (steps, epochs) else { return false };
        let (Some(steps), Some(epochs)) = (record.steps.get(..steps), record.epochs.get(..epochs)) else {
            return false;
        };
        let written = steps.last().map_or(0, |s| s.step + s.steps);
        let waiting = match pending {
            Some(p) if p.step != written || p.layers.len() != record.header.layers.len() => return false,
            Some(p) => p.steps,
            None => 0,
        };
        written.checked_add(waiting) == Some(recorder.steps_done)
            && self.epochs_done.checked_mul(run.steps_per_epoch) == Some(recorder.steps_done)
            && epochs.last().is_none_or(|e| e.epoch < self.epochs_done)
            && recorder.ended.as_ref().is_none_or(|e| self.ends_with(e, epochs, record))
            && self.best.is_none_or(|best| best.epoch < self.epochs_done)
            && [self.wall_s, self.capture_s].iter().all(|s| (0.0..1e12).contains(s))
    }

    /// Whether this epoch can follow these ones of the record.
    fn ends_with(&self, epoch: &Epoch, earlier: &[Epoch], record: &Record) -> bool {
        let mut alone = Record::new(record.header.clone());
        epoch.epoch.checked_add(1) == Some(self.epochs_done)
            && earlier.last().is_none_or(|e| e.epoch < epoch.epoch)
            && alone.push(Line::Epoch(epoch.clone())).is_ok()
    }
}
