//! What a model is made of, described in a TOML file: the zoo's entries are such files.

use serde::Deserialize;

use super::TrainError;
use crate::record::Activation;

/// Units of one layer, at most: a weight of two such layers is 4 GiB.
const MOST_UNITS: u64 = 1 << 15;
/// Hidden layers, at most.
const MOST_HIDDEN: usize = 1_000;

/// A model description, whole and checked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Model {
    /// Unique name.
    pub name: String,
    /// What it is, in one line.
    pub about: String,
    /// Units of the hidden layers, first to last.
    pub hidden: Vec<u64>,
    /// Nonlinearity between layers.
    pub act: Activation,
    /// Nonlinearity of the output; `identity` means that the loss takes logits.
    pub output: Activation,
    /// Negative slope of leaky ReLU.
    #[serde(default = "lrelu_slope")]
    pub lrelu_slope: f64,
    /// Normalisation of hidden layers.
    #[serde(default)]
    pub norm: Norm,
    /// Probability with which dropout silences a hidden unit.
    #[serde(default)]
    pub dropout: f64,
    /// How it is trained where nothing else is asked for.
    pub defaults: Defaults,
}

/// PyTorch's default.
fn lrelu_slope() -> f64 {
    0.01
}

/// Normalisation of hidden layers.
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
}

/// Settings of a run that a model brings along, as the flags spell them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Defaults {
    /// `--data`
    pub data: String,
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
const ZOO: [&str; 5] = [
    include_str!("zoo/sigmoid5.toml"),
    include_str!("zoo/relu5.toml"),
    include_str!("zoo/lrelu5.toml"),
    include_str!("zoo/tanh5.toml"),
    include_str!("zoo/mlp.toml"),
];

/// Every model that is built in.
///
/// # Errors
/// [`TrainError::Model`] where a built-in description is not valid, which a test rules out.
pub fn zoo() -> Result<Vec<Model>, TrainError> {
    ZOO.iter().map(|text| Model::parse("the zoo", text)).collect()
}

impl Model {
    /// Reads a description.
    ///
    /// # Errors
    /// [`TrainError::Model`] with the line and what is wrong there.
    pub fn parse(place: &str, text: &str) -> Result<Self, TrainError> {
        toml::from_str(text)
            .map_err(|e| TrainError::Model { place: place.into(), reason: e.to_string().trim().into() })
    }

    /// A built-in model by name.
    ///
    /// # Errors
    /// [`TrainError::UnknownModel`], naming those that there are.
    pub fn named(name: &str) -> Result<Self, TrainError> {
        let zoo = zoo()?;
        let known = zoo.iter().map(|m| m.name.as_str()).collect::<Vec<_>>().join(", ");
        zoo.into_iter()
            .find(|m| m.name == name)
            .ok_or_else(|| TrainError::UnknownModel { name: name.into(), known })
    }

    /// Refuses shapes and numbers that no network can have.
    ///
    /// # Errors
    /// [`TrainError::Settings`], naming the flag.
    pub fn check(&self) -> Result<(), TrainError> {
        let fail = |reason: String| Err(TrainError::Settings(reason));
        if let Some(units) = self.hidden.iter().find(|u| !(1..=MOST_UNITS).contains(u)) {
            return fail(format!("--hidden: a layer has between 1 and {MOST_UNITS} units, not {units}"));
        }
        if self.hidden.len() > MOST_HIDDEN {
            return fail(format!("--hidden: at most {MOST_HIDDEN} layers, not {}", self.hidden.len()));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return fail(format!("--dropout is a probability, 0 ≤ p < 1, not {}", self.dropout));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_description_is_valid_and_has_its_own_name() {
        let mut names: Vec<String> = zoo().unwrap().into_iter().map(|m| m.name).collect();
        assert_eq!(names.len(), ZOO.len());
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ZOO.len());
        assert!(zoo().unwrap().iter().all(|m| m.check().is_ok()));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let text = ZOO[0].replace("[defaults]", "colour = 1\n[defaults]");
        let message = Model::parse("net.toml", &text).unwrap_err().to_string();
        assert!(
            message.contains("net.toml") && message.contains("colour") && message.contains("line"),
            "{message}"
        );
    }
}
