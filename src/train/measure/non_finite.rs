//! The first NaN or infinity of a run, and where it appeared.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::probe::Probe;
use crate::record::{Layer, NonFinite, StepLayer};
use crate::train::TrainError;
use crate::train::network::{Mode, Network};

/// Looks out for it; what comes after the first is its consequence.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FirstNonFinite {
    /// Whether it has been found.
    pub seen: bool,
}

impl FirstNonFinite {
    /// If this forward pass holds it: in what a layer put out, or only in the loss, as of a program.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn forward(
        &mut self,
        network: &Network,
        x: &Tensor,
        loss: f64,
    ) -> Result<Option<NonFinite>, TrainError> {
        if self.seen || loss.is_finite() {
            return Ok(None);
        }
        let mut probe = Probe::new(network.layers().len());
        if !network.is_program() {
            let _ = tch::no_grad(|| network.forward(x, Mode::Observe, Some(&mut probe)))?;
        }
        Ok(self.in_pass(network.layers(), probe.first_non_finite()))
    }

    /// A pass whose loss is not finite: in what this layer put out, or nowhere before the loss.
    pub fn in_pass(&mut self, layers: &[Layer], layer: Option<usize>) -> Option<NonFinite> {
        let stage = if layer.is_some() { "activation" } else { "loss" };
        (!self.seen).then(|| self.found(stage, layers, layer))
    }

    /// The same for the gradients, and for the weights that the update left behind.
    pub fn backward(&mut self, network: &[Layer], layers: &[StepLayer]) -> Option<NonFinite> {
        if self.seen {
            return None;
        }
        // Backward comes from the output: the last layer that is hit was hit first.
        let gradient = layers.iter().rposition(|l| !l.grad_l2.last.is_finite());
        let weight = layers.iter().position(|l| !l.update_l2.last.is_finite());
        match (gradient, weight) {
            (Some(layer), _) => Some(self.found("gradient", network, Some(layer))),
            (None, Some(layer)) => Some(self.found("weight", network, Some(layer))),
            (None, None) => None,
        }
    }

    fn found(&mut self, stage: &str, layers: &[Layer], layer: Option<usize>) -> NonFinite {
        self.seen = true;
        NonFinite { stage: stage.into(), layer: layer.map(|l| layers[l].name.clone()) }
    }
}
