//! The last line, how a run ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boundary::Boundary;
use crate::record::number;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// Finished, or stopped by whom.
    pub outcome: Outcome,
    /// Whole epochs done.
    pub epochs_done: u64,
    /// Optimizer steps done.
    pub steps_done: u64,
    /// Seconds of training, capture included.
    pub wall_s: f64,
    /// Seconds of these that went into measuring and writing.
    pub capture_s: f64,
    /// On the test set, with the parameters of the best dev score (of a program that keeps running
    /// statistics: with the last); `None` without a test set.
    pub test: Option<TestResult>,
    /// That it finished before all of its epochs, since the dev score no longer rose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<EarlyStop>,
    /// The answers of the network on the plane of its two inputs, where it has two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Box<Boundary>>,
}

/// Why a run finished before all of its epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarlyStop {
    /// Epochs without a better dev score that were waited for.
    pub patience: u64,
    /// The last epoch with a better one.
    pub best_epoch: u64,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All epochs were trained.
    Finished,
    /// Stopped by SIGINT.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
}

/// Loss and score on the test set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestResult {
    /// Mean loss.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub loss: f64,
    /// Accuracy, or minus the mean squared error.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub score: f64,
    /// Epoch after which the parameters were taken.
    pub epoch: u64,
}
