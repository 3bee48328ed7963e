//! Optimizers and their settings, as flags spell them.

use std::str::FromStr;

use crate::train::TrainError;

/// Which rule turns gradients into updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptimizerKind {
    /// Stochastic gradient descent, with momentum if asked for.
    Sgd,
    /// Adam (Kingma and Ba, 2014).
    Adam,
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2017).
    AdamW,
    /// RMSprop (Tieleman and Hinton, 2012).
    RmsProp,
}

impl OptimizerKind {
    /// PyTorch's default: only AdamW decays weights unasked.
    pub fn default_weight_decay(self) -> f64 {
        if self == Self::AdamW { 0.01 } else { 0.0 }
    }
}

impl FromStr for OptimizerKind {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        Ok(match text {
            "sgd" => Self::Sgd,
            "adam" => Self::Adam,
            "adamw" => Self::AdamW,
            "rmsprop" => Self::RmsProp,
            other => {
                return Err(TrainError::Settings(format!(
                    "no optimizer is called {other:?}; there are sgd, adam, adamw, rmsprop"
                )));
            }
        })
    }
}

/// An optimizer and its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptimizerSettings {
    /// Which one.
    pub kind: OptimizerKind,
    /// Learning rate.
    pub lr: f64,
    /// Momentum; only SGD and RMSprop have one.
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
}

impl OptimizerSettings {
    /// As `--optimizer` spells it.
    pub fn name(&self) -> &'static str {
        match self.kind {
            OptimizerKind::Sgd => "sgd",
            OptimizerKind::Adam => "adam",
            OptimizerKind::AdamW => "adamw",
            OptimizerKind::RmsProp => "rmsprop",
        }
    }

    /// Refuses a momentum where there is none to set.
    ///
    /// # Errors
    /// [`TrainError::Settings`].
    pub fn check(&self) -> Result<(), TrainError> {
        if self.momentum > 0.0 && matches!(self.kind, OptimizerKind::Adam | OptimizerKind::AdamW) {
            return Err(TrainError::Settings(format!(
                "--momentum is for sgd and rmsprop; {} has its own running means",
                self.name()
            )));
        }
        Ok(())
    }
}
