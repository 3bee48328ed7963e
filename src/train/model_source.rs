//! The source of what is trained: a model that is described layer by layer, or a program.

use super::TrainError;
use super::model::{Defaults, Model};
use super::script::Script;

/// One of the two.
#[derive(Clone, Debug)]
pub enum ModelSource {
    /// Described in a file, or one of the zoo.
    Model(Box<Model>),
    /// A program in TorchScript.
    Script(Script),
}

impl ModelSource {
    /// Returns its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Model(model) => &model.name,
            Self::Script(script) => &script.name,
        }
    }

    /// How it is trained where nothing else is asked for.
    pub fn defaults(&self) -> Defaults {
        match self {
            Self::Model(model) => model.defaults.clone(),
            Self::Script(_) => Defaults::default(),
        }
    }

    /// Where its rows come from where nothing else is asked for.
    ///
    /// # Errors
    /// [`TrainError::Settings`] where it brings none along.
    pub fn default_data(&self) -> Result<String, TrainError> {
        self.defaults().data.ok_or_else(|| {
            TrainError::Settings(format!(
                "model {} brings no data along: say what to use with --data, such as --data idx:DIR or --data csv:FILE",
                self.name()
            ))
        })
    }
}

impl From<Model> for ModelSource {
    fn from(model: Model) -> Self {
        Self::Model(Box::new(model))
    }
}
