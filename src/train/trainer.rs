//! The training loop: config in, record lines out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::TrainError;
use super::boundary;
use super::capture::Detail;
use super::checkpoint::Checkpoint;
use super::config::Config;
use super::data::Dataset;
use super::firing;
use super::network::{Mode, Network, Snapshot};
use super::norms::{LayerNorms, StepMeter};
use super::objective::Objective;
use super::optimizer::Optimizer;
use super::probe::{self, Both, FiringCount, Probe};
use super::run::{Observer, Stop};
use super::state::{BestEpoch, Progress, STATE_FILE, State};
use super::zero_rows::RowScreen;
use crate::record::{
    EarlyStop, End, Epoch, Form, Header, Layer, LayerCapture, Line, Outcome, Step, TestResult, in_full,
};

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
    pub progress: Progress,
    /// The parameters with the best dev score so far, if anybody will want them.
    pub best: Option<Snapshot>,
    pub stopped_early: Option<EarlyStop>,
    /// What is saved to go on from, if that is asked for.
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
    /// For the run with this header.
    pub fn of(header: Header) -> Self {
        Self { header, state: None, written: None, cost: Duration::ZERO }
    }

    /// Whether writing again takes no more than its share of the time.
    fn is_due(&self) -> bool {
        self.written.is_none_or(|at| self.cost.as_secs_f64() <= SAVING_SHARE * at.elapsed().as_secs_f64())
    }
}

/// What became of one epoch.
struct EpochState {
    loss_sum: f64,
    rows: i64,
    grad_l2: f64,
    norms: Vec<LayerNorms>,
    /// Of a program: which units get a gradient.
    rows_reached: Option<RowScreen>,
    /// Whether it is one of those that a run of any length captures.
    scheduled: bool,
    capture: Option<Vec<LayerCapture>>,
    /// Whether a unit was silent in all batches of an epoch in which nothing told more.
    suspect: bool,
    stopped: Option<Outcome>,
}

impl Trainer<'_> {
    /// Trains to the end, or until stopped.
    pub fn run(mut self) -> Result<Outcome, TrainError> {
        if self.progress.epochs_done == 0 {
            self.save_state()?;
        }
        for epoch in self.progress.epochs_done..self.config.epochs {
            let state = self.epoch(epoch)?;
            let (stopped, whole) = (state.stopped, state.rows == self.dataset.train.len());
            self.close_epoch(epoch, state)?;
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
        let rows = self.dataset.train.len();
        self.optimizer.set_lr(self.config.lr(epoch));
        let order = self.order(epoch);
        let scheduled = self.progress.epoch_thinning.keep(epoch);
        let mut keep = scheduled || self.may_be_last(epoch);
        let mut screening = (self.config.capture.activations && !self.cheap_exact_pass)
            .then(|| FiringCount::new(self.network.layers().len(), false));
        let mut state = EpochState {
            loss_sum: 0.0,
            rows: 0,
            grad_l2: f64::NAN,
            norms: self.network.layers().iter().map(|_| LayerNorms::default()).collect(),
            rows_reached: self.row_screen(),
            scheduled,
            capture: None,
            suspect: false,
            stopped: None,
        };
        for start in (0..rows).step_by(self.batch as usize) {
            state.stopped = (self.stop)();
            keep |= state.stopped.is_some();
            let length = self.batch.min(rows - start);
            let last = start + length == rows || state.stopped.is_some();
            let (x, y) = self.rows(order.as_ref(), start, length);
            let number = self.progress.steps_done;
            let alone = self.config.capture.layers()
                && (number == 0 || self.config.capture_every.is_some_and(|k| number.is_multiple_of(k)));
            let of_epoch = last && keep;
            let may_end = self.may_be_last(epoch) || state.stopped.is_some();
            let drawn = number == 0 || (of_epoch && (may_end || self.is_in_full()));
            // Whether rows are still alike is asked of the first captures: later ones of steps, which
            // are many, need not tell.
            let early = self.config.capture_every.is_none_or(|k| number <= k);
            let form = self.config.capture.form(drawn);
            let form = (of_epoch || alone).then_some(Form { rows: form.rows || of_epoch || early, ..form });
            let (mut step, captured) =
                self.step(epoch, &x, &y, form.as_ref(), screening.as_mut(), &mut state)?;
            // Where the run ends does not change what it tells of its steps.
            let inside = alone && !(last && scheduled);
            // Only what was before the first step is looked at again.
            let history = || captured.iter().flatten().map(LayerCapture::condensed).collect();
            step.capture = match (&captured, number) {
                (Some(_), 1..) if inside => Some(history()),
                (first, _) => first.as_ref().filter(|_| inside).cloned(),
            };
            state.capture = captured.filter(|_| of_epoch);
            state.suspect = screening.as_ref().is_some_and(FiringCount::has_silent_unit);
            for point in self.progress.step_thinning.push(step) {
                self.emit(Line::Step(point))?;
            }
            self.progress.steps_done += 1;
            if last {
                break;
            }
        }
        Ok(state)
    }

    /// What stands in for activations where they cannot be measured.
    fn row_screen(&self) -> Option<RowScreen> {
        let wanted = self.network.is_program() && self.config.capture.parameters == Detail::Distributions;
        wanted.then(|| {
            RowScreen::new(self.network.layers(), self.network.parameters(), self.network.units_first())
        })
    }

    /// Whether the run ends after this epoch, or could: the last one is always captured.
    fn may_be_last(&self, epoch: u64) -> bool {
        let patience = self.config.patience.zip(self.progress.best);
        let patient = patience.is_none_or(|(patience, best)| epoch < best.epoch + patience);
        epoch + 1 == self.config.epochs || !patient
    }

    /// Whether the present epoch, if it is captured, is kept in full whatever follows it.
    fn is_in_full(&self) -> bool {
        let number = self.progress.epoch_thinning.kept().saturating_sub(1);
        in_full(number, self.network.layers().len())
    }

    /// The order of the rows in this epoch; none where a step takes them all.
    fn order(&self, epoch: u64) -> Option<Tensor> {
        let rows = self.dataset.train.len();
        // A different stream each epoch that no draw before it can shift.
        tch::manual_seed(
            self.config.seed.wrapping_add((epoch as i64 + 1).wrapping_mul(1_000_003)) & i64::MAX,
        );
        (self.batch < rows)
            .then(|| Tensor::randperm(rows, (Kind::Int64, Device::Cpu)).to_device(self.config.device))
    }

    fn rows(&self, order: Option<&Tensor>, start: i64, length: i64) -> (Tensor, Tensor) {
        let train = &self.dataset.train;
        match order {
            None => (train.x.shallow_clone(), train.y.shallow_clone()),
            Some(order) => {
                let chosen = order.narrow(0, start, length);
                (train.x.index_select(0, &chosen), train.y.index_select(0, &chosen))
            }
        }
    }

    /// One step of the optimizer, measured, and captured in this form.
    fn step(
        &mut self,
        epoch: u64,
        x: &Tensor,
        y: &Tensor,
        form: Option<&Form>,
        screening: Option<&mut FiringCount>,
        state: &mut EpochState,
    ) -> Result<(Step, Option<Vec<LayerCapture>>), TrainError> {
        let what = self.config.capture;
        let mut probe = (form.is_some() && what.activations).then(|| Probe::new(self.network.layers().len()));
        self.optimizer.zero_grad()?;
        let mut taps = Both { probe: probe.as_mut(), firing: screening, spent: Duration::ZERO };
        let watched = taps.probe.is_some() || taps.firing.is_some();
        let output = self.network.forward(x, Mode::Train, watched.then_some(&mut taps))?;
        let Both { probe, firing: screened, spent } = taps;
        self.progress.capture_s += spent.as_secs_f64();
        let loss = self.objective.loss(&output, y);
        loss.f_backward()?;
        let loss = loss.double_value(&[]);
        let non_finite = self.progress.non_finite.forward(self.network, x, loss)?;
        self.timed(|t| state.rows_reached.iter_mut().for_each(|rows| rows.add(t.network.parameters())));
        let mut captured = self.timed(|t| {
            let Some(form) = form else { return Ok(None) };
            if !what.layers() {
                return Ok(Some(Vec::new()));
            }
            let mut layers =
                probe::capture(t.network.layers(), t.network.parameters(), probe.as_deref(), form, t.threads);
            let suspect = screened.as_ref().is_some_and(|s| s.has_silent_unit());
            // In between, the batches of a whole epoch tell well enough.
            let due = t.cheap_exact_pass || (suspect && t.progress.steps_done == 0);
            let exact = if due && what.activations {
                firing::exact(t.network, &t.dataset.train, t.cheap_exact_pass)?
            } else {
                None
            };
            if let Some(count) = exact.as_ref().or(screened.as_deref()) {
                count.write(&mut layers);
            }
            Ok::<_, TrainError>(Some(layers))
        })?;
        let (layers, grad_l2) = match what.layers() {
            true => self.timed(|t| t.meter.before_update(t.network.parameters())),
            false => (Vec::new(), f64::NAN),
        };
        if let Some(max) = self.config.clip_norm {
            self.optimizer.clip_grad_norm(max);
        }
        if let Some(max) = self.config.clip_value {
            self.optimizer.clip_grad_value(max);
        }
        self.optimizer.step();
        let layers = self.timed(|t| {
            let captured = captured.as_deref_mut().zip(form.map(|form| form.update));
            t.meter.after_update(t.network.parameters(), layers, captured)
        });
        let non_finite =
            non_finite.or_else(|| self.progress.non_finite.backward(self.network.layers(), &layers));

        state.loss_sum += loss * x.size()[0] as f64;
        state.rows += x.size()[0];
        state.grad_l2 = grad_l2;
        for (norms, layer) in state.norms.iter_mut().zip(&layers) {
            norms.push(layer);
        }
        let step = Step {
            epoch,
            step: self.progress.steps_done,
            steps: 1,
            loss: loss.into(),
            grad_l2: grad_l2.into(),
            layers,
            non_finite,
            capture: None,
        };
        Ok((step, captured))
    }

    /// Scores the epoch, keeps the best parameters, and writes the epoch if it was captured.
    fn close_epoch(&mut self, epoch: u64, state: EpochState) -> Result<(), TrainError> {
        let dev =
            self.dataset.dev.as_ref().map(|dev| self.objective.evaluate(self.network, dev)).transpose()?;
        let partial = state.rows < self.dataset.train.len();
        // Part of an epoch counts for nothing: the run that goes on makes a whole one of it.
        if let Some((_, score)) = dev.filter(|_| !partial) {
            self.judge(epoch, score);
        }
        self.progress.ended = None;
        let mut shrinking = self.meter.take_shrinking().unwrap_or_default().into_iter();
        let ends = epoch + 1 == self.config.epochs || state.stopped.is_some() || self.stopped_early.is_some();
        // It was captured in case that patience ended, and the epoch turned out to be a good one.
        let captured = state.capture.filter(|_| state.scheduled || ends);
        let Some(mut layers) = captured else { return Ok(()) };
        for (layer, norms) in layers.iter_mut().zip(state.norms) {
            layer.steps = Some(norms.spreads(shrinking.next().flatten()));
        }
        if let Some(rows) = &state.rows_reached {
            rows.write(&mut layers);
            forget_absent_gradients(self.network.layers(), &mut layers);
        }
        let mut firing = (ends && state.suspect).then(|| FiringCount::new(self.network.layers().len(), true));
        let (_, train_score) = self.evaluate_train(firing.as_mut())?;
        // Only to be looked at: nothing is chosen by it.
        let test =
            self.dataset.test.as_ref().map(|test| self.objective.evaluate(self.network, test)).transpose()?;
        let mut line = Epoch {
            epoch,
            step: self.progress.steps_done - 1,
            source: None,
            partial,
            lr: self.config.lr(epoch),
            train_loss: state.loss_sum / state.rows as f64,
            train_score,
            dev_loss: dev.map(|d| d.0),
            dev_score: dev.map(|d| d.1),
            test_loss: test.map(|t| t.0),
            test_score: test.map(|t| t.1),
            grad_l2: state.grad_l2,
            layers,
        };
        // The last one is drawn.
        let history = !self.is_in_full();
        // Where the run ends must not change what it would hold if it went on.
        if let Some(count) = firing {
            self.progress.ended = state.scheduled.then(|| {
                let mut line = line.clone();
                if history {
                    line.condense();
                }
                line
            });
            count.write(&mut line.layers);
        }
        if history && !ends {
            line.condense();
        }
        self.emit(Line::Epoch(line))
    }

    /// Loss and score of the training set. The same pass counts how often units fire, where it can.
    fn evaluate_train(&mut self, firing: Option<&mut FiringCount>) -> Result<(f64, f64), TrainError> {
        let train = &self.dataset.train;
        let Some(firing) = firing else { return self.objective.evaluate(self.network, train) };
        if !firing::shows_in_evaluation(self.network) {
            let exact = self.timed(|t| firing::exact(t.network, &t.dataset.train, t.cheap_exact_pass))?;
            exact.into_iter().for_each(|exact| *firing = exact);
            return self.objective.evaluate(self.network, train);
        }
        let mut taps = Both { probe: None, firing: Some(firing), spent: Duration::ZERO };
        let result = self.objective.evaluate_watched(self.network, train, Some(&mut taps));
        self.progress.capture_s += taps.spent.as_secs_f64();
        result
    }

    /// What an epoch's score on the dev set means: the best so far, or the end of patience.
    fn judge(&mut self, epoch: u64, score: f64) {
        match self.progress.best {
            Some(best) if !best.is_beaten_by(score) => {
                let patience = self.config.patience.filter(|patience| epoch >= best.epoch + patience);
                self.stopped_early = patience.map(|patience| EarlyStop { patience, best_epoch: best.epoch });
            }
            _ => {
                self.progress.best = Some(BestEpoch { epoch, score });
                let wanted =
                    self.dataset.test.is_some() || self.config.save_model || boundary::is_of(self.dataset);
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
            let state = State::of(t.progress.clone(), t.network, &t.optimizer, t.best.as_ref());
            saving.state = Some(state);
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
        if let Some(point) = self.progress.step_thinning.flush() {
            self.emit(Line::Step(point))?;
        }
        let wall_s = self.before + self.started.elapsed().as_secs_f64();
        let mut epoch = self.progress.epochs_done.saturating_sub(1);
        if let (Some(best), Some(parameters)) = (self.progress.best, &self.best) {
            self.network.restore(parameters);
            epoch = best.epoch;
        }
        let test = match &self.dataset.test {
            Some(test) => {
                let (loss, score) = self.objective.evaluate(self.network, test)?;
                Some(TestResult { loss, score, epoch })
            }
            None => None,
        };
        let boundary = boundary::of(epoch, self.config.seed, self.network, &self.objective, self.dataset);
        let boundary = match boundary {
            // A program that does not take the points of a grid has been trained all the same.
            Err(TrainError::Script(_)) => None,
            other => other?,
        };
        if self.config.save_model {
            self.observer.keep(MODEL_FILE, &self.model(epoch))?;
        }
        self.emit(Line::End(End {
            outcome,
            epochs_done: self.progress.epochs_done,
            steps_done: self.progress.steps_done,
            wall_s,
            capture_s: self.progress.capture_s,
            test,
            // Whoever stopped it was first.
            early_stop: self.stopped_early.filter(|_| outcome == Outcome::Finished),
            boundary,
        }))?;
        Ok(outcome)
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
