//! A model as a description says it is.

use super::layer_options::{LayerOptions, Norm};
use super::layers::LayerSpec;
use super::plan::Sizes;
use crate::record::settings::Named;
use crate::record::{Activation, Loss};
use crate::train::{Dataset, Scheme, TrainError};

/// A model description, whole and checked.
#[derive(Clone, Debug)]
pub struct Model {
    /// Unique name, which becomes that of a directory.
    pub name: String,
    /// A description in one line.
    pub about: String,
    /// Its layers, first to last; the last is linear and gives the output.
    pub layers: Vec<LayerSpec>,
    /// Negative slope of leaky ReLU.
    pub lrelu_slope: f64,
    /// The shape of an input where there is no data to ask.
    pub inputs: Option<Inputs>,
    /// Outputs where there is no data to ask.
    pub outputs: Option<u64>,
    /// How it is trained where nothing else is asked for.
    pub defaults: Defaults,
    /// The options that its hidden layers have in common, where they are described by their units alone: then
    /// others can take their place.
    pub(super) pattern: Option<LayerOptions>,
}

/// Shape of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// So many numbers.
    Row(u64),
    /// Steps, and the features of each.
    Sequence([u64; 2]),
    /// Channels, height and width.
    Image([u64; 3]),
}

/// Settings of a run that a model brings along, as the flags spell them.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// `--data`; none where the user has to say it.
    pub data: Option<String>,
    /// `--loss`; by the targets where left out.
    pub loss: Option<Loss>,
    /// The optimizer, as `--optimizer`.
    pub optimizer: String,
    /// The learning rate, as `--lr`.
    pub lr: f64,
    /// Samples of a batch, as `--batch-size`.
    pub batch_size: String,
    /// Passes over the training set, as `--epochs`.
    pub epochs: u64,
    /// The initialiser of weights, as `--init`.
    pub init: String,
    /// The initialiser of biases, as `--bias`.
    pub bias: String,
}

impl Default for Defaults {
    /// Those of `mlp`, without its data.
    fn default() -> Self {
        Self {
            data: None,
            loss: None,
            optimizer: "adam".into(),
            lr: 0.001,
            batch_size: "32".into(),
            epochs: 20,
            init: "default".into(),
            bias: "default".into(),
        }
    }
}

impl Model {
    /// The weights and biases that no layer says an initialiser for.
    ///
    /// # Errors
    /// [`TrainError::Init`].
    pub fn schemes(&self) -> Result<(Scheme, Scheme), TrainError> {
        Ok((self.defaults.init.parse()?, Scheme::for_bias(&self.defaults.bias)?))
    }

    /// Every layer, those inside of blocks among them, in forward order.
    pub(super) fn every(&self) -> Vec<&LayerSpec> {
        let mut every = Vec::new();
        self.layers.iter().for_each(|layer| layer.each(&mut |layer| every.push(layer)));
        every
    }

    /// Those in front of the output.
    pub(super) fn hidden(&self) -> impl Iterator<Item = &LayerSpec> {
        let mut every = self.every();
        every.pop();
        every.into_iter()
    }

    /// The nonlinearities of the layers in front of the output, of those that have a choice.
    pub(super) fn nonlinearities(&self) -> impl Iterator<Item = Activation> {
        self.hidden().filter_map(|layer: &LayerSpec| match &layer.dense {
            Some(dense) if layer.spec.takes_act() => Some(dense.act),
            _ => layer.act,
        })
    }

    /// Nonlinearity of the output; `identity` means that the loss takes logits.
    pub fn output(&self) -> Activation {
        self.layers.last().and_then(|l| l.dense.as_ref()).map_or(Activation::Identity, |d| d.act)
    }

    /// The same model for this loss: a sigmoid at the output is for binary cross-entropy, the other
    /// losses take the plain numbers.
    pub fn for_loss(&self, loss: Loss) -> Self {
        let mut model = self.clone();
        let output = model.layers.last_mut().and_then(|l| l.dense.as_mut());
        if let Some(dense) = output.filter(|d| d.act == Activation::Sigmoid && loss != Loss::Bce) {
            dense.act = Activation::Identity;
        }
        model
    }

    /// The nonlinearities between layers.
    pub fn activation(&self) -> String {
        let output = std::iter::once(self.output().name());
        let bent = self.nonlinearities().filter(|act| *act != Activation::Identity);
        let mut hidden = bent.map(|act| act.name()).peekable();
        match (hidden.peek(), self.nonlinearities().next()) {
            (Some(_), _) => distinct(hidden),
            (None, Some(straight)) => straight.name().into(),
            (None, None) => distinct(output),
        }
    }

    /// The normalisations of hidden layers.
    pub fn norm(&self) -> String {
        let dense = self.hidden().filter(|l| l.spec.takes_norm()).filter_map(|l| l.dense.as_ref());
        let mut hidden = dense.map(|d| d.norm.name()).peekable();
        if hidden.peek().is_none() { Norm::None.name().into() } else { distinct(hidden) }
    }

    /// The largest dropout.
    pub fn dropout(&self) -> f64 {
        self.every()
            .iter()
            .map(|layer: &&LayerSpec| {
                layer.dense.as_ref().map_or(0.0, |d| d.dropout).max(layer.spec.dropout())
            })
            .fold(0.0, f64::max)
    }

    /// The sizes that the description states, for when there is no data to ask.
    pub fn stated_sizes(&self) -> Option<Sizes> {
        let (columns, image, sequence) = match self.inputs? {
            Inputs::Row(n) => (n, None, None),
            Inputs::Sequence(shape) => (shape.iter().product(), None, Some(shape)),
            Inputs::Image(shape) => (shape.iter().product(), Some(shape), None),
        };
        Some(Sizes { columns, image, sequence, outputs: self.outputs? })
    }

    /// The sizes of this data; rows of the right length are images where the description says so.
    pub fn sizes_for(&self, data: &Dataset) -> Sizes {
        let (columns, outputs) = (data.info.inputs, data.outputs as u64);
        let image = data.image.map(|shape| shape.map(|n| n as u64));
        let stated = match self.inputs {
            Some(Inputs::Image(shape)) if shape.iter().product::<u64>() == columns => Some(shape),
            _ => None,
        };
        let sequence = match self.inputs {
            Some(Inputs::Sequence(shape)) => Some(shape),
            _ => None,
        };
        Sizes { columns, image: image.or(stated), sequence, outputs }
    }
}

/// Each once, in order.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen.join(",")
}
