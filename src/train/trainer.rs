//! The training loop: config in, record lines out.

use std::time::{Duration, Instant};

use tch::nn::Optimizer;
use tch::{Device, Kind, Tensor};

use super::TrainError;
use super::config::{BatchSize, Config};
use super::data::Dataset;
use super::device;
use super::model::{Model, Plan};
use super::network::{Mode, Network};
use super::norms::{LayerNorms, StepMeter};
use super::objective::Objective;
use super::probe::{Both, FiringCount, Probe};
use crate::record::{
    End, Epoch, EpochThinning, LayerCapture, Line, NonFinite, Outcome, RecordError, Step, StepLayer,
    StepThinning, TestResult,
};

/// Multiply-adds of a pass over the training set up to which firing is measured exactly at every
/// capture: about a hundredth of a second. Beyond, the training batches screen for silent units, and
/// an exact pass is made for suspects, before the first step and at the end.
const CHEAP_EXACT_PASS: u64 = 50_000_000;
/// Rows of one pass that measures firing.
const FIRING_ROWS: u64 = 8_192;

/// Whoever wants to know what happens: writes it, diagnoses it, shows it.
pub trait Observer {
    /// Takes the next line of the record.
    ///
    /// # Errors
    /// Whatever makes it pointless to train on, such as a full disk.
    fn observe(&mut self, line: Line) -> Result<(), RecordError>;
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
    config.optimizer.check()?;
    let dataset = config.source.dataset(&config.data, config.loss, config.seed, config.device)?;
    let rows = dataset.train.len();
    let batch = match config.batch_size {
        BatchSize::Full => rows,
        BatchSize::Rows(n) => (n as i64).min(rows),
    };
    check_batch_norm(&config.model, rows, batch)?;
    let model = config.model.for_loss(dataset.loss);
    let plan = Plan::new(&model, model.sizes_for(&dataset))?;
    tch::manual_seed(config.seed);
    let network = Network::new(&plan, config.device);
    let threads = config.threads.unwrap_or_else(|| device::threads_for(plan.work(), batch as u64));
    tch::set_num_threads(threads as i32);
    observer.observe(Line::Header(Box::new(config.header(&dataset, &plan, batch as u64, threads))))?;
    let optimizer = config.optimizer.build(network.store())?;
    let objective = Objective::new(dataset.loss, dataset.info.task, model.output());
    Trainer {
        config,
        dataset: &dataset,
        network: &network,
        optimizer,
        objective,
        observer,
        stop,
        batch,
        step: 0,
        epochs_done: 0,
        best: None,
        meter: StepMeter::new(&network, config.optimizer.weight_decay)?,
        step_thinning: StepThinning::default(),
        epoch_thinning: EpochThinning::default(),
        seen_non_finite: false,
        started: Instant::now(),
        capturing: Duration::ZERO,
    }
    .run()
}

/// Batch statistics of a single row are undefined; PyTorch refuses them in the middle of a run.
fn check_batch_norm(model: &Model, rows: i64, batch: i64) -> Result<(), TrainError> {
    let lonely = |batch: i64| batch == 1 || rows % batch == 1;
    let Some(norm) = model.batch_norm().filter(|_| lonely(batch)) else { return Ok(()) };
    let advice = match (batch + 1..=rows).find(|b| !lonely(*b)) {
        Some(better) => format!("use --batch-size {better}"),
        None => "use more rows".into(),
    };
    Err(TrainError::Settings(format!(
        "--norm {} needs at least 2 rows a batch, but --batch-size {batch} leaves a batch of 1 of {rows} rows: {advice}",
        norm.name(),
    )))
}

struct Trainer<'a> {
    config: &'a Config,
    dataset: &'a Dataset,
    network: &'a Network,
    optimizer: Optimizer,
    objective: Objective,
    observer: &'a mut dyn Observer,
    stop: Stop<'a>,
    batch: i64,
    step: u64,
    epochs_done: u64,
    best: Option<Best>,
    meter: StepMeter,
    step_thinning: StepThinning,
    epoch_thinning: EpochThinning,
    seen_non_finite: bool,
    started: Instant,
    capturing: Duration,
}

/// The parameters with the best dev score so far.
struct Best {
    score: f64,
    epoch: u64,
    parameters: Vec<(String, Tensor)>,
}

/// What became of one epoch.
struct EpochState {
    loss_sum: f64,
    rows: i64,
    grad_l2: f64,
    norms: Vec<LayerNorms>,
    capture: Option<Vec<LayerCapture>>,
    stopped: Option<Outcome>,
}

impl Trainer<'_> {
    fn run(mut self) -> Result<Outcome, TrainError> {
        for epoch in 0..self.config.epochs {
            let state = self.epoch(epoch)?;
            let (stopped, whole) = (state.stopped, state.rows == self.dataset.train.len());
            self.close_epoch(epoch, state)?;
            self.epochs_done += u64::from(whole);
            if let Some(outcome) = stopped {
                return self.end(outcome);
            }
        }
        self.end(Outcome::Finished)
    }

    fn epoch(&mut self, epoch: u64) -> Result<EpochState, TrainError> {
        let rows = self.dataset.train.len();
        self.optimizer.set_lr(self.config.lr(epoch));
        let order = self.order(epoch);
        let mut keep = self.epoch_thinning.keep(epoch) || epoch + 1 == self.config.epochs;
        let mut screening = (!self.cheap_exact_pass()).then(|| FiringCount::new(self.network, false));
        let mut state = EpochState {
            loss_sum: 0.0,
            rows: 0,
            grad_l2: f64::NAN,
            norms: self.network.layers().iter().map(|_| LayerNorms::default()).collect(),
            capture: None,
            stopped: None,
        };
        for start in (0..rows).step_by(self.batch as usize) {
            state.stopped = (self.stop)();
            keep |= state.stopped.is_some();
            let length = self.batch.min(rows - start);
            let last = start + length == rows || state.stopped.is_some();
            let (x, y) = self.rows(order.as_ref(), start, length);
            let every = self.config.capture_every.is_some_and(|k| self.step.is_multiple_of(k));
            let capture = (last && keep) || self.step == 0 || every;
            let (mut step, captured) = self.step(epoch, &x, &y, capture, screening.as_mut(), &mut state)?;
            if last && keep {
                state.capture = captured;
            } else {
                step.capture = captured;
            }
            for point in self.step_thinning.push(step) {
                self.emit(Line::Step(point))?;
            }
            self.step += 1;
            if last {
                break;
            }
        }
        Ok(state)
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

    /// One step of the optimizer, measured.
    fn step(
        &mut self,
        epoch: u64,
        x: &Tensor,
        y: &Tensor,
        capture: bool,
        screening: Option<&mut FiringCount>,
        state: &mut EpochState,
    ) -> Result<(Step, Option<Vec<LayerCapture>>), TrainError> {
        let mut probe = capture.then(|| Probe::new(self.network));
        self.optimizer.zero_grad();
        let mut taps = Both(probe.as_mut(), screening);
        let watched = taps.0.is_some() || taps.1.is_some();
        let output = self.network.forward(x, Mode::Train, watched.then_some(&mut taps));
        let Both(probe, screened) = taps;
        let loss = self.objective.loss(&output, y);
        loss.f_backward()?;
        let loss = loss.double_value(&[]);
        let non_finite = self.non_finite_forward(x, loss);
        let mut firing = None;
        if capture {
            let last = epoch + 1 == self.config.epochs || state.stopped.is_some();
            let suspect = screened.as_ref().is_some_and(|s| s.has_silent_unit());
            let exact = self.step == 0 || last || suspect || self.cheap_exact_pass();
            firing = self.timed(|t| if exact { t.exact_firing() } else { None });
        }
        let mut captured = self.timed(|t| {
            probe.map(|probe| {
                let mut layers = probe.capture(t.network);
                if let Some(count) = firing.as_ref().or(screened.as_deref()) {
                    count.write(&mut layers);
                }
                layers
            })
        });
        let (layers, grad_l2) = self.timed(|t| t.meter.before_update(t.network));
        if let Some(max) = self.config.clip_norm {
            self.optimizer.clip_grad_norm(max);
        }
        if let Some(max) = self.config.clip_value {
            self.optimizer.clip_grad_value(max);
        }
        self.optimizer.step();
        let layers = self.timed(|t| t.meter.after_update(t.network, layers, captured.as_deref_mut()));
        let non_finite = non_finite.or_else(|| self.non_finite_backward(&layers));

        state.loss_sum += loss * x.size()[0] as f64;
        state.rows += x.size()[0];
        state.grad_l2 = grad_l2;
        for (norms, layer) in state.norms.iter_mut().zip(&layers) {
            norms.push(layer);
        }
        let step = Step {
            epoch,
            step: self.step,
            steps: 1,
            loss: loss.into(),
            grad_l2: grad_l2.into(),
            layers,
            non_finite,
            capture: None,
        };
        Ok((step, captured))
    }

    /// The first NaN or infinity of the run, if this forward pass holds it: in what a layer put out,
    /// or only in the loss.
    fn non_finite_forward(&mut self, x: &Tensor, loss: f64) -> Option<NonFinite> {
        if self.seen_non_finite || loss.is_finite() {
            return None;
        }
        let mut probe = Probe::new(self.network);
        let _ = tch::no_grad(|| self.network.forward(x, Mode::Observe, Some(&mut probe)));
        let layer = probe.first_non_finite();
        Some(self.non_finite_at(if layer.is_some() { "activation" } else { "loss" }, layer))
    }

    /// The same for the gradients, and for the weights that the update left behind.
    fn non_finite_backward(&mut self, layers: &[StepLayer]) -> Option<NonFinite> {
        if self.seen_non_finite {
            return None;
        }
        // Backward comes from the output: the last layer that is hit was hit first.
        let gradient = layers.iter().rposition(|l| !l.grad_l2.last.is_finite());
        let weight = layers.iter().position(|l| !l.update_l2.last.is_finite());
        match (gradient, weight) {
            (Some(layer), _) => Some(self.non_finite_at("gradient", Some(layer))),
            (None, Some(layer)) => Some(self.non_finite_at("weight", Some(layer))),
            (None, None) => None,
        }
    }

    fn non_finite_at(&mut self, stage: &str, layer: Option<usize>) -> NonFinite {
        self.seen_non_finite = true;
        NonFinite { stage: stage.into(), layer: layer.map(|l| self.network.layers()[l].name.clone()) }
    }

    fn cheap_exact_pass(&self) -> bool {
        let rows = self.dataset.train.len() as u64;
        self.network.work().saturating_mul(rows) <= CHEAP_EXACT_PASS
    }

    /// One pass over the whole training set, if there is a unit that could be dead. Batch normalisation
    /// uses the rows' own statistics: its running ones lag behind, and units that fire in training would
    /// seem dead.
    fn exact_firing(&self) -> Option<FiringCount> {
        if !self.network.layers().iter().any(|l| l.activation.can_die()) {
            return None;
        }
        let mut count = FiringCount::new(self.network, true);
        let train = &self.dataset.train;
        tch::no_grad(|| {
            // Parts of nearly equal size: none is left with a single row.
            let rows = train.len() as u64;
            let part = rows.div_ceil(rows.div_ceil(FIRING_ROWS)) as i64;
            for start in (0..train.len()).step_by(part as usize) {
                let x = train.x.narrow(0, start, part.min(train.len() - start));
                let _ = self.network.forward(&x, Mode::Observe, Some(&mut count));
            }
        });
        Some(count)
    }

    /// Scores the epoch, keeps the best parameters, and writes the epoch if it was captured.
    fn close_epoch(&mut self, epoch: u64, state: EpochState) -> Result<(), TrainError> {
        let dev = self.dataset.dev.as_ref().map(|dev| self.objective.evaluate(self.network, dev));
        if let Some((_, score)) = dev
            && self.dataset.test.is_some()
            && self.best.as_ref().is_none_or(|best| score > best.score || best.score.is_nan())
        {
            self.best = Some(Best { score, epoch, parameters: self.network.snapshot() });
        }
        let mut shrinking = self.meter.take_shrinking(self.network).unwrap_or_default().into_iter();
        let Some(mut layers) = state.capture else { return Ok(()) };
        for (layer, norms) in layers.iter_mut().zip(state.norms) {
            layer.steps = Some(norms.spreads(shrinking.next().flatten()));
        }
        let (_, train_score) = self.objective.evaluate(self.network, &self.dataset.train);
        self.emit(Line::Epoch(Epoch {
            epoch,
            step: self.step - 1,
            partial: state.stopped.is_some() && state.rows < self.dataset.train.len(),
            lr: self.config.lr(epoch),
            train_loss: state.loss_sum / state.rows as f64,
            train_score,
            dev_loss: dev.map(|d| d.0),
            dev_score: dev.map(|d| d.1),
            grad_l2: state.grad_l2,
            layers,
        }))
    }

    fn end(mut self, outcome: Outcome) -> Result<Outcome, TrainError> {
        if let Some(point) = self.step_thinning.flush() {
            self.emit(Line::Step(point))?;
        }
        let wall = self.started.elapsed();
        let last = self.epochs_done.saturating_sub(1);
        let test = self.dataset.test.as_ref().map(|test| {
            let epoch = self.best.as_ref().map_or(last, |best| {
                self.network.restore(&best.parameters);
                best.epoch
            });
            let (loss, score) = self.objective.evaluate(self.network, test);
            TestResult { loss, score, epoch }
        });
        self.emit(Line::End(End {
            outcome,
            epochs_done: self.epochs_done,
            steps_done: self.step,
            wall_s: wall.as_secs_f64(),
            capture_s: self.capturing.as_secs_f64(),
            test,
        }))?;
        Ok(outcome)
    }

    fn emit(&mut self, line: Line) -> Result<(), TrainError> {
        Ok(self.timed(|t| t.observer.observe(line))?)
    }

    /// Does a part of the measuring, and counts its time.
    fn timed<T>(&mut self, measure: impl FnOnce(&mut Self) -> T) -> T {
        let start = Instant::now();
        let result = measure(self);
        self.capturing += start.elapsed();
        result
    }
}
