//! Kinds of layer: what a model file can say of each, what it becomes in a plan, and what it does in a
//! forward pass. A new one is a file with its [`Kind`], and a line in [`KINDS`].

pub(super) mod activation;
mod conv;
pub(super) mod dropout;
mod embedding;
pub(super) mod flatten;
mod linear;
pub(super) mod norm;
mod pool;
mod recurrent;
mod residual;

use std::fmt::Debug;
use std::sync::Arc;

use tch::Tensor;

use super::entry::Entry;
use super::fault::Checked;
use super::layers::LayerSpec;
use super::planner::{Planned, Planner};
use super::shape::Shape;
use crate::record::Activation;
use crate::train::network::Pass;

pub use linear::hidden;
pub use recurrent::Cell;

/// Every kind, in the order in which they are listed.
pub static KINDS: [&Kind; 22] = [
    &linear::KIND,
    &conv::CONV1D,
    &conv::CONV2D,
    &embedding::KIND,
    &recurrent::RNN,
    &recurrent::LSTM,
    &recurrent::GRU,
    &residual::KIND,
    &activation::KIND,
    &norm::BATCH,
    &norm::LAYER,
    &norm::GROUP,
    &dropout::KIND,
    &pool::MAX_1D,
    &pool::MAX_2D,
    &pool::AVG_1D,
    &pool::AVG_2D,
    &pool::ADAPTIVE_MAX_1D,
    &pool::ADAPTIVE_MAX_2D,
    &pool::ADAPTIVE_AVG_1D,
    &pool::ADAPTIVE_AVG_2D,
    &flatten::KIND,
];

/// A kind of layer, as an entry of a model file names it.
pub struct Kind {
    /// What `type` says.
    pub name: &'static str,
    /// What it computes, in one line.
    pub about: &'static str,
    /// Keys that it needs beside `type`.
    pub needs: &'static [&'static str],
    /// Keys that it takes as well.
    pub takes: &'static [&'static str],
    /// Whether it can be the last, which gives the output.
    pub output: bool,
    /// Checks an entry of this kind, which has all that it needs and nothing that it does not take.
    pub resolve: fn(&Entry, &Place) -> Checked<LayerSpec>,
}

impl Kind {
    /// Its name in a sentence.
    pub fn with_article(&self) -> String {
        // Letters that are spelled out begin with a vowel as well.
        let vowel = ["a", "e", "lstm", "rnn"].iter().any(|start| self.name.starts_with(start));
        format!("{} {}", if vowel { "an" } else { "a" }, self.name)
    }
}

/// Where an entry stands.
pub struct Place {
    /// The nonlinearity of a layer that names none.
    pub act: Activation,
    /// The nonlinearity of a layer inside it that names none.
    pub between: Activation,
    /// Whether it is the last of the model.
    pub last: bool,
}

/// What flows into a layer, where only one thing can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Anything,
    Rows,
    Sequences,
    Images,
}

/// What only one kind of layer says.
pub trait Spec: Debug + Send + Sync {
    /// Takes its place in a plan.
    fn plan(&self, layer: &LayerSpec, planner: &mut Planner) -> Planned<()>;

    /// What flows into it.
    fn takes(&self) -> Takes {
        Takes::Anything
    }

    /// Whether a nonlinearity can be chosen for it.
    fn takes_act(&self) -> bool {
        true
    }

    /// Whether its output can be normalised.
    fn takes_norm(&self) -> bool {
        true
    }

    /// The probability of its own dropout.
    fn dropout(&self) -> f64 {
        0.0
    }

    /// The same recurrent layer with another cell, where it is one.
    fn with_cell(&self, cell: Cell) -> Option<Arc<dyn Spec>> {
        let _ = cell;
        None
    }
}

/// One thing that a forward pass does.
pub trait Op: Debug + Send + Sync {
    /// Does it.
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor;

    /// The layers with parameters that it uses, by their number in the plan.
    fn layers(&self) -> &[usize] {
        &[]
    }

    /// How often it uses a parameter for one row, where this comes out.
    fn times(&self, output: Shape) -> u64 {
        output.positions()
    }

    /// How messages name what gives its output, where it has no layer.
    fn named(&self) -> Option<String> {
        None
    }

    /// Its row in the parameter table, where it has no layer: name and kind.
    fn row(&self) -> Option<(String, &'static str)> {
        None
    }

    /// The nonlinearity that it is, and the row of the parameter table that has it.
    fn activation(&self) -> Option<(&str, Activation)> {
        None
    }

    /// Whether it passes on the memory that it gets.
    fn is_view(&self) -> bool {
        false
    }

    /// Values that backward needs of it.
    fn kept(&self, output: Shape) -> u64 {
        if self.is_view() { 0 } else { output.values() }
    }
}
