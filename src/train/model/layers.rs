//! What one layer of a description says.

use std::sync::Arc;

use super::kinds::Spec;
use crate::record::Activation;
pub use crate::record::settings::Norm;
use crate::train::Scheme;

/// One entry of a model's list of layers.
#[derive(Clone, Debug)]
pub struct LayerSpec {
    /// What it is, with what only its kind says.
    pub spec: Arc<dyn Spec>,
    /// What layers with a weight say beside their size.
    pub dense: Option<Dense>,
    /// The nonlinearity of an entry that is nothing else, or of a residual block's sum.
    pub act: Option<Activation>,
    /// The layers inside, of a residual block.
    pub layers: Vec<LayerSpec>,
}

/// A square window that moves over an image, or a stretch that moves along a sequence.
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

impl Dense {
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

impl LayerSpec {
    /// Without a weight, a nonlinearity and layers inside.
    pub fn new(spec: impl Spec + 'static) -> Self {
        Self { spec: Arc::new(spec), dense: None, act: None, layers: Vec::new() }
    }

    /// With a weight.
    pub fn with(spec: impl Spec + 'static, dense: Dense) -> Self {
        Self { dense: Some(dense), ..Self::new(spec) }
    }

    /// Calls `each` for this layer and for all inside it, in forward order.
    pub fn each<'a>(&'a self, each: &mut dyn FnMut(&'a LayerSpec)) {
        self.layers.iter().for_each(|layer| layer.each(each));
        each(self);
    }

    /// The same, to change them.
    pub fn each_mut(&mut self, each: &mut dyn FnMut(&mut LayerSpec)) {
        self.layers.iter_mut().for_each(|layer| layer.each_mut(each));
        each(self);
    }
}
