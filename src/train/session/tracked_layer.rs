//! Description by a training loop of one's own of its layers and epochs.

use tch::Tensor;

use crate::record::{Activation, Layer, LayerKind};
use crate::train::network::Parameters;

/// A layer that is recorded: its weight, its bias, and what its output goes through.
pub struct TrackedLayer {
    pub(super) layer: Layer,
    pub(super) parameters: Parameters,
}

impl TrackedLayer {
    /// A layer with this weight, output dimension first, and its bias. Of what kind it is goes by the
    /// weight's dimensions: two are fully connected, three to five a convolution, one is a gain.
    pub fn new(name: &str, weight: &Tensor, bias: Option<&Tensor>) -> Self {
        let shape: Vec<u64> = weight.size().iter().map(|n| *n as u64).collect();
        let kind = match shape.len() {
            2 => LayerKind::Linear,
            3 => LayerKind::Conv1d,
            4 => LayerKind::Conv2d,
            5 => LayerKind::Conv3d,
            _ => LayerKind::Other,
        };
        let layer = Layer {
            name: name.into(),
            kind,
            fan_in: shape.iter().skip(1).product(),
            units: shape.first().copied().unwrap_or(1),
            bias: bias.is_some(),
            parameters: (weight.numel() + bias.map_or(0, Tensor::numel)) as u64,
            shape,
            activation: Activation::Identity,
            output: false,
            normalized: false,
            trainable: weight.requires_grad(),
            branch: None,
        };
        Self { layer, parameters: Parameters::new(weight.shallow_clone(), bias.map(Tensor::shallow_clone)) }
    }

    /// Of another kind than its dimensions say.
    pub fn kind(mut self, kind: LayerKind) -> Self {
        self.layer.kind = kind;
        self
    }

    /// The nonlinearity that its output goes through.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.layer.activation = activation;
        self
    }

    /// A normalisation stands between it and its nonlinearity, or after that.
    pub fn normalized(mut self) -> Self {
        self.layer.normalized = true;
        self
    }

    /// It gives the model's output.
    pub fn output(mut self) -> Self {
        self.layer.output = true;
        self
    }
}

/// Scores and learning rate of an epoch. Scores are accuracies, or minus the mean squared error, so
/// that higher is better; NaN where nobody asked.
#[derive(Clone, Copy, Debug)]
pub struct Scores {
    /// On the training set.
    pub train: f64,
    /// Loss and score on the rows to choose by.
    pub dev: Option<(f64, f64)>,
    /// Learning rate, where it is not the one of the beginning.
    pub lr: Option<f64>,
}

impl Default for Scores {
    fn default() -> Self {
        Self { train: f64::NAN, dev: None, lr: None }
    }
}
