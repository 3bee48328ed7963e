//! Changes that flags make in a description.

use std::sync::Arc;

use super::description::Model;
use super::file;
use super::layer_options::{Cell, Norm};
use super::layers::LayerSpec;
use crate::record::Activation;
use crate::train::TrainError;

/// Changes of a description from outside; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Units of the hidden layers.
    pub hidden: Option<Vec<u64>>,
    /// Nonlinearity of all hidden layers.
    pub act: Option<Activation>,
    /// Negative slope of leaky ReLU.
    pub lrelu_slope: Option<f64>,
    /// Normalisation of all hidden layers.
    pub norm: Option<Norm>,
    /// Dropout of all hidden layers.
    pub dropout: Option<f64>,
    /// The cell of recurrent layers.
    pub cell: Option<Cell>,
    /// Initialiser of all weights.
    pub init: Option<String>,
    /// Initialiser of all biases.
    pub bias: Option<String>,
}

impl Model {
    /// Changes the description. What is said here wins over what a layer says of itself.
    ///
    /// # Errors
    /// [`TrainError::Settings`] for a change that this model cannot take.
    pub fn change(&mut self, changes: &Changes) -> Result<(), TrainError> {
        if let Some(units) = &changes.hidden {
            self.set_hidden(units)?;
        }
        self.lrelu_slope = changes.lrelu_slope.unwrap_or(self.lrelu_slope);
        let last = self.layers.len() - 1;
        // Where nothing is bent yet, every layer can be; else those that are meant to be straight stay so.
        let straight = self.nonlinearities().all(|act| act == Activation::Identity);
        let bend = |act: &mut Activation| match changes.act {
            Some(new) if straight || *act != Activation::Identity => *act = new,
            _ => {}
        };
        for layer in &mut self.layers[..last] {
            layer.each_mut(&mut |layer| {
                if let Some(cell) = changes.cell {
                    layer.spec = layer.spec.with_cell(cell).unwrap_or(Arc::clone(&layer.spec));
                }
                layer.act.as_mut().into_iter().for_each(bend);
                let Some(dense) = &mut layer.dense else { return };
                if layer.spec.takes_act() {
                    bend(&mut dense.act);
                }
                if layer.spec.takes_norm() {
                    dense.norm = changes.norm.unwrap_or(dense.norm);
                }
                dense.dropout = changes.dropout.unwrap_or(dense.dropout);
            });
        }
        for layer in &mut self.layers {
            layer.each_mut(&mut |layer| {
                let Some(dense) = &mut layer.dense else { return };
                dense.init = dense.init.take().filter(|_| changes.init.is_none());
                dense.recurrent_init = dense.recurrent_init.take().filter(|_| changes.init.is_none());
                dense.bias_init = dense.bias_init.take().filter(|_| changes.bias.is_none());
            });
        }
        if let Some(init) = &changes.init {
            self.defaults.init.clone_from(init);
        }
        if let Some(bias) = &changes.bias {
            self.defaults.bias.clone_from(bias);
        }
        self.check_taken(changes)?;
        if changes.lrelu_slope.is_some() && !self.nonlinearities().any(|act| act == Activation::Lrelu) {
            return Err(TrainError::Settings(format!(
                "--lrelu-slope is for leaky ReLU, but the activation is {}: add --act lrelu",
                self.activation()
            )));
        }
        Ok(())
    }

    /// Refuses what no layer can take: a flag that does nothing would be a lie in the record.
    fn check_taken(&self, changes: &Changes) -> Result<(), TrainError> {
        let recurrent = |l: &LayerSpec| l.spec.with_cell(Cell::Rnn).is_some();
        let bent = self.nonlinearities().next().is_some();
        let missing = [
            (changes.act.is_some() && !bent, "--act", "a nonlinearity to choose"),
            (
                changes.norm.is_some()
                    && !self.hidden().any(|l: &LayerSpec| l.dense.is_some() && l.spec.takes_norm()),
                "--norm",
                "an output to normalise",
            ),
            (changes.cell.is_some() && !self.hidden().any(recurrent), "--cell", "a recurrent cell"),
        ];
        match missing.into_iter().find(|(is_missing, ..)| *is_missing) {
            Some((_, flag, what)) => Err(TrainError::Settings(format!(
                "{flag} would change nothing: no layer of {} in front of the output has {what}",
                self.name
            ))),
            None => Ok(()),
        }
    }

    fn set_hidden(&mut self, units: &[u64]) -> Result<(), TrainError> {
        let Some(pattern) = &self.pattern else {
            return Err(TrainError::Settings(format!(
                "--hidden is for models whose hidden layers are alike, such as mlp; {} lists its layers one by one",
                self.name
            )));
        };
        if units.len() > file::MAX_LAYERS {
            return Err(TrainError::Settings(format!(
                "--hidden: at most {} layers, not {}",
                file::MAX_LAYERS,
                units.len()
            )));
        }
        let output = self.layers.pop();
        self.layers = units.iter().map(|u| file::hidden_layer(*u, pattern)).collect();
        self.layers.extend(output);
        Ok(())
    }
}
