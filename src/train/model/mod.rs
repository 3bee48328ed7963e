//! What a model is made of, described in a TOML file: the zoo's entries are such files.
//!
//! `file` and `entry` read a description, `layers` holds what it says of each layer, `plan` works out the shapes
//! for given data, `table` lists them with their parameters.

mod entry;
mod fault;
mod file;
mod layers;
mod plan;
mod table;

use std::path::Path;

pub use layers::{Dense, LayerSpec, Norm, Window};
pub use plan::{Op, Plan, PlannedLayer, Shape, Sizes};
pub use table::{Memory, ParameterTable, Row};

use super::{Dataset, Scheme, TrainError};
use crate::record::{Activation, Loss};

/// A model description, whole and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Unique name.
    pub name: String,
    /// What it is, in one line.
    pub about: String,
    /// Its layers, first to last; the last is linear and gives the output.
    pub layers: Vec<LayerSpec>,
    /// Negative slope of leaky ReLU.
    pub lrelu_slope: f64,
    /// What an input is taken to be where there is no data to ask.
    pub inputs: Option<Inputs>,
    /// Outputs where there is no data to ask.
    pub outputs: Option<u64>,
    /// How it is trained where nothing else is asked for.
    pub defaults: Defaults,
    /// What its hidden layers have in common, where they are described by their units alone: then
    /// others can take their place.
    pattern: Option<Dense>,
}

/// Shape of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// So many numbers.
    Row(u64),
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
    /// `--optimizer`
    pub optimizer: String,
    /// `--lr`
    pub lr: f64,
    /// `--batch-size`
    pub batch_size: String,
    /// `--epochs`
    pub epochs: u64,
    /// `--init`
    pub init: String,
    /// `--bias`
    pub bias: String,
}

/// The zoo, in the order of `gradscope models`.
const ZOO: [(&str, &str); 16] = [
    ("sigmoid5", include_str!("../zoo/sigmoid5.toml")),
    ("relu5", include_str!("../zoo/relu5.toml")),
    ("lrelu5", include_str!("../zoo/lrelu5.toml")),
    ("tanh5", include_str!("../zoo/tanh5.toml")),
    ("sigmoid2", include_str!("../zoo/sigmoid2.toml")),
    ("sigmoid3", include_str!("../zoo/sigmoid3.toml")),
    ("sigmoid4", include_str!("../zoo/sigmoid4.toml")),
    ("tanh3", include_str!("../zoo/tanh3.toml")),
    ("relu3", include_str!("../zoo/relu3.toml")),
    ("moons1", include_str!("../zoo/moons1.toml")),
    ("moons2", include_str!("../zoo/moons2.toml")),
    ("zeros1", include_str!("../zoo/zeros1.toml")),
    ("fashion", include_str!("../zoo/fashion.toml")),
    ("softmax3", include_str!("../zoo/softmax3.toml")),
    ("conv", include_str!("../zoo/conv.toml")),
    ("mlp", include_str!("../zoo/mlp.toml")),
];

/// Every model that is built in.
///
/// # Errors
/// [`TrainError::Model`] where a built-in description is not valid, which a test rules out.
pub fn zoo() -> Result<Vec<Model>, TrainError> {
    ZOO.iter().map(|(name, text)| Model::parse(name, text)).collect()
}

/// What is changed in a description from outside; what is left out stays.
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
    /// Initialiser of all weights.
    pub init: Option<String>,
    /// Initialiser of all biases.
    pub bias: Option<String>,
}

impl Model {
    /// Reads a description; `place` is its file, or its name in the zoo.
    ///
    /// # Errors
    /// [`TrainError::Model`] with the line and what is wrong there.
    pub fn parse(place: &str, text: &str) -> Result<Self, TrainError> {
        file::parse(place, text)
    }

    /// A model by its name in the zoo or by its file, which ends in `.toml`.
    ///
    /// # Errors
    /// [`TrainError`] where there is none of that name, or where the file cannot be read.
    pub fn find(name: &str) -> Result<Self, TrainError> {
        if name.ends_with(".toml") { file::read(Path::new(name)) } else { Self::named(name) }
    }

    /// A built-in model by name.
    ///
    /// # Errors
    /// [`TrainError::UnknownModel`], naming those that there are.
    pub fn named(name: &str) -> Result<Self, TrainError> {
        let Some((name, text)) = ZOO.iter().find(|(known, _)| *known == name) else {
            let known = ZOO.map(|(name, _)| name).join(", ");
            return Err(TrainError::UnknownModel { name: name.into(), known });
        };
        Self::parse(name, text)
    }

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
        for dense in self.layers[..last].iter_mut().filter_map(LayerSpec::dense_mut) {
            dense.act = changes.act.unwrap_or(dense.act);
            dense.norm = changes.norm.unwrap_or(dense.norm);
            dense.dropout = changes.dropout.unwrap_or(dense.dropout);
        }
        for dense in self.layers.iter_mut().filter_map(LayerSpec::dense_mut) {
            dense.init = dense.init.take().filter(|_| changes.init.is_none());
            dense.bias_init = dense.bias_init.take().filter(|_| changes.bias.is_none());
        }
        if let Some(init) = &changes.init {
            self.defaults.init.clone_from(init);
        }
        if let Some(bias) = &changes.bias {
            self.defaults.bias.clone_from(bias);
        }
        if changes.lrelu_slope.is_some() && !self.dense().any(|d| d.act == Activation::Lrelu) {
            return Err(TrainError::Settings(format!(
                "--lrelu-slope is for leaky ReLU, but the activation is {}: add --act lrelu",
                self.activation()
            )));
        }
        Ok(())
    }

    fn set_hidden(&mut self, units: &[u64]) -> Result<(), TrainError> {
        let Some(pattern) = &self.pattern else {
            return Err(TrainError::Settings(format!(
                "--hidden is for models whose hidden layers are alike, such as mlp; {} lists its layers one by one",
                self.name
            )));
        };
        if units.len() > file::MOST_LAYERS {
            return Err(TrainError::Settings(format!(
                "--hidden: at most {} layers, not {}",
                file::MOST_LAYERS,
                units.len()
            )));
        }
        let output = self.layers.pop();
        self.layers = units.iter().map(|u| file::hidden_layer(*u, pattern)).collect();
        self.layers.extend(output);
        Ok(())
    }

    /// The weights and biases that no layer says an initialiser for.
    ///
    /// # Errors
    /// [`TrainError::Init`].
    pub fn schemes(&self) -> Result<(Scheme, Scheme), TrainError> {
        Ok((self.defaults.init.parse()?, Scheme::for_bias(&self.defaults.bias)?))
    }

    fn dense(&self) -> impl Iterator<Item = &Dense> {
        self.layers.iter().filter_map(LayerSpec::dense)
    }

    fn hidden(&self) -> impl Iterator<Item = &Dense> {
        self.layers[..self.layers.len() - 1].iter().filter_map(LayerSpec::dense)
    }

    /// Nonlinearity of the output; `identity` means that the loss takes logits.
    pub fn output(&self) -> Activation {
        self.layers.last().and_then(LayerSpec::dense).map_or(Activation::Identity, |d| d.act)
    }

    /// The same model for this loss: a sigmoid at the output is for binary cross-entropy, the other
    /// losses take the plain numbers.
    pub fn for_loss(&self, loss: Loss) -> Self {
        let mut model = self.clone();
        let output = model.layers.last_mut().and_then(LayerSpec::dense_mut);
        if let Some(dense) = output.filter(|d| d.act == Activation::Sigmoid && loss != Loss::Bce) {
            dense.act = Activation::Identity;
        }
        model
    }

    /// The nonlinearities between layers.
    pub fn activation(&self) -> String {
        let output = std::iter::once(self.output().name());
        let mut hidden = self.hidden().map(|d| d.act.name()).peekable();
        if hidden.peek().is_none() { distinct(output) } else { distinct(hidden) }
    }

    /// The normalisations of hidden layers.
    pub fn norm(&self) -> String {
        let mut hidden = self.hidden().map(|d| d.norm.name()).peekable();
        if hidden.peek().is_none() { Norm::None.name().into() } else { distinct(hidden) }
    }

    /// The largest dropout.
    pub fn dropout(&self) -> f64 {
        self.dense().map(|d| d.dropout).fold(0.0, f64::max)
    }

    /// The batch normalisation of a linear layer, if there is one.
    pub fn batch_norm(&self) -> Option<Norm> {
        let norm = |layer: &LayerSpec| match layer {
            LayerSpec::Linear { dense, .. } => Some(dense.norm).filter(|n| n.is_batch()),
            _ => None,
        };
        self.layers.iter().find_map(norm)
    }

    /// The sizes that the description states, for when there is no data to ask.
    pub fn stated_sizes(&self) -> Option<Sizes> {
        let (columns, image) = match self.inputs? {
            Inputs::Row(n) => (n, None),
            Inputs::Image(shape) => (shape.iter().product(), Some(shape)),
        };
        Some(Sizes { columns, image, outputs: self.outputs? })
    }

    /// The sizes of this data; rows of the right length are images where the description says so.
    pub fn sizes_for(&self, data: &Dataset) -> Sizes {
        let (columns, outputs) = (data.info.inputs, data.outputs as u64);
        let image = data.image.map(|shape| shape.map(|n| n as u64));
        let stated = match self.inputs {
            Some(Inputs::Image(shape)) if shape.iter().product::<u64>() == columns => Some(shape),
            _ => None,
        };
        Sizes { columns, image: image.or(stated), outputs }
    }

    /// Where its rows come from where nothing else is asked for.
    ///
    /// # Errors
    /// [`TrainError::Settings`] for a model that brings none along.
    pub fn default_data(&self) -> Result<&str, TrainError> {
        self.defaults.data.as_deref().ok_or_else(|| {
            TrainError::Settings(format!(
                "model {} brings no data along: say what to use with --data, such as --data idx:DIR or --data csv:FILE",
                self.name
            ))
        })
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

#[cfg(test)]
mod tests;
