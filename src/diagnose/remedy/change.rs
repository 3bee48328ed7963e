//! Single changes to the settings of a run.

use crate::record;
use crate::record::settings::{self, OptimizerKind};

/// A setting of `gradscope run` and the value that it is to have.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Inputs of zero mean and unit variance.
    Standardize,
    /// The nonlinearity of hidden layers.
    Activation(record::Activation),
    /// The slope of a leaky ReLU below zero.
    LeakySlope(f64),
    /// The normalisation of hidden layers.
    Norm(settings::Norm),
    /// The share of units that dropout takes from a step.
    Dropout(f64),
    /// The cell of recurrent layers.
    Cell(settings::Cell),
    /// The initialiser of weights, as `gradscope init` reads it.
    Init(String),
    /// The initial value of biases.
    Bias(f64),
    /// The optimizer.
    Optimizer(OptimizerKind),
    /// The learning rate at the first step.
    LearningRate(f64),
    /// The schedule of the learning rate.
    LearningRateDecay(String),
    /// The share of the weights that joins the gradient, or the step where it is decoupled.
    WeightDecay(f64),
    /// The largest norm of the whole gradient.
    ClipNorm(f64),
    /// The largest size of a value of the gradient.
    ClipValue(f64),
    /// Samples of a batch.
    BatchSize(u64),
    /// Words that are none of these, as they stand in a summary of another version.
    Other(String),
}

impl Change {
    /// Whether it changes the model itself, which only one that is described can take: the layers and
    /// initial weights of a saved program are as they were saved.
    pub fn is_of_described_model(&self) -> bool {
        use Change::{Activation, Bias, Cell, Dropout, Init, LeakySlope, Norm};
        matches!(self, Activation(_) | LeakySlope(_) | Norm(_) | Dropout(_) | Cell(_) | Init(_) | Bias(_))
    }
}
