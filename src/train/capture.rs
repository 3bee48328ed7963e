//! What is measured while training goes.

use std::fmt;
use std::str::FromStr;

use super::TrainError;
use crate::record::Form;

/// What is measured of the layers; loss and scores always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    /// How much of weights, gradients and updates.
    pub parameters: Detail,
    /// What goes into nonlinearities and comes out, how often units fire, and the backward signal.
    pub activations: bool,
}

/// How much is measured of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Its distribution, and its norm at every step.
    Distributions,
    /// Its moments, and its norm at every step.
    Norms,
    /// Nothing.
    Nothing,
}

impl Capture {
    const ALL: Self = Self { parameters: Detail::Distributions, activations: true };
    const NORMS: Self = Self { parameters: Detail::Norms, activations: false };
    const NONE: Self = Self { parameters: Detail::Nothing, activations: false };
    const NO_ACTIVATIONS: Self = Self { activations: false, ..Self::ALL };
    const NAMED: [(&'static str, Self); 4] = [
        ("all", Self::ALL),
        ("norms", Self::NORMS),
        ("none", Self::NONE),
        ("activations=off", Self::NO_ACTIVATIONS),
    ];

    /// What a capture keeps of the layers that are measured, of one that is drawn or of another.
    pub fn form(self, drawn: bool) -> Form {
        match self.parameters {
            Detail::Distributions if drawn => Form::FULL,
            Detail::Distributions => Form::HISTORY,
            Detail::Norms | Detail::Nothing => Form::MOMENTS,
        }
    }

    /// What there is to measure of a program, inside of which nothing can be seen.
    ///
    /// # Errors
    /// [`TrainError::Settings`] where more was asked for.
    pub fn of_program(asked: Option<Self>) -> Result<Self, TrainError> {
        match asked {
            Some(Self { activations: true, .. }) => Err(TrainError::Settings(format!(
                "--capture {}: inside of a TorchScript program activations cannot be measured; leave it out, or choose \
                 activations=off, norms or none",
                Self::ALL
            ))),
            asked => Ok(asked.unwrap_or(Self::NO_ACTIVATIONS)),
        }
    }

    /// Whether anything is measured of a layer.
    pub fn layers(self) -> bool {
        self.parameters != Detail::Nothing
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromStr for Capture {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        Self::NAMED.iter().find(|(name, _)| *name == text).map(|(_, capture)| *capture).ok_or_else(|| {
            let names: Vec<&str> = Self::NAMED.iter().map(|(name, _)| *name).collect();
            TrainError::Settings(format!("--capture {text}: should be one of {}", names.join(", ")))
        })
    }
}

impl fmt::Display for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMED.iter().find(|(_, capture)| capture == self).map_or("all", |(name, _)| name))
    }
}
