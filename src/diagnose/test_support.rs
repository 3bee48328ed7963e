//! Synthetic records: a healthy run, to which a test then does something.

use crate::record::{
    Activation, ActivationFrequency, Activations, Activity, Data, Epoch, Header, HiddenStateGradient, Layer,
    LayerCapture, LayerKind, LayerSteps, Loss, OutputSum, Record, Run, SCHEMA, Step, StepLayer, Task,
};
use crate::stats::{Distribution, Spread};

use super::{Diagnosis, Finding, Settings, diagnose};

/// What guessing costs in these records.
pub const CHANCE: f64 = 0.693;
/// Samples of the training set.
pub const SAMPLES: u64 = 640;

/// A run of a multi-layer perceptron.
#[derive(Clone)]
pub struct Fake {
    pub record: Record,
}

/// Norms of one layer over an epoch.
#[derive(Clone, Copy)]
pub struct Norms {
    pub w: f64,
    pub g: f64,
    pub u: f64,
}

impl Fake {
    /// Layers `fc1`, `fc2`, … of these widths, inputs first; nothing trained yet.
    pub fn mlp(widths: &[u64], activation: Activation) -> Self {
        let count = widths.len() - 1;
        let layers = (0..count)
            .map(|i| layer(i, widths, if i + 1 == count { Activation::Sigmoid } else { activation }));
        let run = Run {
            optimizer: "sgd".into(),
            lr: 0.01,
            momentum: 0.0,
            weight_decay: 0.0,
            clip_norm: None,
            batch_size: 64,
            init: "default".into(),
            bias: "default".into(),
            activation: activation.name().into(),
            ..Run::new("mlp", Loss::Bce, 20, 10)
        };
        let data = Data {
            name: "moons".into(),
            task: Task::Classification,
            train: SAMPLES,
            dev: 160,
            test: 200,
            inputs: widths[0],
            shape: None,
            classes: vec!["0".into(), "1".into()],
            baseline_loss: CHANCE,
            input_rms: 1.0,
            target_mean: None,
            target_std: None,
        };
        let header = Header {
            schema: SCHEMA.into(),
            gradscope: "0.1.0".into(),
            commit: String::new(),
            libtorch: None,
            command: vec!["gradscope".into(), "run".into()],
            run,
            data,
            layers: layers.collect(),
            ranks: None,
        };
        Self { record: Record::new(header) }
    }

    /// Four hidden ReLU layers of eight units, so many epochs of ten steps, the loss falling from that
    /// of guessing by a tenth an epoch.
    pub fn healthy(epochs: u64) -> Self {
        Self::run(
            &[2, 8, 8, 8, 8, 1],
            Activation::Relu,
            epochs,
            10,
            |e| CHANCE * 0.9f64.powi(e as i32),
            |_, _| Norms { w: 2.0, g: 0.05, u: 0.02 },
        )
    }

    /// A healthy run whose loss stays where it is.
    pub fn stuck(epochs: u64) -> Self {
        let mut fake = Self::healthy(epochs);
        fake.set_loss(|_| CHANCE);
        fake
    }

    /// A stuck run of a plain recurrent layer in front of the output.
    pub fn recurrent(epochs: u64) -> Self {
        let norms = |_, _| Norms { w: 2.0, g: 0.05, u: 0.02 };
        let mut fake = Self::run(&[8, 8, 8, 1], Activation::Tanh, epochs, 10, |_| CHANCE, norms);
        for (layer, part) in [(0, "ih"), (1, "hh")] {
            let header = &mut fake.record.header.layers[layer];
            header.name = format!("rnn1.weight_{part}_l0");
            (header.kind, header.activation) = (LayerKind::Recurrent, Activation::Identity);
            fake.each_capture(layer, |_, l| l.activations = None);
        }
        fake.signal_through_time(|_| vec![1.0; 4]);
        fake
    }

    /// Gives the recurrent layer these norms of the gradient, a step each, at every capture.
    pub fn signal_through_time(&mut self, norms: impl Fn(u64) -> Vec<f32>) {
        self.each_capture(1, |epoch, l| {
            l.hidden_state_gradient = Some(HiddenStateGradient::new(&norms(epoch)))
        });
    }

    /// A run with this loss in every epoch and these norms in every epoch and layer.
    pub fn run(
        widths: &[u64],
        activation: Activation,
        epochs: u64,
        steps: u64,
        loss: impl Fn(u64) -> f64,
        norms: impl Fn(u64, usize) -> Norms,
    ) -> Self {
        let mut fake = Self::mlp(widths, activation);
        fake.record.header.run.epochs = epochs;
        fake.record.header.run.steps_per_epoch = steps;
        let layers = fake.record.header.layers.clone();
        for epoch in 0..epochs {
            let norms: Vec<Norms> = (0..layers.len()).map(|i| norms(epoch, i)).collect();
            let captured: Vec<LayerCapture> =
                layers.iter().zip(&norms).map(|(l, n)| capture(l, *n)).collect();
            let grad_l2 = norms.iter().map(|n| n.g * n.g).sum::<f64>().sqrt();
            for s in 0..steps {
                let step = epoch * steps + s;
                let first = step == 0 && steps > 1;
                fake.record.steps.push(Step {
                    epoch,
                    step,
                    steps: 1,
                    loss: loss(epoch).into(),
                    grad_l2: grad_l2.into(),
                    layers: norms
                        .iter()
                        .map(|n| StepLayer {
                            weight_l2: n.w.into(),
                            grad_l2: n.g.into(),
                            update_l2: n.u.into(),
                        })
                        .collect(),
                    non_finite: None,
                    capture: first.then(|| captured.clone()),
                });
            }
            fake.record.epochs.push(Epoch {
                epoch,
                step: epoch * steps + steps - 1,
                source: None,
                partial: false,
                lr: fake.record.header.run.lr,
                train_loss: loss(epoch),
                train_score: 0.9,
                dev_loss: Some(loss(epoch)),
                dev_score: Some(0.88),
                test_loss: None,
                test_score: None,
                grad_l2,
                layers: captured,
            });
        }
        fake
    }

    /// Gives every epoch and its steps another loss.
    pub fn set_loss(&mut self, loss: impl Fn(u64) -> f64) {
        for s in &mut self.record.steps {
            s.loss = loss(s.epoch).into();
        }
        for e in &mut self.record.epochs {
            (e.train_loss, e.dev_loss) = (loss(e.epoch), Some(loss(e.epoch)));
        }
    }

    /// Changes one layer at every capture point.
    pub fn each_capture(&mut self, layer: usize, mut change: impl FnMut(u64, &mut LayerCapture)) {
        for s in &mut self.record.steps {
            let epoch = s.epoch;
            if let Some(capture) = &mut s.capture {
                change(epoch, &mut capture[layer]);
            }
        }
        for e in &mut self.record.epochs {
            change(e.epoch, &mut e.layers[layer]);
        }
    }

    /// Changes the norms of one layer in every epoch, in its steps as well.
    pub fn set_norms(&mut self, layer: usize, norms: impl Fn(u64) -> Norms) {
        let kind = self.record.header.layers[layer].clone();
        self.each_capture(layer, |epoch, l| {
            let new = capture(&kind, norms(epoch));
            (l.weight, l.weight_grad, l.update, l.steps) =
                (new.weight, new.weight_grad, new.update, new.steps);
        });
        for s in &mut self.record.steps {
            let n = norms(s.epoch);
            s.layers[layer] = StepLayer { weight_l2: n.w.into(), grad_l2: n.g.into(), update_l2: n.u.into() };
        }
    }

    /// Gives the first so many units of a layer this largest pre-activation from an epoch on, and lets
    /// them fire never.
    pub fn silence(&mut self, layer: usize, units: usize, from: u64, bias: f32, pre: f32) {
        self.each_capture(layer, |epoch, l| {
            if epoch < from {
                return;
            }
            let all = l.activations.as_ref().unwrap().units as usize;
            l.bias = Some(Distribution::new(&vec![bias; all]));
            let activations = l.activations.as_mut().unwrap();
            if units == all {
                activations.pre = Distribution::new(&[pre, pre - 0.1]);
                activations.post = Distribution::new(&[0.0, 0.0]);
            }
            let firing = activations.activation_frequency.as_mut().unwrap();
            firing.rate[..units].fill(0.0);
            firing.max_pre[..units].fill(pre);
        });
    }

    /// What the rules say.
    pub fn diagnose(&self) -> Diagnosis {
        diagnose(&self.record, &Settings::default())
    }

    /// The finding of a rule, if it fired.
    pub fn finding(&self, rule: &str) -> Option<Finding> {
        self.diagnose().findings.into_iter().find(|f| f.rule == rule)
    }
}

/// A value for every step, whatever its epoch.
pub fn set_step(fake: &mut Fake, step: u64, change: impl FnOnce(&mut Step)) {
    change(fake.record.steps.iter_mut().find(|s| s.step == step).unwrap());
}

fn layer(index: usize, widths: &[u64], activation: Activation) -> Layer {
    let (fan_in, units) = (widths[index], widths[index + 1]);
    Layer {
        name: format!("fc{}", index + 1),
        kind: LayerKind::Linear,
        shape: vec![units, fan_in],
        fan_in,
        units,
        bias: true,
        parameters: units * fan_in + units,
        activation,
        output: index + 2 == widths.len(),
        normalized: false,
        trainable: true,
        branch: None,
    }
}

fn saturates(activation: Activation) -> bool {
    matches!(activation, Activation::Sigmoid | Activation::Tanh)
}

/// A healthy layer with these norms.
pub fn capture(layer: &Layer, n: Norms) -> LayerCapture {
    let norm = |x: f64| Distribution::new(&[x as f32]);
    let spread = |x: f64| Some(Spread { min: x, median: x, max: x }).filter(|s| s.median.is_finite());
    let units = layer.units as usize;
    let firing = layer.activation.can_die().then(|| ActivationFrequency {
        samples: SAMPLES,
        exact: true,
        rate: vec![0.5; units],
        max_pre: vec![2.0; units],
    });
    let active = !layer.output && !layer.activation.can_die();
    LayerCapture {
        weight: norm(n.w),
        bias: Some(Distribution::new(&vec![0.1; units])),
        weight_grad: Some(norm(n.g)),
        bias_grad: Some(norm(n.g)),
        update: Some(norm(n.u)),
        weight_row_deviation: (units > 1).then_some(1.0),
        grad_row_deviation: (units > 1).then_some(1.0),
        activations: Some(Activations {
            pre: Distribution::new(&[-1.0, 2.0]),
            post: Distribution::new(&[0.3, 0.7]),
            units: layer.units,
            pre_sample_std: 1.0,
            post_sample_std: 0.2,
            saturated_fraction: saturates(layer.activation).then_some(0.0),
            activation_frequency: firing,
            activity: active.then(|| Activity { std: vec![0.2; units], grad: vec![1.0; units] }),
            output_sum: (layer.output && units > 1).then_some(OutputSum { min: -1.0, max: 1.0 }),
            per_unit: None,
        }),
        output_gradient_l2: Some(1.0),
        hidden_state_gradient: None,
        zero_gradient_units: None,
        steps: Some(LayerSteps {
            weight_l2: spread(n.w),
            grad_l2: spread(n.g),
            update_l2: spread(n.u),
            decay_alignment: None,
        }),
    }
}
