//! The one policy of what is written when.
//!
//! Whoever trains asks for a [`StepPlan`] before each step, measures what it says, and hands over the numbers;
//! which of them become lines, and how much of them, is decided here: steps and epochs are thinned, the first
//! step is captured by itself, the last epoch and the first few are kept in full and the others as a history,
//! and norms of steps become spreads of epochs.

use serde::{Deserialize, Serialize};

use super::quantity::NormsOverSteps;
use super::{
    CaptureDetail, CaptureSettings, Epoch, EpochThinning, LayerCapture, NonFinite, Step, StepLayer,
    StepThinning, in_full,
};

/// The settings of a recorder, which stay what they are over a run.
#[derive(Clone, Copy, Debug)]
pub struct RecorderSettings {
    /// Layers of the network.
    pub layers: usize,
    /// Settings of what is measured of them.
    pub capture: CaptureSettings,
    /// Captures every step whose number is a multiple of this, too.
    pub capture_every: Option<u64>,
}

/// Where a record stands: all that is needed to go on with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecorderState {
    /// Optimizer steps that were pushed so far.
    pub steps_done: u64,
    /// Which step lines are in the record.
    pub step_thinning: StepThinning,
    /// Which epoch lines are.
    pub epoch_thinning: EpochThinning,
    /// The last of these as it would be had the run not ended there, where it would be another: that of
    /// an end has an exact count of the units that fire.
    #[serde(default)]
    pub ended: Option<Epoch>,
}

impl RecorderState {
    /// The beginning of a record of so many layers.
    pub fn new(layers: usize) -> Self {
        Self {
            steps_done: 0,
            step_thinning: StepThinning::new(layers),
            epoch_thinning: EpochThinning::new(layers),
            ended: None,
        }
    }

    /// Epoch lines of the record that stay as they are.
    pub fn epochs_to_keep(&self) -> u64 {
        self.epoch_thinning.kept().saturating_sub(u64::from(self.ended.is_some()))
    }
}

/// Whether the run goes on after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochOutlook {
    /// Other epochs follow.
    GoesOn,
    /// It ends, or could.
    Ends,
}

/// The place of a step in its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepPlace {
    /// Other steps follow.
    Inside,
    /// The last one.
    Last,
    /// The last one, since the run is stopped after it.
    Stopped,
}

/// A plan of what is to be measured of a step.
#[derive(Clone, Copy, Debug)]
pub struct StepPlan {
    /// How much of it, if it is captured.
    pub detail: Option<CaptureDetail>,
    /// Whether its capture is that of its epoch.
    of_epoch: bool,
    /// Whether its capture goes with the step's own line.
    inside: bool,
}

/// A step as it was measured.
#[derive(Debug)]
pub struct MeasuredStep {
    /// Loss of the batch.
    pub loss: f64,
    /// Samples of the batch, by which its loss counts in that of the epoch.
    pub samples: u64,
    /// L2 norm of the gradient of all parameters, before clipping.
    pub grad_l2: f64,
    /// Norms of the layers; empty where nothing is measured of them.
    pub layers: Vec<StepLayer>,
    /// cos(ΔW, −W) of every layer, where that was measured.
    pub decay_alignment: Vec<Option<f64>>,
    /// The first NaN or infinity of the run, if this step holds it.
    pub non_finite: Option<NonFinite>,
    /// The capture that the plan asked for.
    pub capture: Option<Vec<LayerCapture>>,
}

/// The capture of an epoch that is to be written.
#[derive(Debug)]
pub struct EpochCapture {
    /// The layers at its last step.
    pub layers: Vec<LayerCapture>,
    /// The same where the run ends here and they were looked at once more.
    pub at_end: Option<Vec<LayerCapture>>,
    ends: bool,
}

/// The scores of an epoch.
#[derive(Clone, Copy, Debug)]
pub struct EpochScores {
    /// Whether the run was stopped inside it.
    pub partial: bool,
    /// Learning rate of the epoch.
    pub lr: f64,
    /// Score on the training set.
    pub train_score: f64,
    /// Loss and score on the dev set.
    pub dev: Option<(f64, f64)>,
    /// Loss and score on the test set.
    pub test: Option<(f64, f64)>,
}

/// Decides what of a run is written when.
pub struct Recorder {
    settings: RecorderSettings,
    state: RecorderState,
    now: EpochUnderWay,
}

/// The epoch under way.
struct EpochUnderWay {
    epoch: u64,
    /// Whether it is one of those that a run of any length captures.
    scheduled: bool,
    outlook: EpochOutlook,
    loss_sum: f64,
    samples: u64,
    grad_l2: f64,
    norms: Vec<NormsOverSteps>,
    capture: Option<Vec<LayerCapture>>,
}

impl EpochUnderWay {
    fn new(epoch: u64, scheduled: bool, outlook: EpochOutlook, layers: usize) -> Self {
        Self {
            epoch,
            scheduled,
            outlook,
            loss_sum: 0.0,
            samples: 0,
            grad_l2: f64::NAN,
            norms: (0..layers).map(|_| NormsOverSteps::default()).collect(),
            capture: None,
        }
    }
}

impl Recorder {
    /// A recorder that begins, or goes on from where a record stands.
    pub fn new(settings: RecorderSettings, state: RecorderState) -> Self {
        let now = EpochUnderWay::new(0, false, EpochOutlook::GoesOn, settings.layers);
        Self { settings, state, now }
    }

    /// Where the record stands.
    pub fn state(&self) -> &RecorderState {
        &self.state
    }

    /// Samples that the epoch under way has seen.
    pub fn samples(&self) -> u64 {
        self.now.samples
    }

    /// Begins an epoch; epochs come in order.
    pub fn begin_epoch(&mut self, epoch: u64, outlook: EpochOutlook) {
        let scheduled = self.state.epoch_thinning.keep(epoch);
        self.now = EpochUnderWay::new(epoch, scheduled, outlook, self.settings.layers);
    }

    /// Whether the epoch under way is captured, if only in case it is the last.
    pub fn captures_epoch(&self) -> bool {
        self.now.scheduled || self.now.outlook == EpochOutlook::Ends
    }

    /// Plans what is to be measured of the next step.
    pub fn plan_step(&self, place: StepPlace) -> StepPlan {
        let number = self.state.steps_done;
        let (last, stopped) = (place != StepPlace::Inside, place == StepPlace::Stopped);
        let every = self.settings.capture_every;
        let alone = self.settings.capture.measures_layers()
            && (number == 0 || every.is_some_and(|k| number.is_multiple_of(k)));
        let of_epoch = last && (stopped || self.captures_epoch());
        let may_end = stopped || self.now.outlook == EpochOutlook::Ends;
        let is_drawn = number == 0 || (of_epoch && (may_end || self.is_in_full()));
        // Whether rows are still alike is asked of the first captures: later ones of steps, which
        // are many, need not tell.
        let early = every.is_none_or(|k| number <= k);
        let detail = if is_drawn { self.settings.capture.full() } else { self.settings.capture.history() };
        let detail = CaptureDetail { rows: detail.rows || of_epoch || early, ..detail };
        StepPlan {
            detail: (of_epoch || alone).then_some(detail),
            of_epoch,
            // Where the run ends does not change what it tells of its steps.
            inside: alone && !(last && self.now.scheduled),
        }
    }

    /// Takes a step as it was measured after its update; gives back the points of step curves that are complete.
    pub fn push_step(&mut self, plan: StepPlan, measured: MeasuredStep) -> Vec<Step> {
        let MeasuredStep { loss, samples, grad_l2, layers, decay_alignment, non_finite, mut capture } =
            measured;
        self.now.loss_sum += loss * samples as f64;
        self.now.samples += samples;
        self.now.grad_l2 = grad_l2;
        let cosines = decay_alignment.into_iter().chain(std::iter::repeat(None));
        for ((norms, layer), cosine) in self.now.norms.iter_mut().zip(&layers).zip(cosines) {
            norms.push(layer, cosine);
        }
        let number = self.state.steps_done;
        let mut inside = match (plan.inside, plan.of_epoch) {
            (true, true) => capture.clone(),
            (true, false) => capture.take(),
            (false, _) => None,
        };
        // Only what was before the first step is looked at again.
        if number > 0 {
            inside.iter_mut().flatten().for_each(LayerCapture::compact);
        }
        self.now.capture = capture.filter(|_| plan.of_epoch);
        self.state.steps_done += 1;
        self.state.step_thinning.push(Step {
            epoch: self.now.epoch,
            step: number,
            steps: 1,
            loss: loss.into(),
            grad_l2: grad_l2.into(),
            layers,
            non_finite,
            capture: inside,
        })
    }

    /// The capture of the epoch under way, if it is to be written: of one that was captured in case that it
    /// was the last, only where the run `ends`.
    pub fn take_capture(&mut self, outlook: EpochOutlook) -> Option<EpochCapture> {
        self.state.ended = None;
        let ends = outlook == EpochOutlook::Ends;
        let mut layers = self.now.capture.take().filter(|_| self.now.scheduled || ends)?;
        for (layer, norms) in layers.iter_mut().zip(self.now.norms.drain(..)) {
            layer.steps = Some(norms.spreads());
        }
        Some(EpochCapture { layers, at_end: None, ends })
    }

    /// The line of the epoch under way, from its capture and its scores.
    pub fn close_epoch(&mut self, capture: EpochCapture, scores: EpochScores) -> Epoch {
        let EpochCapture { layers, at_end, ends } = capture;
        let mut line = Epoch {
            partial: scores.partial,
            lr: scores.lr,
            train_loss: self.now.loss_sum / self.now.samples as f64,
            train_score: scores.train_score,
            dev_loss: scores.dev.map(|d| d.0),
            dev_score: scores.dev.map(|d| d.1),
            test_loss: scores.test.map(|t| t.0),
            test_score: scores.test.map(|t| t.1),
            grad_l2: self.now.grad_l2,
            layers,
            ..Epoch::new(self.now.epoch, self.state.steps_done - 1)
        };
        // The last one is drawn.
        let is_history = !self.is_in_full();
        // Where the run ends must not change what it would hold if it went on.
        if let Some(layers) = at_end {
            if self.now.scheduled {
                let mut ended = line.clone();
                if is_history {
                    ended.compact();
                }
                self.state.ended = Some(ended);
            }
            line.layers = layers;
        }
        if is_history && !ends {
            line.compact();
        }
        line
    }

    /// The point of step curves that is not complete yet, at the end of a run.
    pub fn finish(&mut self) -> Option<Step> {
        self.state.step_thinning.flush()
    }

    /// Whether the present epoch, if it is captured, is kept in full whatever follows it.
    fn is_in_full(&self) -> bool {
        let number = self.state.epoch_thinning.kept().saturating_sub(1);
        in_full(number, self.settings.layers)
    }
}
