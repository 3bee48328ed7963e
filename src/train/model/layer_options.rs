//! Options of layers beside their kind.

pub use crate::record::settings::{Cell, Norm};

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
