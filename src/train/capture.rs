//! How the settings of what is measured are written.

use std::fmt;
use std::str::FromStr;

use super::TrainError;
use crate::record::CaptureSettings;

/// The settings that have a name.
const NAMED: [(&str, CaptureSettings); 4] = [
    ("all", CaptureSettings::ALL),
    ("norms", CaptureSettings::NORMS),
    ("none", CaptureSettings::NONE),
    ("activations=off", CaptureSettings::NO_ACTIVATIONS),
];

impl CaptureSettings {
    /// Returns what there is to measure of a program, inside of which nothing can be seen.
    ///
    /// # Errors
    /// [`TrainError::Settings`] where more was asked for.
    pub fn for_program(asked: Option<Self>) -> Result<Self, TrainError> {
        match asked {
            Some(Self { activations: true, .. }) => Err(TrainError::Settings(format!(
                "--capture {}: inside of a TorchScript program activations cannot be measured; leave it out, or choose \
                 activations=off, norms or none",
                Self::ALL
            ))),
            asked => Ok(asked.unwrap_or(Self::NO_ACTIVATIONS)),
        }
    }
}

impl FromStr for CaptureSettings {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        NAMED.iter().find(|(name, _)| *name == text).map(|(_, settings)| *settings).ok_or_else(|| {
            let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
            TrainError::Settings(format!("--capture {text}: should be one of {}", names.join(", ")))
        })
    }
}

impl fmt::Display for CaptureSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMED.iter().find(|(_, settings)| settings == self).map_or("all", |(name, _)| name))
    }
}
