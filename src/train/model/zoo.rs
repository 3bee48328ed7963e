//! The models that are built in, and how a model is found.

use std::path::Path;

use super::description::Model;
use super::file;
use crate::train::TrainError;

/// The zoo, in the order of `gradscope models`.
pub const ZOO: [(&str, &str); 16] = [
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
}
