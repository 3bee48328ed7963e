//! Layers of a description.

use std::fmt::Debug;
use std::sync::Arc;

use super::layer_options::{Cell, LayerOptions};
use super::planner::{Planned, Planner, Takes};
use crate::record::Activation;

/// One entry of a model's list of layers.
#[derive(Clone, Debug)]
pub struct LayerSpec {
    /// The part that only its kind has.
    pub spec: Arc<dyn Spec>,
    /// Options of layers with a weight.
    pub dense: Option<LayerOptions>,
    /// The nonlinearity of an entry that is nothing else, or of a residual block's sum.
    pub act: Option<Activation>,
    /// The layers inside, of a residual block.
    pub layers: Vec<LayerSpec>,
}

impl LayerSpec {
    /// Without a weight, a nonlinearity and layers inside.
    pub fn new(spec: impl Spec + 'static) -> Self {
        Self { spec: Arc::new(spec), dense: None, act: None, layers: Vec::new() }
    }

    /// With a weight.
    pub fn with(spec: impl Spec + 'static, dense: LayerOptions) -> Self {
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

/// The part of a layer that only one kind has.
pub trait Spec: Debug + Send + Sync {
    /// Takes its place in a plan.
    fn plan(&self, layer: &LayerSpec, planner: &mut Planner) -> Planned<()>;

    /// Returns what flows into it.
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
