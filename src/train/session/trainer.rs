//! The training loop: config in, record lines out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::checkpoint::Checkpoint;
use super::observer::{Observer, Stop};
use super::state::{BestEpoch, Progress, STATE_FILE, State};
use crate::record::{
    Boundary, CaptureDetail, EarlyStop, End, EpochOutlook, EpochScores, Header, Layer, LayerCapture, Line,
    MeasuredStep, Outcome, Recorder, StepPlace, TestResult,
};
use crate::stats::DetailLevel;
use crate::train::TrainError;
use crate::train::config::Config;
use crate::train::data::{Dataset, Rows};
use crate::train::measure::activation_frequency::{FrequencyCount, HookPair};
use crate::train::measure::exact_pass;
use crate::train::measure::norms::StepMeter;
use crate::train::measure::probe::{self, Probe};
use crate::train::measure::zero_gradient::ZeroGradientScreen;
use crate::train::network::{Mode, Network, Objective, Snapshot};
use crate::train::optimizer::Optimizer;
use crate::train::tools::boundary;

/// The place of the best parameters in a report directory.
pub const MODEL_FILE: &str = "model.safetensors";
/// Share of the time that saving the state may take.
const SAVING_SHARE: f64 = 0.05;

/// A run while it goes.
pub struct Trainer<'a> {
    pub config: &'a Config,
    pub dataset: &'a Dataset,
    pub network: &'a Network,
    pub optimizer: Optimizer,
    pub objective: Objective,
    pub observer: &'a mut dyn Observer,
    pub stop: Stop<'a>,
    pub batch: i64,
    /// Threads that measure large tensors.
    pub threads: usize,
    pub meter: StepMeter,
    pub cheap_exact_pass: bool,
    pub recorder: Recorder,
    pub progress: Progress,
    /// The parameters with the best dev score so far, if anybody will want them.
    pub best: Option<Snapshot>,
    pub stopped_early: Option<EarlyStop>,
    /// The state to go on from, if saving is asked for.
    pub saving: Option<Saving>,
    /// Seconds of earlier parts of the run.
    pub before: f64,
    pub started: Instant,
}

/// The state at the last end of an epoch, and when it was last written.
pub struct Saving {
    header: Header,
    state: Option<State>,
    written: Option<Instant>,
    cost: Duration,
}

impl Saving {
    /// Saves the run with this header.
    pub fn new(header: Header) -> Self {
        Self { header, state: None, written: None, cost: Duration::ZERO }
    }

    /// Whether writing again takes no more than its share of the time.
    fn is_due(&self) -> bool {
        self.written.is_none_or(|at| self.cost.as_secs_f64() <= SAVING_SHARE * at.elapsed().as_secs_f64())
    }
}

/// The epoch under way, beside what its record tells.
struct EpochState {
    epoch: u64,
    /// Counts which units fire in its batches, where nothing tells more.
    screening: Option<FrequencyCount>,
    /// Of a program: which units get a gradient.
    rows_reached: Option<ZeroGradientScreen>,
    stopped: Option<Outcome>,
}

impl EpochState {
    /// Whether a unit was silent in all of its batches.
    fn has_silent_unit(&self) -> bool {
        self.screening.as_ref().is_some_and(FrequencyCount::has_silent_unit)
    }
}

impl Trainer<'_> {
    /// Trains to the end, or until stopped.
    pub fn run(mut self) -> Result<Outcome, TrainError> {
        if self.progress.epochs_done == 0 {
            self.save_state()?;
        }
        for epoch in self.progress.epochs_done..self.config.training.epochs {
            let state = self.epoch(epoch)?;
            let (stopped, whole) = (state.stopped, !self.is_partial());
            self.close_epoch(state)?;
            if whole {
                self.progress.epochs_done += 1;
                self.save_state()?;
            }
            if let Some(outcome) = stopped {
                return self.end(outcome);
            }
            if self.stopped_early.is_some() {
                break;
            }
        }
        self.end(Outcome::Finished)
    }

    fn epoch(&mut self, epoch: u64) -> Result<EpochState, TrainError> {
        let samples = self.dataset.train.len();
        self.optimizer.set_lr(self.config.lr(epoch));
        let order = self.order(epoch);
        self.recorder.begin_epoch(epoch, self.outlook(epoch));
        let screens = self.config.capture.activations && !self.cheap_exact_pass;
        let mut state = EpochState {
            epoch,
            screening: screens.then(|| FrequencyCount::screening(self.network.layers().len())),
            rows_reached: self.row_screen(),
            stopped: None,
        };
        for start in (0..samples).step_by(self.batch as usize) {
            state.stopped = (self.stop)();
            let length = self.batch.min(samples - start);
            let place = match state.stopped {
                Some(_) => StepPlace::Stopped,
                None if start + length == samples => StepPlace::Last,
                None => StepPlace::Inside,
            };
            let (x, y) = self.samples(order.as_ref(), start, length);
            let plan = self.recorder.plan_step(place);
            let measured = self.step(&x, &y, plan.detail.as_ref(), &mut state)?;
            for point in self.recorder.push_step(plan, measured) {
                self.emit(Line::Step(point))?;
            }
            if place != StepPlace::Inside {
                break;
            }
        }
        Ok(state)
    }

    /// Returns the screen that stands in for activations where they cannot be measured.
    fn row_screen(&self) -> Option<ZeroGradientScreen> {
        let wanted = self.network.is_program() && self.config.capture.parameters == Some(DetailLevel::Full);
        wanted.then(|| {
            ZeroGradientScreen::new(
                self.network.layers(),
                self.network.parameters(),
                self.network.units_first(),
            )
        })
    }

    /// Whether the run ends after this epoch, or could: the last one is always captured.
    fn outlook(&self, epoch: u64) -> EpochOutlook {
        let patience = self.config.training.patience.zip(self.progress.best);
        let is_patient = patience.is_none_or(|(patience, best)| epoch < best.epoch + patience);
        if epoch + 1 == self.config.training.epochs || !is_patient {
            EpochOutlook::Ends
        } else {
            EpochOutlook::GoesOn
        }
    }

    /// Whether the run was stopped inside the epoch under way.
    fn is_partial(&self) -> bool {
        self.recorder.samples() < self.dataset.train.len() as u64
    }

    /// The order of the samples in this epoch; none where a step takes them all.
    fn order(&self, epoch: u64) -> Option<Tensor> {
        let rows = self.dataset.train.len();
        // A different stream each epoch that no draw before it can shift.
        tch::manual_seed(
            self.config.training.seed.wrapping_add((epoch as i64 + 1).wrapping_mul(1_000_003)) & i64::MAX,
        );
        (self.batch < rows)
            .then(|| Tensor::randperm(rows, (Kind::Int64, Device::Cpu)).to_device(self.config.device))
    }

    fn samples(&self, order: Option<&Tensor>, start: i64, length: i64) -> (Tensor, Tensor) {
        let train = &self.dataset.train;
        match order {
            None => (train.x.shallow_clone(), train.y.shallow_clone()),
            Some(order) => {
                let chosen = order.narrow(0, start, length);
                (train.x.index_select(0, &chosen), train.y.index_select(0, &chosen))
            }
        }
    }

    /// One step of the optimizer, measured, and captured in this detail.
    fn step(
        &mut self,
        x: &Tensor,
        y: &Tensor,
        detail: Option<&CaptureDetail>,
        state: &mut EpochState,
    ) -> Result<MeasuredStep, TrainError> {
        let settings = self.config.capture;
        let mut probe =
            (detail.is_some() && settings.activations).then(|| Probe::new(self.network.layers().len()));
        let loss = self.backward(x, y, probe.as_mut(), state.screening.as_mut())?;
        let non_finite = self.progress.non_finite.forward(self.network, x, loss)?;
        self.timed(|t| state.rows_reached.iter_mut().for_each(|rows| rows.add(t.network.parameters())));
        let mut capture = match detail {
            None => None,
            Some(_) if !settings.measures_layers() => Some(Vec::new()),
            Some(detail) => {
                Some(self.timed(|t| t.capture(detail, probe.as_ref(), state.screening.as_ref()))?)
            }
        };
        let (mut layers, grad_l2) = match settings.measures_layers() {
            true => self.timed(|t| t.meter.before_update(t.network.parameters())),
            false => (Vec::new(), f64::NAN),
        };
        self.update();
        let decay_alignment = self.timed(|t| {
            let captured = capture.as_deref_mut().zip(detail.map(|detail| detail.update));
            t.meter.after_update(t.network.parameters(), &mut layers, captured)
        });
        let non_finite =
            non_finite.or_else(|| self.progress.non_finite.backward(self.network.layers(), &layers));
        let samples = x.size()[0] as u64;
        Ok(MeasuredStep { loss, samples, grad_l2, layers, decay_alignment, non_finite, capture })
    }

    /// Forward and backward; the loss.
    fn backward(
        &mut self,
        x: &Tensor,
        y: &Tensor,
        probe: Option<&mut Probe>,
        activation_frequency: Option<&mut FrequencyCount>,
    ) -> Result<f64, TrainError> {
        self.optimizer.zero_grad()?;
        let mut hooks = HookPair { probe, activation_frequency, spent: Duration::ZERO };
        let watched = hooks.probe.is_some() || hooks.activation_frequency.is_some();
        let output = self.network.forward(x, Mode::Train, watched.then_some(&mut hooks))?;
        self.progress.capture_s += hooks.spent.as_secs_f64();
        let loss = self.objective.loss(&output, y);
        loss.f_backward()?;
        Ok(loss.double_value(&[]))
    }

    /// Captures the layers after backward.
    fn capture(
        &self,
        detail: &CaptureDetail,
        probe: Option<&Probe>,
        screening: Option<&FrequencyCount>,
    ) -> Result<Vec<LayerCapture>, TrainError> {
        let (layers, parameters) = (self.network.layers(), self.network.parameters());
        let mut captures = probe::capture(layers, parameters, probe, detail, self.threads);
        let suspect = screening.is_some_and(FrequencyCount::has_silent_unit);
        // In between, the batches of a whole epoch tell well enough.
        let due = self.cheap_exact_pass || (suspect && self.recorder.state().steps_done == 0);
        let exact = if due && self.config.capture.activations { self.exact_pass()? } else { None };
        if let Some(count) = exact.as_ref().or(screening) {
            count.write(&mut captures);
        }
        Ok(captures)
    }

    fn exact_pass(&self) -> Result<Option<FrequencyCount>, TrainError> {
        exact_pass::count(self.network, &self.dataset.train, self.extent())
    }

    /// How much of the training set an exact pass goes through.
    fn extent(&self) -> exact_pass::Extent {
        if self.cheap_exact_pass { exact_pass::Extent::Whole } else { exact_pass::Extent::UntilKnown }
    }

    /// Clips the gradients, where that is asked for, and steps.
    fn update(&mut self) {
        if let Some(max) = self.config.training.clip_norm {
            self.optimizer.clip_grad_norm(max);
        }
        if let Some(max) = self.config.training.clip_value {
            self.optimizer.clip_grad_value(max);
        }
        self.optimizer.step();
    }

    /// Scores the epoch, keeps the best parameters, and writes the epoch if it was captured.
    fn close_epoch(&mut self, state: EpochState) -> Result<(), TrainError> {
        let epoch = state.epoch;
        let dev = self.evaluate(self.dataset.dev.as_ref())?;
        let partial = self.is_partial();
        // Part of an epoch counts for nothing: the run that goes on makes a whole one of it.
        if let Some((_, score)) = dev.filter(|_| !partial) {
            self.judge(epoch, score);
        }
        let ends = epoch + 1 == self.config.training.epochs
            || state.stopped.is_some()
            || self.stopped_early.is_some();
        let outlook = if ends { EpochOutlook::Ends } else { EpochOutlook::GoesOn };
        let Some(mut capture) = self.recorder.take_capture(outlook) else { return Ok(()) };
        if let Some(rows) = &state.rows_reached {
            rows.write(&mut capture.layers);
            forget_absent_gradients(self.network.layers(), &mut capture.layers);
        }
        let mut count =
            (ends && state.has_silent_unit()).then(|| FrequencyCount::exact(self.network.layers().len()));
        let (_, train_score) = self.evaluate_train(count.as_mut())?;
        capture.at_end = count.map(|count| {
            let mut layers = capture.layers.clone();
            count.write(&mut layers);
            layers
        });
        // Only to be looked at: nothing is chosen by it.
        let test = self.evaluate(self.dataset.test.as_ref())?;
        let scores = EpochScores { partial, lr: self.config.lr(epoch), train_score, dev, test };
        let line = self.recorder.close_epoch(capture, scores);
        self.emit(Line::Epoch(line))
    }

    /// Loss and score of a split, if there is one.
    fn evaluate(&self, split: Option<&Rows>) -> Result<Option<(f64, f64)>, TrainError> {
        split.map(|split| self.objective.evaluate(self.network, split)).transpose()
    }

    /// Loss and score of the training set. The same pass counts how often units fire, where it can.
    fn evaluate_train(&mut self, firing: Option<&mut FrequencyCount>) -> Result<(f64, f64), TrainError> {
        let train = &self.dataset.train;
        let Some(firing) = firing else { return self.objective.evaluate(self.network, train) };
        if !exact_pass::shows_in_evaluation(self.network) {
            let exact = self.timed(|t| t.exact_pass())?;
            exact.into_iter().for_each(|exact| *firing = exact);
            return self.objective.evaluate(self.network, train);
        }
        let mut hooks = HookPair { probe: None, activation_frequency: Some(firing), spent: Duration::ZERO };
        let result = self.objective.evaluate_watched(self.network, train, Some(&mut hooks));
        self.progress.capture_s += hooks.spent.as_secs_f64();
        result
    }

    /// Judges an epoch by its score on the dev set: the best so far, or the end of patience.
    fn judge(&mut self, epoch: u64, score: f64) {
        match self.progress.best {
            Some(best) if !best.is_beaten_by(score) => {
                let patience =
                    self.config.training.patience.filter(|patience| epoch >= best.epoch + patience);
                self.stopped_early = patience.map(|patience| EarlyStop { patience, best_epoch: best.epoch });
            }
            _ => {
                self.progress.best = Some(BestEpoch { epoch, score });
                let wanted = self.dataset.test.is_some()
                    || self.config.save_model
                    || boundary::applies_to(self.dataset);
                if wanted && self.network.can_go_back() {
                    self.best = Some(self.network.snapshot());
                }
            }
        }
    }

    /// Keeps the state at the end of an epoch, and writes it if that is due.
    fn save_state(&mut self) -> Result<(), TrainError> {
        self.progress.wall_s = self.before + self.started.elapsed().as_secs_f64();
        self.timed(|t| {
            let Some(saving) = &mut t.saving else { return Ok(()) };
            let (progress, recorder) = (t.progress.clone(), t.recorder.state().clone());
            saving.state = Some(State::new(progress, recorder, t.network, &t.optimizer, t.best.as_ref()));
            if saving.is_due() { t.write_state() } else { Ok(()) }
        })
    }

    /// Writes the last state that was kept, unless it is written.
    fn write_state(&mut self) -> Result<(), TrainError> {
        let Some(saving) = &mut self.saving else { return Ok(()) };
        let Some(state) = saving.state.take() else { return Ok(()) };
        let start = Instant::now();
        self.observer.keep(STATE_FILE, &state.checkpoint(&saving.header))?;
        saving.cost = start.elapsed();
        saving.written = Some(Instant::now());
        Ok(())
    }

    fn end(mut self, outcome: Outcome) -> Result<Outcome, TrainError> {
        self.timed(Self::write_state)?;
        if let Some(point) = self.recorder.finish() {
            self.emit(Line::Step(point))?;
        }
        let wall_s = self.before + self.started.elapsed().as_secs_f64();
        let mut epoch = self.progress.epochs_done.saturating_sub(1);
        if let (Some(best), Some(parameters)) = (self.progress.best, &self.best) {
            self.network.restore(parameters);
            epoch = best.epoch;
        }
        let test = self.evaluate(self.dataset.test.as_ref())?;
        let test = test.map(|(loss, score)| TestResult { loss, score, epoch });
        let boundary = self.boundary(epoch)?;
        if self.config.save_model {
            self.observer.keep(MODEL_FILE, &self.model(epoch))?;
        }
        self.emit(Line::End(End {
            outcome,
            epochs_done: self.progress.epochs_done,
            steps_done: self.recorder.state().steps_done,
            wall_s,
            capture_s: self.progress.capture_s,
            test,
            // Whoever stopped it was first.
            early_stop: self.stopped_early.filter(|_| outcome == Outcome::Finished),
            boundary,
        }))?;
        Ok(outcome)
    }

    /// Its answers on the plane of its two inputs, where it has two.
    fn boundary(&self, epoch: u64) -> Result<Option<Box<Boundary>>, TrainError> {
        match boundary::measure(epoch, self.config.training.seed, self.network, &self.objective, self.dataset)
        {
            // A program that does not take the points of a grid has been trained all the same.
            Err(TrainError::Script(_)) => Ok(None),
            other => other,
        }
    }

    /// The parameters as they are, with what they are.
    fn model(&self, epoch: u64) -> Checkpoint {
        let words = [
            // What other readers of the format go by.
            ("format", "pt".to_owned()),
            ("gradscope", env!("CARGO_PKG_VERSION").to_owned()),
            ("model", self.config.model.name().to_owned()),
            ("epoch", epoch.to_string()),
        ];
        let metadata: BTreeMap<String, String> = words.map(|(key, value)| (key.to_owned(), value)).into();
        Checkpoint { metadata, tensors: self.network.snapshot() }
    }

    fn emit(&mut self, line: Line) -> Result<(), TrainError> {
        Ok(self.timed(|t| t.observer.observe(line))?)
    }

    /// Does a part of the measuring, and counts its time.
    fn timed<T>(&mut self, measure: impl FnOnce(&mut Self) -> T) -> T {
        let start = Instant::now();
        let result = measure(self);
        self.progress.capture_s += start.elapsed().as_secs_f64();
        result
    }
}

/// A parameter that the loss does not depend on has no gradient, which is another thing than one of zero.
fn forget_absent_gradients(layers: &[Layer], captures: &mut [LayerCapture]) {
    for (layer, capture) in layers.iter().zip(captures) {
        // Where another batch of the epoch gave it one, this one has only left it out.
        if let (true, None, Some(steps)) = (layer.trainable, &capture.weight_grad, &mut capture.steps) {
            steps.grad_l2 = steps.grad_l2.filter(|norm| norm.max != 0.0);
        }
    }
}
