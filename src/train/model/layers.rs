//! What one layer of a description says.

use serde::Deserialize;

use crate::record::Activation;
use crate::train::Scheme;

/// One entry of a model's list of layers.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerSpec {
    /// Fully connected.
    Linear {
        /// Outputs; as many as the data needs where left out (the last layer).
        units: Option<u64>,
        /// What it shares with a convolution.
        dense: Dense,
    },
    /// A convolution over the two last dimensions.
    Conv2d {
        /// Output channels.
        channels: u64,
        /// What a unit sees.
        window: Window,
        /// What it shares with a linear layer.
        dense: Dense,
    },
    /// The largest value of each window.
    MaxPool2d(Window),
    /// Images to rows of numbers.
    Flatten,
}

/// A square window that moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its side.
    pub kernel: u64,
    /// How far it moves.
    pub stride: u64,
    /// Zeros around the image (for pooling: minus infinities).
    pub padding: u64,
}

/// What a layer with a weight says beside its size.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// Nonlinearity of its output.
    pub act: Activation,
    /// Initialiser of its weight; the model's where left out.
    pub init: Option<Scheme>,
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

impl Dense {
    /// With this nonlinearity and nothing else.
    pub fn new(act: Activation) -> Self {
        let (init, bias_init) = (None, None);
        Self { act, init, bias: true, bias_init, norm: Norm::None, dropout: 0.0, trainable: true }
    }
}

impl LayerSpec {
    /// What a layer with a weight says beside its size; `None` for the others.
    pub fn dense(&self) -> Option<&Dense> {
        match self {
            Self::Linear { dense, .. } | Self::Conv2d { dense, .. } => Some(dense),
            Self::MaxPool2d(_) | Self::Flatten => None,
        }
    }

    /// The same, to be changed.
    pub fn dense_mut(&mut self) -> Option<&mut Dense> {
        match self {
            Self::Linear { dense, .. } | Self::Conv2d { dense, .. } => Some(dense),
            Self::MaxPool2d(_) | Self::Flatten => None,
        }
    }
}

/// Normalisation of a layer's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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
