//! Options of layers beside their kind.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::record::Activation;
use crate::train::Scheme;

/// A square window that moves over an image, or a stretch that moves along a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Length of its side.
    pub kernel: u64,
    /// How far it moves.
    pub stride: u64,
    /// Zeros around the image (for pooling: minus infinities).
    pub padding: u64,
}

/// Options of a layer with a weight.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerOptions {
    /// Nonlinearity of its output.
    pub act: Activation,
    /// Initialiser of its weight; the model's where left out.
    pub init: Option<Scheme>,
    /// Initialiser of the weight by which a recurrent layer looks back; that of its weight where left out.
    pub recurrent_init: Option<Scheme>,
    /// Whether it has a bias.
    pub bias: bool,
    /// Initialiser of its bias; the model's where left out.
    pub bias_init: Option<Scheme>,
    /// Normalisation of its output.
    pub norm: Norm,
    /// Probability with which dropout silences an output.
    pub dropout: f64,
    /// Whether the optimizer is to change it, and its normalisation.
    pub trainable: bool,
}

impl LayerOptions {
    /// With this nonlinearity and nothing else.
    pub fn new(act: Activation) -> Self {
        Self {
            act,
            init: None,
            recurrent_init: None,
            bias: true,
            bias_init: None,
            norm: Norm::None,
            dropout: 0.0,
            trainable: true,
        }
    }
}

/// Normalisation of a layer's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// None.
    #[default]
    None,
    /// Batch normalisation before the nonlinearity.
    BatchPre,
    /// Batch normalisation after the nonlinearity.
    BatchPost,
    /// Layer normalisation before the nonlinearity.
    Layer,
}

impl Norm {
    /// As `--norm` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Norm::None => "none",
            Norm::BatchPre => "batch-pre",
            Norm::BatchPost => "batch-post",
            Norm::Layer => "layer",
        }
    }

    /// Whether it looks at a whole batch.
    pub fn is_batch(self) -> bool {
        matches!(self, Norm::BatchPre | Norm::BatchPost)
    }
}

/// What a recurrent layer does at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// Plain.
    Rnn,
    /// Long short-term memory.
    Lstm,
    /// Gated recurrent unit.
    Gru,
}

impl Cell {
    /// As `type` and `--cell` spell it.
    pub fn name(self) -> &'static str {
        match self {
            Cell::Rnn => "rnn",
            Cell::Lstm => "lstm",
            Cell::Gru => "gru",
        }
    }

    /// Parts of its matrices, a row of units each.
    pub(super) fn gates(self) -> u64 {
        match self {
            Cell::Rnn => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }
}
