//! Records made by hand, for tests alone: no training, only what a rule, a picture or a page looks at.
//!
//! Every fake record is built from these parts, so that a new field of a record is named here and nowhere else.
//! A test changes the fields that it is about.

use crate::record::settings::{OptimizerKind, TrainingSettings};
use std::path::{Path, PathBuf};

use crate::record::{
    Activation, Activations, Data, End, Epoch, Header, Layer, LayerCapture, LayerKind, Loss, Outcome, Run,
    SCHEMA, Step, StepLayer, Task,
};
use crate::stats::Distribution;

/// The path of a file under `fixtures/`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)
}

/// Rows of the training set.
pub const SAMPLES: u64 = 640;

/// A header: SGD on two moons, a multi-layer perceptron of these layers.
pub fn header(layers: Vec<Layer>) -> Header {
    let run = Run {
        training: TrainingSettings {
            optimizer: OptimizerKind::Sgd.into(),
            lr: 0.01,
            momentum: 0.0,
            weight_decay: 0.0,
            clip_norm: None,
            ..TrainingSettings::unknown(10)
        },
        batch_size: 64,
        init: "default".into(),
        bias: "default".into(),
        activation: Activation::Relu.into(),
        ..Run::new("mlp", Loss::Bce, 1, 10)
    };
    let data = Data {
        name: "moons".into(),
        task: Task::Classification,
        train: SAMPLES,
        dev: 160,
        test: 200,
        inputs: layers.first().map_or(2, |layer| layer.fan_in),
        shape: None,
        classes: vec!["0".into(), "1".into()],
        baseline_loss: 0.693,
        input_rms: 1.0,
        target_mean: None,
        target_std: None,
    };
    Header {
        schema: SCHEMA.into(),
        gradscope: "0.1.0".into(),
        commit: "unknown".into(),
        libtorch: None,
        command: vec!["gradscope".into(), "run".into()],
        run,
        data,
        layers,
        ranks: None,
    }
}

/// A fully connected layer with a bias, whose weight has the shape `[units, fan_in]`.
pub fn linear(name: &str, [units, fan_in]: [u64; 2], activation: Activation) -> Layer {
    Layer {
        name: name.into(),
        kind: LayerKind::Linear,
        shape: vec![units, fan_in],
        fan_in,
        units,
        bias: true,
        parameters: units * (fan_in + 1),
        activation,
        output: false,
        normalized: false,
        trainable: true,
        branch: None,
    }
}

/// A capture of a layer of which nothing but these weights is known.
pub fn capture(weight: &[f32]) -> LayerCapture {
    LayerCapture::new(Distribution::new(weight))
}

/// The activations of so many units, before and after their nonlinearity.
pub fn activations(units: u64, pre: &[f32], post: &[f32]) -> Activations {
    Activations {
        pre_sample_std: 1.0,
        post_sample_std: 1.0,
        ..Activations::new(Distribution::new(pre), Distribution::new(post), units)
    }
}

/// A step with this loss, of layers with these norms of weight, gradient and update.
pub fn step(epoch: u64, step: u64, loss: f64, norms: impl IntoIterator<Item = [f64; 3]>) -> Step {
    Step {
        epoch,
        step,
        steps: 1,
        loss: loss.into(),
        grad_l2: 1.0.into(),
        layers: norms.into_iter().map(step_layer).collect(),
        non_finite: None,
        capture: None,
    }
}

/// The norms of weight, gradient and update of a layer at a step.
pub fn step_layer([weight, gradient, update]: [f64; 3]) -> StepLayer {
    StepLayer { weight_l2: weight.into(), grad_l2: gradient.into(), update_l2: update.into() }
}

/// A captured epoch that ends with this step, with the same loss on the training and the dev set.
pub fn epoch(epoch: u64, step: u64, loss: f64, layers: Vec<LayerCapture>) -> Epoch {
    Epoch {
        epoch,
        step,
        source: None,
        partial: false,
        lr: 0.01,
        train_loss: loss,
        train_score: 0.9,
        dev_loss: Some(loss),
        dev_score: Some(0.88),
        test_loss: None,
        test_score: None,
        baseline: None,
        grad_l2: 1.0,
        layers,
    }
}

/// The end of a run that went through.
pub fn end(epochs_done: u64, steps_done: u64) -> End {
    End {
        outcome: Outcome::Finished,
        epochs_done,
        steps_done,
        wall_s: 1.0,
        capture_s: 0.1,
        test: None,
        early_stop: None,
        boundary: None,
    }
}
