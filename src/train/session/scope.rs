//! Records a training loop of one's own.
//!
//! The loop stays as it is: every layer's output goes through [`Scope::activation`], the optimizer's step
//! through [`Scope::step`], and every epoch ends with [`Scope::end_epoch`]. What is written is the record
//! that `gradscope run` writes. `examples/own_loop.rs` is a whole program.

use std::path::Path;
use std::time::{Duration, Instant};

use tch::Tensor;

use super::tracked_layer::{Scores, TrackedLayer};
use crate::record::{
    CaptureDetail, CaptureSettings, Data, End, EpochOutlook, EpochScores, Header, Layer, LayerCapture, Line,
    MeasuredStep, Outcome, Recorder, RecorderSettings, RecorderState, Run, SCHEMA, StepPlace, StepPlan,
    Writer,
};
use crate::text::counted;
use crate::train::TrainError;
use crate::train::measure::activation_frequency::FrequencyCount;
use crate::train::measure::non_finite::FirstNonFinite;
use crate::train::measure::norms::StepMeter;
use crate::train::measure::probe::{self, Probe};
use crate::train::network::{ForwardHook, Parameters};

/// Writes the record of a training loop while it goes.
///
/// The first step and the last of every epoch are captured in full (of long runs ever fewer epochs, see
/// [`EpochThinning`](crate::record::EpochThinning)); of the other steps norms are kept. A loop that is killed leaves a record that ends
/// early and can be read.
pub struct Scope {
    writer: Writer,
    header: Header,
    parameters: Vec<Parameters>,
    meter: StepMeter,
    non_finite: FirstNonFinite,
    recorder: Recorder,
    /// The number of the epoch under way, and of its steps so far.
    epoch: u64,
    steps: u64,
    /// Of the pass under way, where it is captured.
    probe: Option<Probe>,
    /// Of the epoch under way, where it is captured.
    activation_frequency: Option<FrequencyCount>,
    /// A layer that [`Scope::activation`] was told of and that there is not.
    unknown_layer: Option<String>,
    started: Instant,
    spent: Duration,
}

impl Scope {
    /// Begins a record. `run` says how long the loop is: [`Run::new`] leaves the rest open. The layers are
    /// in forward order.
    ///
    /// # Errors
    /// [`TrainError::Settings`] for a run without layers, epochs or steps, or names that occur twice;
    /// [`TrainError::Record`] where the file cannot be written.
    pub fn new(path: &Path, run: Run, data: Data, layers: Vec<TrackedLayer>) -> Result<Self, TrainError> {
        if layers.is_empty() || run.training.epochs == 0 || run.steps_per_epoch == 0 {
            let reason = "a record is of at least one layer, one epoch, and one step an epoch";
            return Err(TrainError::Settings(reason.into()));
        }
        let (layers, parameters): (Vec<Layer>, Vec<Parameters>) =
            layers.into_iter().map(|watched| (watched.layer, watched.parameters)).unzip();
        check_names(&layers)?;
        let capture = CaptureSettings::default();
        let weight_decay =
            if run.training.weight_decay.is_finite() { run.training.weight_decay } else { 0.0 };
        let meter = StepMeter::new(&parameters, capture.parameters, weight_decay)?;
        let header = Header {
            schema: SCHEMA.into(),
            gradscope: env!("CARGO_PKG_VERSION").into(),
            commit: gradscope_core::COMMIT.into(),
            libtorch: Some(crate::train::libtorch_version().into()),
            command: std::env::args().collect(),
            run,
            data,
            layers,
            ranks: None,
        };
        let settings = RecorderSettings { layers: header.layers.len(), capture, capture_every: None };
        let mut scope = Self {
            writer: Writer::create(path, &header)?,
            parameters,
            meter,
            non_finite: FirstNonFinite::default(),
            recorder: Recorder::new(settings, RecorderState::new(settings.layers)),
            epoch: 0,
            steps: 0,
            probe: None,
            activation_frequency: None,
            unknown_layer: None,
            started: Instant::now(),
            spent: Duration::ZERO,
            header,
        };
        scope.begin_epoch();
        Ok(scope)
    }

    /// Takes what comes out of a layer's weight (or of the normalisation after it) through its
    /// nonlinearity, and measures both. Outside of training, where nothing asks for gradients, it
    /// measures nothing.
    pub fn activation(
        &mut self,
        layer: &str,
        output: Tensor,
        nonlinearity: impl FnOnce(&Tensor) -> Tensor,
    ) -> Tensor {
        let Some(index) = self.header.layers.iter().position(|l| l.name == layer) else {
            self.unknown_layer.get_or_insert_with(|| layer.into());
            return nonlinearity(&output);
        };
        if !output.requires_grad() {
            return nonlinearity(&output);
        }
        let start = Instant::now();
        let pre = match &mut self.probe {
            Some(probe) => probe.pre_activation(index, output),
            None => output,
        };
        self.spent += start.elapsed();
        let post = nonlinearity(&pre);
        let start = Instant::now();
        let kind = self.header.layers[index].activation;
        if let Some(probe) = &mut self.probe {
            probe.activation(index, kind, &pre, &post);
        }
        if let Some(firing) = &mut self.activation_frequency {
            firing.activation(index, kind, &pre, &post);
        }
        self.spent += start.elapsed();
        post
    }

    /// Measures a step: after `loss.backward()`, with the optimizer's step inside, and before gradients
    /// are set to zero. A gradient is recorded as it is now: clip it in `update`.
    ///
    /// # Errors
    /// [`TrainError::Settings`] where the epoch is over, or a layer was named that there is not;
    /// [`TrainError::Record`] where the record cannot be written.
    pub fn step(&mut self, loss: &Tensor, update: impl FnOnce()) -> Result<(), TrainError> {
        let start = Instant::now();
        self.check_step()?;
        let loss = loss.double_value(&[]);
        let plan = self.plan();
        let mut capture = plan.detail.map(|detail| self.capture(&detail));
        let bad_pass = (!loss.is_finite()).then(|| self.probe.as_ref().and_then(Probe::first_non_finite));
        let non_finite = bad_pass.and_then(|layer| self.non_finite.in_pass(&self.header.layers, layer));
        let (mut layers, grad_l2) = self.meter.before_update(&self.parameters);
        self.spent += start.elapsed();

        update();

        let start = Instant::now();
        let captured = capture.as_deref_mut().zip(plan.detail.map(|detail| detail.update));
        let decay_alignment = self.meter.after_update(&self.parameters, &mut layers, captured);
        let non_finite = non_finite.or_else(|| self.non_finite.backward(&self.header.layers, &layers));
        let measured =
            MeasuredStep { loss, samples: 1, grad_l2, layers, decay_alignment, non_finite, capture };
        for point in self.recorder.push_step(plan, measured) {
            self.writer.write(&Line::Step(point))?;
        }
        self.steps += 1;
        self.watch_next_pass();
        self.spent += start.elapsed();
        Ok(())
    }

    fn check_step(&self) -> Result<(), TrainError> {
        if let Some(name) = &self.unknown_layer {
            let known: Vec<&str> = self.header.layers.iter().map(|l| l.name.as_str()).collect();
            let known = known.join(", ");
            return Err(TrainError::Settings(format!(
                "there is no layer {name:?} to record; there are {known}"
            )));
        }
        let of_epoch = self.header.run.steps_per_epoch;
        if self.steps == of_epoch {
            let steps = counted(of_epoch, "step");
            return Err(TrainError::Settings(format!(
                "epoch {} is over after {steps}: end it first",
                self.epoch
            )));
        }
        Ok(())
    }

    fn capture(&self, detail: &CaptureDetail) -> Vec<LayerCapture> {
        let threads = self.header.run.threads.max(1) as usize;
        let mut layers =
            probe::capture(&self.header.layers, &self.parameters, self.probe.as_ref(), detail, threads);
        if let Some(firing) = &self.activation_frequency {
            firing.write(&mut layers);
        }
        layers
    }

    /// Ends an epoch, after its last step.
    ///
    /// # Errors
    /// [`TrainError::Settings`] where steps are missing; [`TrainError::Record`] where the record cannot
    /// be written.
    pub fn end_epoch(&mut self, scores: Scores) -> Result<(), TrainError> {
        let start = Instant::now();
        let of_epoch = self.header.run.steps_per_epoch;
        if self.steps != of_epoch {
            let (done, all) = (self.steps, counted(of_epoch, "step"));
            return Err(TrainError::Settings(format!("epoch {} ends after {done} of {all}", self.epoch)));
        }
        if let Some(capture) = self.recorder.take_capture(self.outlook()) {
            let scores = EpochScores {
                partial: false,
                lr: scores.lr.unwrap_or(self.header.run.training.lr),
                train_score: scores.train,
                dev: scores.dev,
                test: None,
            };
            let line = self.recorder.close_epoch(capture, scores);
            self.writer.write(&Line::Epoch(line))?;
        }
        self.epoch += 1;
        self.begin_epoch();
        self.spent += start.elapsed();
        Ok(())
    }

    /// Ends the record.
    ///
    /// # Errors
    /// [`TrainError::Record`] where it cannot be written.
    pub fn finish(mut self) -> Result<(), TrainError> {
        if let Some(point) = self.recorder.finish() {
            self.writer.write(&Line::Step(point))?;
        }
        self.writer.write(&Line::End(End {
            outcome: Outcome::Finished,
            epochs_done: self.epoch,
            steps_done: self.recorder.state().steps_done,
            wall_s: self.started.elapsed().as_secs_f64(),
            capture_s: self.spent.as_secs_f64(),
            test: None,
            early_stop: None,
            boundary: None,
        }))?;
        Ok(())
    }

    fn begin_epoch(&mut self) {
        self.recorder.begin_epoch(self.epoch, self.outlook());
        self.steps = 0;
        self.activation_frequency =
            self.recorder.captures_epoch().then(|| FrequencyCount::screening(self.header.layers.len()));
        self.watch_next_pass();
    }

    fn outlook(&self) -> EpochOutlook {
        if self.epoch + 1 == self.header.run.training.epochs {
            EpochOutlook::Ends
        } else {
            EpochOutlook::GoesOn
        }
    }

    /// The plan of the next step.
    fn plan(&self) -> StepPlan {
        let is_last = self.steps + 1 == self.header.run.steps_per_epoch;
        self.recorder.plan_step(if is_last { StepPlace::Last } else { StepPlace::Inside })
    }

    /// Looks into the next pass, where it is captured.
    fn watch_next_pass(&mut self) {
        self.probe = self.plan().detail.map(|_| Probe::new(self.header.layers.len()));
    }
}

/// Every layer needs a name of its own.
fn check_names(layers: &[Layer]) -> Result<(), TrainError> {
    for (index, layer) in layers.iter().enumerate() {
        if layers[..index].iter().any(|earlier| earlier.name == layer.name) {
            return Err(TrainError::Settings(format!(
                "two layers are called {:?}: every layer needs a name of its own",
                layer.name
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::record::settings::{OptimizerKind, TrainingSettings};
    use crate::record::{Loss, Record, RecordError};
    use crate::train::model_metadata::ModelMetadata;
    use crate::train::network::{Network, Objective};
    use crate::train::{BatchSize, Config, Model, Observer, OptimizerSettings, Plan};

    const MODEL: &str = "hidden = [6, 5]\nact = \"relu\"\n";
    const SEED: i64 = 3;

    fn config() -> Config {
        let training = TrainingSettings {
            seed: SEED,
            optimizer: OptimizerKind::Sgd.into(),
            lr: 0.1,
            momentum: 0.9,
            weight_decay: 0.01,
            clip_norm: None,
            ..TrainingSettings::unknown(4)
        };
        let model = Model::parse("own", MODEL).unwrap();
        Config {
            batch_size: BatchSize::Samples(32),
            threads: Some(1),
            ..Config::new(model.into(), "moons".parse().unwrap(), training)
        }
    }

    struct Listener(Option<Record>);

    impl Observer for Listener {
        fn observe(&mut self, line: Line) -> Result<(), RecordError> {
            match (line, &mut self.0) {
                (Line::Header(header), record) => *record = Some(Record::new(*header)),
                (line, Some(record)) => record.push(line).unwrap(),
                _ => unreachable!(),
            }
            Ok(())
        }
    }

    /// The same training by a loop of its own.
    fn by_hand(config: &Config, path: &Path) -> Record {
        let data = config.source.dataset(&config.data, None, SEED, Device::Cpu).unwrap();
        let model = Model::parse("own", MODEL).unwrap().for_loss(data.loss);
        let plan = Plan::new(&model, model.sizes_for(&data)).unwrap();
        tch::manual_seed(SEED);
        let network = Network::new(&plan, Device::Cpu);
        let mut optimizer = OptimizerSettings::new(&config.training)
            .and_then(|settings| settings.build(network.variables(), network.device()))
            .unwrap();
        optimizer.set_lr(0.1);
        let objective = Objective::new(data.loss, data.info.task, model.output());
        let run = config.header(&data, ModelMetadata::from_plan(&model, &plan), 32, 1).run;
        let layers = network
            .layers()
            .iter()
            .zip(network.parameters())
            .map(|(layer, own): (&Layer, &Parameters)| {
                let watched = TrackedLayer::new(&layer.name, &own.weight, own.bias.as_ref())
                    .activation(layer.activation);
                if layer.output { watched.output() } else { watched }
            })
            .collect();
        let mut scope = Scope::new(path, run, data.info.clone(), layers).unwrap();
        let rows = data.train.len();
        for epoch in 0..config.training.epochs as i64 {
            tch::manual_seed(SEED + (epoch + 1) * 1_000_003);
            for rows in Tensor::randperm(rows, (Kind::Int64, Device::Cpu)).split(32, 0) {
                let mut value = data.train.x.index_select(0, &rows);
                for (layer, own) in network.layers().iter().zip(network.parameters()) {
                    let output = value.linear(&own.weight, own.bias.as_ref());
                    let last = layer.output;
                    value = scope.activation(&layer.name, output, |pre| {
                        if last { pre.shallow_clone() } else { pre.relu() }
                    });
                }
                let loss = objective.loss(&value, &data.train.y.index_select(0, &rows));
                optimizer.zero_grad().unwrap();
                loss.backward();
                scope.step(&loss, || optimizer.step()).unwrap();
            }
            let (_, train) = objective.evaluate(&network, &data.train).unwrap();
            let dev = data.dev.as_ref().map(|dev| objective.evaluate(&network, dev).unwrap());
            scope.end_epoch(Scores { train, dev, lr: None }).unwrap();
        }
        scope.finish().unwrap();
        Record::read(path).unwrap().0
    }

    #[test]
    fn a_loop_by_hand_leaves_the_record_that_the_trainer_leaves() {
        let scratch = tempfile::tempdir().unwrap();
        let config = config();
        let mut listener = Listener(None);
        crate::train::train(&config, &mut listener, &|| None).unwrap();
        let (mut own, theirs) = (by_hand(&config, &scratch.path().join("own.jsonl")), listener.0.unwrap());
        assert_eq!(own.header.layers, theirs.header.layers);
        assert_eq!((&own.header.run, &own.header.data), (&theirs.header.run, &theirs.header.data));
        assert_eq!(own.steps.len(), theirs.steps.len());
        for (own, theirs) in own.steps.iter().zip(&theirs.steps) {
            assert_eq!((own.loss, own.grad_l2, &own.layers), (theirs.loss, theirs.grad_l2, &theirs.layers));
        }
        for (own, theirs) in own.epochs.iter_mut().zip(&theirs.epochs) {
            // Firing is counted over the epoch here, and there exactly after it; nothing is tested here.
            let own_firing =
                own.layers.iter_mut().flat_map(|l| &mut l.activations).map(|a| a.activation_frequency.take());
            let fired: Vec<bool> = own_firing.map(|f| f.is_some()).collect();
            assert_eq!(fired, [true, true, false]);
            let mut theirs = theirs.clone();
            theirs
                .layers
                .iter_mut()
                .flat_map(|l| &mut l.activations)
                .for_each(|a| a.activation_frequency = None);
            (theirs.test_loss, theirs.test_score) = (None, None);
            assert_eq!(*own, theirs);
        }
    }

    #[test]
    fn a_loop_that_is_not_what_it_said_is_told_so() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("own.jsonl");
        let weight = Tensor::ones([1, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let data = || {
            let x = Tensor::ones([4, 2], (Kind::Float, Device::Cpu));
            crate::train::describe("two", &x, &Tensor::from_slice(&[0.0f32, 1.0, 2.0, 3.0]), &[]).unwrap()
        };
        let run = |epochs, steps| Run::new("own", Loss::Mse, epochs, steps);
        let fc = || TrackedLayer::new("fc", &weight, None);
        let refused = |run, layers| match Scope::new(&path, run, data(), layers) {
            Err(error) => error.to_string(),
            Ok(_) => String::new(),
        };
        insta::assert_snapshot!(refused(run(1, 1), vec![fc(), fc()]), @r#"two layers are called "fc": every layer needs a name of its own"#);
        insta::assert_snapshot!(refused(run(1, 0), vec![fc()]), @"a record is of at least one layer, one epoch, and one step an epoch");
        assert!(!path.exists());

        let mut scope = Scope::new(&path, run(2, 1), data(), vec![fc()]).unwrap();
        insta::assert_snapshot!(scope.end_epoch(Scores::default()).unwrap_err(), @"epoch 0 ends after 0 of 1 step");
        let loss = |scope: &mut Scope, name: &str| {
            let output = weight.sum(Kind::Float).view([1, 1]);
            let loss = scope.activation(name, output, Tensor::shallow_clone).sum(Kind::Float);
            loss.backward();
            loss
        };
        let first = loss(&mut scope, "fc");
        scope.step(&first, || ()).unwrap();
        insta::assert_snapshot!(scope.step(&first, || ()).unwrap_err(), @"epoch 0 is over after 1 step: end it first");
        scope.end_epoch(Scores::default()).unwrap();
        let stray = loss(&mut scope, "fc7");
        insta::assert_snapshot!(scope.step(&stray, || ()).unwrap_err(), @r#"there is no layer "fc7" to record; there are fc"#);
    }
}
