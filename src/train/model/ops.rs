//! Operations that layers of several kinds have.

use tch::Tensor;

use super::op::Op;
use super::shape::Shape;
use crate::record::{Activation, LayerKind};
use crate::train::network::{Mode, Parameters, Pass};

/// PyTorch's default for the running statistics of batch normalisation.
const BATCH_NORM_MOMENTUM: f64 = 0.1;
/// PyTorch's default for all of them.
const NORM_EPS: f64 = 1e-5;

/// A nonlinearity in a forward pass.
#[derive(Debug)]
pub struct Activate {
    /// The layer that it is of, if any.
    pub layer: Option<usize>,
    pub kind: Activation,
    /// The row of the parameter table that has it.
    pub row: String,
}

impl Op for Activate {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        pass.activate(self.layer, self.kind, &x)
    }

    fn named(&self) -> Option<String> {
        Some(self.row.clone())
    }

    fn activation(&self) -> Option<(&str, Activation)> {
        Some((&self.row, self.kind))
    }

    fn is_view(&self) -> bool {
        self.kind == Activation::Identity
    }
}

/// Dropout with this probability.
#[derive(Clone, Copy, Debug)]
pub struct Dropout(pub f64);

impl Op for Dropout {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        x.dropout(self.0, pass.mode == Mode::Train)
    }
}

/// Rows of numbers to images, or to sequences: step after step in a row, features first in memory.
#[derive(Debug)]
pub struct Unflatten(pub Shape);

impl Op for Unflatten {
    fn forward(&self, x: Tensor, _pass: &mut Pass) -> Tensor {
        match self.0 {
            Shape::Row(_) => x,
            Shape::Sequence([steps, features]) => {
                x.reshape([-1, steps as i64, features as i64]).transpose(1, 2)
            }
            Shape::Image(shape) => {
                let [channels, height, width] = shape.map(|n| n as i64);
                x.reshape([-1, channels, height, width])
            }
        }
    }

    fn is_view(&self) -> bool {
        true
    }
}

/// The values that mean and variance are taken over.
#[derive(Clone, Copy, Debug)]
pub enum Over {
    /// Rows and positions, unit by unit.
    Batch,
    /// The units of a row or of a step; of an image all channels and positions.
    Layer,
    /// So many groups of channels, with all positions.
    Groups(u64),
}

impl Over {
    /// Returns the kind that a record gives it.
    pub fn kind(self) -> LayerKind {
        match self {
            Over::Batch => LayerKind::BatchNorm,
            Over::Layer => LayerKind::LayerNorm,
            Over::Groups(_) => LayerKind::GroupNorm,
        }
    }

    /// Returns the prefix of names.
    pub fn prefix(self) -> &'static str {
        match self {
            Over::Batch => "bn",
            Over::Layer => "ln",
            Over::Groups(_) => "gn",
        }
    }
}

/// A normalisation in a forward pass.
#[derive(Debug)]
pub struct Normalise {
    pub layer: [usize; 1],
    pub over: Over,
}

impl Op for Normalise {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        let Parameters { weight, bias, running } = pass.parameters(self.layer[0]);
        let (gain, shift) = (Some(weight), bias.as_ref());
        let of_features = |x: &Tensor| x.layer_norm(weight.size(), gain, shift, NORM_EPS, false);
        match self.over {
            Over::Batch => {
                let (mean, variance) = running.as_ref().map(|(m, v)| (m, v)).unzip();
                let momentum = if pass.mode == Mode::Train { BATCH_NORM_MOMENTUM } else { 0.0 };
                let of_batch = pass.mode != Mode::Evaluate;
                x.batch_norm(gain, shift, mean, variance, of_batch, momentum, NORM_EPS, false)
            }
            Over::Layer => match x.dim() {
                2 => of_features(&x),
                // Every step by itself; features come first in memory.
                3 => of_features(&x.transpose(1, 2)).transpose(1, 2),
                // One group of all channels: normalised together, with a gain a channel.
                _ => x.group_norm(1, gain, shift, NORM_EPS, false),
            },
            Over::Groups(groups) => x.group_norm(groups as i64, gain, shift, NORM_EPS, false),
        }
    }

    fn layers(&self) -> &[usize] {
        &self.layer
    }
}
