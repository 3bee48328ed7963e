//! How much of what is measured a capture keeps.
//!
//! Pictures of values show one epoch, the last. Of the epochs before it, rules, tables and curves read
//! counts, moments and quantiles, which is all that is kept of most of them: the full distributions of
//! 200 layers over 100 epochs would be ten times as long.

use std::fmt;
use std::str::FromStr;

use crate::stats::DetailLevel;

/// Captures that are kept in full before the last, at most: of up to ten layers so many, of 200 and more one.
pub const MAX_IN_FULL: u64 = 200;
/// Captures that are kept in full, times the square of the layers.
pub const IN_FULL: u64 = 20_000;

/// How much of the shape of its distributions a capture keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureDetail {
    /// Shape of weights, biases and their gradients.
    pub parameters: DetailLevel,
    /// Shape of updates.
    pub update: DetailLevel,
    /// Shape of the inputs of nonlinearities.
    pub pre: DetailLevel,
    /// Shape of their outputs.
    pub post: DetailLevel,
    /// Whether the rows of matrices are compared.
    pub rows: bool,
}

impl CaptureDetail {
    /// Detail of a capture that is drawn. Of what goes into nonlinearities nobody draws more than its quantiles tell.
    pub const FULL: Self = Self {
        parameters: DetailLevel::Full,
        update: DetailLevel::Full,
        pre: DetailLevel::Quantiles,
        post: DetailLevel::Full,
        rows: true,
    };
    /// Detail of a history: quantiles of parameters, moments of the rest.
    pub const HISTORY: Self = Self { parameters: DetailLevel::Quantiles, ..Self::MOMENTS };
    /// Detail of a capture of moments alone.
    pub const MOMENTS: Self = Self {
        parameters: DetailLevel::Moments,
        update: DetailLevel::Moments,
        pre: DetailLevel::Moments,
        post: DetailLevel::Moments,
        rows: false,
    };
}

/// Whether the capture with this number, from 0, is kept in full whatever follows it.
pub fn in_full(capture: u64, layers: usize) -> bool {
    let square = (layers as u64).saturating_pow(2).max(1);
    capture < (IN_FULL / square).clamp(1, MAX_IN_FULL)
}

/// The settings of what is measured of the layers; loss and scores always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureSettings {
    /// How much of weights, gradients and updates, if anything: their norms are then measured at every step.
    pub parameters: Option<DetailLevel>,
    /// Whether inputs and outputs of nonlinearities, activation frequencies and output gradients are measured.
    pub activations: bool,
}

impl CaptureSettings {
    /// Settings that measure everything.
    pub const ALL: Self = Self { parameters: Some(DetailLevel::Full), activations: true };
    /// Settings that measure moments of parameters.
    pub const NORMS: Self = Self { parameters: Some(DetailLevel::Moments), activations: false };
    /// Settings that measure nothing of the layers.
    pub const NONE: Self = Self { parameters: None, activations: false };
    /// Settings that measure everything but activations.
    pub const NO_ACTIVATIONS: Self = Self { activations: false, ..Self::ALL };

    /// Whether anything is measured of a layer.
    pub fn measures_layers(self) -> bool {
        self.parameters.is_some()
    }

    /// The detail of a capture that is drawn.
    pub(super) fn full(self) -> CaptureDetail {
        if self.parameters == Some(DetailLevel::Full) { CaptureDetail::FULL } else { CaptureDetail::MOMENTS }
    }

    /// The detail of a capture of which a history is kept.
    pub(super) fn history(self) -> CaptureDetail {
        if self.parameters == Some(DetailLevel::Full) {
            CaptureDetail::HISTORY
        } else {
            CaptureDetail::MOMENTS
        }
    }
}

/// The settings that have a name, as records and flags spell them.
const NAMED: [(&str, CaptureSettings); 4] = [
    ("all", CaptureSettings::ALL),
    ("norms", CaptureSettings::NORMS),
    ("none", CaptureSettings::NONE),
    ("activations=off", CaptureSettings::NO_ACTIVATIONS),
];

impl FromStr for CaptureSettings {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        NAMED
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, settings)| *settings)
            .ok_or_else(|| format!("should be one of {}", NAMED.map(|(name, _)| name).join(", ")))
    }
}

impl fmt::Display for CaptureSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMED.iter().find(|(_, settings)| settings == self).map_or("all", |(name, _)| name))
    }
}

impl Default for CaptureSettings {
    fn default() -> Self {
        Self::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_networks_keep_many_captures_in_full_and_large_ones_the_first() {
        assert_eq!(
            [1, 5, 10, 40, 200, 100_000].map(|layers| (0..1_000).filter(|k| in_full(*k, layers)).count()),
            [200, 200, 200, 12, 1, 1]
        );
    }
}
