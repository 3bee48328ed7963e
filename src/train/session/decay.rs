//! How the learning rate falls from epoch to epoch.

use std::f64::consts::PI;
use std::str::FromStr;

use crate::train::TrainError;

/// A rule for the learning rate of every epoch, as PyTorch's schedulers have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LrDecay {
    /// Times a factor every so many epochs (`StepLR`).
    Step {
        /// Epochs from one fall to the next.
        every: u64,
        /// Factor of the rate.
        factor: f64,
    },
    /// Times a factor every epoch (`ExponentialLR`).
    Exponential {
        /// Factor of the rate.
        factor: f64,
    },
    /// Half a cosine from the start down to a least rate at the end (`CosineAnnealingLR`).
    Cosine {
        /// The rate that it would have after the last epoch.
        least: f64,
    },
}

/// How it is written.
const FORMS: &str = "step:EPOCHS,FACTOR such as step:10,0.1, exponential:FACTOR such as exponential:0.95, \
                     cosine or cosine:LEAST";

impl FromStr for LrDecay {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        let fail = || TrainError::Settings(format!("--lr-decay {text}: should be {FORMS}"));
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let arguments: Vec<&str> = rest.split(',').map(str::trim).filter(|_| !rest.is_empty()).collect();
        let factor = |text: &str| {
            text.parse::<f64>().ok().filter(|f| *f > 0.0 && *f <= 1.0).ok_or_else(|| {
                let reason = "its FACTOR is what is left of the rate, above 0 and at most 1";
                TrainError::Settings(format!("--lr-decay {name}:{rest}: {reason}"))
            })
        };
        match (name, arguments.as_slice()) {
            ("step", [every, left]) => {
                let every = every.parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(fail)?;
                Ok(Self::Step { every, factor: factor(left)? })
            }
            ("exponential", [left]) => Ok(Self::Exponential { factor: factor(left)? }),
            ("cosine", []) => Ok(Self::Cosine { least: 0.0 }),
            ("cosine", [least]) => {
                let least = least.parse::<f64>().ok().filter(|v| (0.0..=1e6).contains(v)).ok_or_else(fail)?;
                Ok(Self::Cosine { least })
            }
            _ => Err(fail()),
        }
    }
}

impl LrDecay {
    /// Whether a longer run has other rates from its beginning.
    pub fn depends_on_length(self) -> bool {
        matches!(self, Self::Cosine { .. })
    }

    /// The rate of an epoch of so many, from the rate at the start.
    pub fn lr(self, start: f64, epoch: u64, epochs: u64) -> f64 {
        match self {
            Self::Step { every, factor } => start * factor.powf((epoch / every) as f64),
            Self::Exponential { factor } => start * factor.powf(epoch as f64),
            Self::Cosine { least } => {
                let done = epoch as f64 / epochs as f64;
                least + (start - least) * (1.0 + (PI * done).cos()) / 2.0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(text: &str, epochs: u64) -> Vec<f64> {
        let decay: LrDecay = text.parse().unwrap();
        (0..epochs).map(|e| (decay.lr(0.8, e, epochs) * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn the_rates_are_those_of_pytorchs_schedulers() {
        assert_eq!(rates("step:2,0.5", 5), [0.8, 0.8, 0.4, 0.4, 0.2]);
        assert_eq!(rates("exponential:0.5", 4), [0.8, 0.4, 0.2, 0.1]);
        assert_eq!(rates("cosine", 4), [0.8, 0.682843, 0.4, 0.117157]);
        assert_eq!(rates("cosine:0.4", 2), [0.8, 0.6]);
    }

    #[test]
    fn what_is_no_decay_is_refused() {
        for text in [
            "",
            "linear",
            "step",
            "step:0,0.5",
            "step:2",
            "step:2,0",
            "exponential:1.5",
            "exponential:nan",
            "cosine:-1",
            "cosine:0,1",
        ] {
            let message = text.parse::<LrDecay>().unwrap_err().to_string();
            assert!(message.starts_with("--lr-decay"), "{text}: {message}");
        }
    }
}
