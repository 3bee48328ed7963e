//! Where a run stands at the end of an epoch: all that it needs to go on as if it had never stopped.
//!
//! Libtorch's generator is seeded anew for every epoch, so its state is no part of this.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TrainError;
use super::checkpoint::Checkpoint;
use super::network::{Network, Snapshot};
use super::non_finite::FirstNonFinite;
use super::optimizer::Optimizer;
use crate::record::{Epoch, EpochThinning, Header, Line, Record, StepThinning, number};

/// Its place in a report directory.
pub const STATE_FILE: &str = "state.safetensors";

/// Everything but tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// Whole epochs done.
    pub epochs_done: u64,
    /// Steps done.
    pub steps_done: u64,
    /// Seconds of training until then.
    pub wall_s: f64,
    /// Seconds of these that went into measuring and writing.
    pub capture_s: f64,
    /// The epoch with the best dev score.
    pub best: Option<BestEpoch>,
    /// Whether the first NaN or infinity has been found.
    pub non_finite: FirstNonFinite,
    /// Which step lines are in the record.
    pub step_thinning: StepThinning,
    /// Which epoch lines are.
    pub epoch_thinning: EpochThinning,
    /// What the last of these would be had the run not ended there, where it would be another: that of
    /// an end has an exact count of the units that fire.
    #[serde(default)]
    pub ended: Option<Epoch>,
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
    /// Everything but tensors.
    pub progress: Progress,
    /// What training changes, what the optimizer remembers, and the best parameters so far.
    pub tensors: Snapshot,
}

impl State {
    /// Copies everything as it is now.
    pub fn of(progress: Progress, network: &Network, optimizer: &Optimizer, best: Option<&Snapshot>) -> Self {
        let mut tensors = Snapshot::new();
        let mut add = |prefix: &str, named: Snapshot| {
            tensors.extend(named.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)));
        };
        add(MODEL, network.snapshot());
        add(OPTIMIZER, optimizer.memory().into_iter().map(|(n, t)| (n, t.copy())).collect());
        // Nothing changes the best parameters in place.
        add(BEST, best.into_iter().flatten().map(|(n, t)| (n.clone(), t.shallow_clone())).collect());
        Self { progress, tensors }
    }

    /// As a file of the run with this header.
    pub fn checkpoint(&self, header: &Header) -> Checkpoint {
        let text = |json: serde_json::Result<String>| json.unwrap_or_default();
        let metadata = [
            ("gradscope", env!("CARGO_PKG_VERSION").to_owned()),
            (HEADER, text(serde_json::to_string(header))),
            (PROGRESS, text(serde_json::to_string(&self.progress))),
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
        let values = |tensors: &Snapshot| tensors.iter().map(|(_, t)| t.numel() as u64).sum::<u64>();
        let file = Checkpoint::read(path, 2 * values(&model) + values(&memory))?;
        let word = |key: &str| file.metadata.get(key).map(String::as_str).unwrap_or_default();
        let unreadable =
            |what: &str| failed(format!("is no state of a run: it has no {what} that can be read"));
        let header: Header = serde_json::from_str(word(HEADER)).map_err(|_| unreadable(HEADER))?;
        let progress: Progress = serde_json::from_str(word(PROGRESS)).map_err(|_| unreadable(PROGRESS))?;
        if let Some(what) = header.first_difference(&record.header) {
            return Err(failed(format!("is of another run than the record beside it: {what}")));
        }
        if !progress.fits(record) {
            return Err(failed("does not fit the record beside it: their steps and epochs differ".into()));
        }
        let mut expected: Vec<(String, Vec<i64>)> = Vec::new();
        let mut expect = |prefix: &str, named: &Snapshot| {
            expected.extend(named.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.size())));
        };
        expect(MODEL, &model);
        expect(OPTIMIZER, &memory);
        if progress.best.is_some() {
            expect(BEST, &model);
        }
        let mut found: Vec<_> = file.tensors.iter().map(|(name, t)| (name.clone(), t.size())).collect();
        expected.sort();
        found.sort();
        if let Some((name, _)) = expected.iter().find(|e| !found.contains(e)) {
            return Err(failed(format!("holds no tensor {name:?} of this model's shape")));
        }
        if found.len() != expected.len() {
            return Err(failed("holds tensors that this model has not".into()));
        }
        let state = Self { progress, tensors: file.tensors };
        network.restore(&state.part(MODEL));
        let saved = state.part(OPTIMIZER);
        tch::no_grad(|| {
            for (name, mut tensor) in memory {
                if let Some((_, value)) = saved.iter().find(|(n, _)| *n == name) {
                    tensor.copy_(value);
                }
            }
        });
        optimizer.set_steps(state.progress.steps_done);
        Ok(state)
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

impl Progress {
    /// Epoch lines of the record that stay as they are.
    pub fn epochs_to_keep(&self) -> u64 {
        self.epoch_thinning.kept().saturating_sub(u64::from(self.ended.is_some()))
    }

    /// The beginning of a run of a network with so many layers.
    pub fn new(layers: usize) -> Self {
        Self {
            epochs_done: 0,
            steps_done: 0,
            wall_s: 0.0,
            capture_s: 0.0,
            best: None,
            non_finite: FirstNonFinite::default(),
            step_thinning: StepThinning::new(layers),
            epoch_thinning: EpochThinning::new(layers),
            ended: None,
        }
    }

    /// Whether the record holds everything until here. It may hold more: what came after the state
    /// was saved.
    fn fits(&self, record: &Record) -> bool {
        let (run, pending) = (&record.header.run, self.step_thinning.pending());
        let steps = usize::try_from(self.step_thinning.written()).ok();
        let epochs = usize::try_from(self.epochs_to_keep()).ok();
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
        written.checked_add(waiting) == Some(self.steps_done)
            && self.epochs_done.checked_mul(run.steps_per_epoch) == Some(self.steps_done)
            && epochs.last().is_none_or(|e| e.epoch < self.epochs_done)
            && self.ended.as_ref().is_none_or(|e| self.ends_with(e, epochs, record))
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
