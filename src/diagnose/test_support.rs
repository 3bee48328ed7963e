//! Synthetic records: a healthy run, to which a test then does something.

use crate::record::{
    Activation, ActivationFrequency, Activations, Activity, Epoch, HiddenStateGradient, Layer, LayerCapture,
    LayerKind, LayerSteps, OutputSum, Record, Step,
};
use crate::stats::{Distribution, Spread};
use crate::testing::{self, SAMPLES};

use super::{Diagnosis, Finding, Settings, diagnose};

/// The baseline loss of these records.
pub const BASELINE_LOSS: f64 = 0.693;

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
        let mut header = testing::header(layers.collect());
        header.run.activation = activation.into();
        header.run.training.epochs = 20;
        Self { record: Record::new(header) }
    }

    /// Four hidden ReLU layers of eight units, so many epochs of ten steps, the loss falling from that
    /// of guessing by a tenth an epoch.
    pub fn healthy(epochs: u64) -> Self {
        Self::run(
            &[2, 8, 8, 8, 8, 1],
            Activation::Relu,
            [epochs, 10],
            |e| BASELINE_LOSS * 0.9f64.powi(e as i32),
            |_, _| Norms { w: 2.0, g: 0.05, u: 0.02 },
        )
    }

    /// A healthy run whose loss stays where it is.
    pub fn stuck(epochs: u64) -> Self {
        let mut fake = Self::healthy(epochs);
        fake.set_loss(|_| BASELINE_LOSS);
        fake
    }

    /// A stuck run of a plain recurrent layer in front of the output.
    pub fn recurrent(epochs: u64) -> Self {
        let norms = |_, _| Norms { w: 2.0, g: 0.05, u: 0.02 };
        let mut fake = Self::run(&[8, 8, 8, 1], Activation::Tanh, [epochs, 10], |_| BASELINE_LOSS, norms);
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

    /// A run of `[epochs, steps an epoch]` with this loss in every epoch and these norms in every epoch and layer.
    pub fn run(
        widths: &[u64],
        activation: Activation,
        [epochs, steps]: [u64; 2],
        loss: impl Fn(u64) -> f64,
        norms: impl Fn(u64, usize) -> Norms,
    ) -> Self {
        let mut fake = Self::mlp(widths, activation);
        fake.record.header.run.training.epochs = epochs;
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
                let norms = norms.iter().map(|n| [n.w, n.g, n.u]);
                fake.record.steps.push(Step {
                    grad_l2: grad_l2.into(),
                    capture: first.then(|| captured.clone()),
                    ..testing::step(epoch, step, loss(epoch), norms)
                });
            }
            fake.record.epochs.push(Epoch {
                grad_l2,
                ..testing::epoch(epoch, epoch * steps + steps - 1, loss(epoch), captured)
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
            s.layers[layer] = testing::step_layer([n.w, n.g, n.u]);
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

    /// The diagnosis at the default settings.
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
    let shape = [widths[index + 1], widths[index]];
    let output = index + 2 == widths.len();
    Layer { output, ..testing::linear(&format!("fc{}", index + 1), shape, activation) }
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
    let activations = Activations {
        post_sample_std: 0.2,
        saturated_fraction: saturates(layer.activation).then_some(0.0),
        activation_frequency: firing,
        activity: active.then(|| Activity { std: vec![0.2; units], grad: vec![1.0; units] }),
        output_sum: (layer.output && units > 1).then_some(OutputSum { min: -1.0, max: 1.0 }),
        ..testing::activations(layer.units, &[-1.0, 2.0], &[0.3, 0.7])
    };
    LayerCapture {
        bias: Some(Distribution::new(&vec![0.1; units])),
        weight_grad: Some(norm(n.g)),
        bias_grad: Some(norm(n.g)),
        update: Some(norm(n.u)),
        weight_row_deviation: (units > 1).then_some(1.0),
        grad_row_deviation: (units > 1).then_some(1.0),
        activations: Some(activations),
        output_gradient_l2: Some(1.0),
        steps: Some(LayerSteps {
            weight_l2: spread(n.w),
            grad_l2: spread(n.g),
            update_l2: spread(n.u),
            decay_alignment: None,
        }),
        ..testing::capture(&[n.w as f32])
    }
}
