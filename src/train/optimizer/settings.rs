//! The settings of an optimizer.

use crate::record::settings::{Named, OptimizerKind, Setting, TrainingSettings};
use crate::train::TrainError;

/// An optimizer and its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptimizerSettings {
    /// The rule.
    pub kind: OptimizerKind,
    /// Learning rate.
    pub lr: f64,
    /// Momentum; only SGD and RMSprop have one.
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
}

impl OptimizerSettings {
    /// Takes the optimizer's part out of the settings of a training.
    ///
    /// # Errors
    /// [`TrainError::Settings`] for an optimizer that there is not, or a momentum where there is none to set.
    pub fn new(training: &TrainingSettings) -> Result<Self, TrainError> {
        let &TrainingSettings { lr, momentum, weight_decay, .. } = training;
        let kind = match &training.optimizer {
            Setting::Known(kind) => *kind,
            Setting::Other(name) => {
                return Err(TrainError::Settings(format!(
                    "no optimizer is called {name:?}; there are {}",
                    OptimizerKind::names()
                )));
            }
        };
        if momentum > 0.0 && !kind.takes_momentum() {
            return Err(TrainError::Settings(format!(
                "--momentum is for sgd and rmsprop; {} has its own running means",
                kind.name()
            )));
        }
        Ok(Self { kind, lr, momentum, weight_decay })
    }
}
