//! The line of a captured epoch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{LayerCapture, number};

/// The state at an epoch's last step (after backward, before the update), and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Epoch {
    /// Number, from 0.
    pub epoch: u64,
    /// Number of its last step in the run.
    pub step: u64,
    /// The file that the numbers were taken from, where it was a checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The run was stopped inside this epoch; it counts the batches until then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Learning rate; NaN where it is unknown.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub lr: f64,
    /// Mean loss over its batches, as they were trained on.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub train_loss: f64,
    /// Score on the training set after the epoch, evaluation mode; NaN where it was not measured.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub train_score: f64,
    /// Loss on the dev set after the epoch, evaluation mode; `None` without a dev set.
    #[serde(default, with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub dev_loss: Option<f64>,
    /// Score on the dev set.
    #[serde(default, with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub dev_score: Option<f64>,
    /// Loss on the test set, only to be looked at: nothing is chosen by it.
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub test_loss: Option<f64>,
    /// Score on the test set.
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub test_score: Option<f64>,
    /// The baseline loss, from the first epoch on at whose end the recorder had found it in the run itself; the
    /// header then has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// L2 norm of the gradient of all parameters at the captured step, before clipping.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub grad_l2: f64,
    /// The layers, in the header's order.
    pub layers: Vec<LayerCapture>,
}

/// The mean loss of the best constant prediction, as a recorder found it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Baseline {
    /// The loss; NaN where it was withdrawn.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub loss: f64,
    /// Where it was found: `targets`, those in the graph of the loss.
    pub source: String,
    /// Share of the loss that the terms account for whose targets were read: 1 where nothing is left out.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub explained: f64,
    /// Whether it was taken back, as the targets of a later epoch were others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

impl Baseline {
    /// Returns the loss to compare with; NaN where there is none to be relied on.
    pub fn reliable_loss(&self) -> f64 {
        if self.withdrawn || !self.loss.is_finite() || self.loss <= 0.0 { f64::NAN } else { self.loss }
    }
}

impl Epoch {
    /// An epoch whose last step had this number, of which nothing was measured: no layers, and NaN for what is
    /// always a number.
    pub fn new(epoch: u64, step: u64) -> Self {
        Self {
            epoch,
            step,
            source: None,
            partial: false,
            lr: f64::NAN,
            train_loss: f64::NAN,
            train_score: f64::NAN,
            dev_loss: None,
            dev_score: None,
            test_loss: None,
            test_score: None,
            baseline: None,
            grad_l2: f64::NAN,
            layers: Vec::new(),
        }
    }

    /// Leaves of its layers what is kept in a history.
    pub fn compact(&mut self) {
        self.layers.iter_mut().for_each(LayerCapture::compact);
    }
}
