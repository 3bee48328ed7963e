//! What a model is made of, described in a TOML file: the zoo's entries are such files.
//!
//! `file` and `entry` read a description, `layers` holds what it says of each layer, `kinds` are the kinds of
//! layer that there are, `planner` works out the shapes of a `plan` for given data, `table` lists its layers with
//! their parameters.

mod entry;
mod fault;
mod file;
mod kinds;
mod layers;
mod plan;
mod planner;
mod schema;
mod shape;
mod table;

use std::path::Path;
use std::sync::Arc;

pub use kinds::{Cell, Op};
pub use layers::{Dense, LayerSpec, Norm, Window};
pub use plan::{Plan, PlannedLayer, Sizes, Step};
pub use schema::schema;
pub use shape::Shape;
pub use table::{Memory, ParameterTable, Row};

use super::{Dataset, Scheme, TrainError};
use crate::record::{Activation, Loss};

/// A model description, whole and checked.
#[derive(Clone, Debug)]
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
    /// What recurrent layers do at a step.
    pub cell: Option<Cell>,
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
        let normalised = |l: &LayerSpec| l.dense.is_some() && l.spec.takes_norm();
        let recurrent = |l: &LayerSpec| l.spec.with_cell(Cell::Rnn).is_some();
        let bent = self.nonlinearities().next().is_some();
        let missing = [
            (changes.act.is_some() && !bent, "--act", "a nonlinearity to choose"),
            (changes.norm.is_some() && !self.hidden().any(normalised), "--norm", "an output to normalise"),
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

    /// Every layer, those inside of blocks among them, in forward order.
    fn every(&self) -> Vec<&LayerSpec> {
        let mut every = Vec::new();
        self.layers.iter().for_each(|layer| layer.each(&mut |layer| every.push(layer)));
        every
    }

    /// Those in front of the output.
    fn hidden(&self) -> impl Iterator<Item = &LayerSpec> {
        let mut every = self.every();
        every.pop();
        every.into_iter()
    }

    /// The nonlinearities of the layers in front of the output, of those that have a choice.
    fn nonlinearities(&self) -> impl Iterator<Item = Activation> {
        let of = |layer: &LayerSpec| match &layer.dense {
            Some(dense) if layer.spec.takes_act() => Some(dense.act),
            _ => layer.act,
        };
        self.hidden().filter_map(of)
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
        let of =
            |layer: &&LayerSpec| layer.dense.as_ref().map_or(0.0, |d| d.dropout).max(layer.spec.dropout());
        self.every().iter().map(of).fold(0.0, f64::max)
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

#[cfg(test)]
mod tests;
