//! Facts of a run that decide which change fits it.

use super::change::Change;
use super::plan::Plan;
use crate::record::settings::{Norm, OptimizerKind, Setting};
use crate::record::{Activation, Layer};
use crate::text::number;

/// Update over weight that a learning rate is chosen for. `lr · TARGET / u` at step 0 was the best
/// single prescription in the prototype: 25 of 31 runs recovered.
pub const TARGET_UPDATE: f64 = 0.01;
/// Units below which a new initialiser alone is a gamble. Tried on relu5 and sigmoid5 (3 units a layer)
/// over four seeds and 300 epochs: batch normalisation was healthy in 4 of 4, ReLU with He in 3, tanh
/// with Xavier in 1.
const NARROW: u64 = 8;
/// Row norm of the weights below which they are tiny (He 1.41, LeCun 1, PyTorch's default 0.58).
const TINY_ROWS: f64 = 0.35;
/// Share of the learning rate that is left where a schedule has all but ended a run.
const ENDED: f64 = 1e-2;
/// The largest learning rate that a run takes.
pub const MAX_LEARNING_RATE: f64 = 1e6;

/// An initialiser that is suggested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initializer {
    /// Of Glorot and Bengio (2010).
    Xavier,
    /// Of He et al. (2015).
    Kaiming,
}

impl Initializer {
    /// Tells whether a scheme is of its family, with whatever distribution.
    pub fn is_family_of(self, scheme: &str) -> bool {
        scheme.starts_with(match self {
            Self::Xavier => "xavier",
            Self::Kaiming => "kaiming",
        })
    }
}

impl From<Initializer> for Change {
    fn from(init: Initializer) -> Self {
        Self::Init(match init {
            Initializer::Xavier => "xavier-uniform".into(),
            Initializer::Kaiming => "kaiming-normal".into(),
        })
    }
}

impl Plan<'_> {
    /// Whether a plain recurrent cell, without gates, is among the layers.
    pub fn has_plain_cell(&self) -> bool {
        self.q.matrices.iter().filter_map(|&i| self.q.layer(i)).any(Layer::is_plain_cell)
    }

    /// The initialiser that suits the activation, unless it is in use.
    pub fn fitting_init(&self) -> Option<Initializer> {
        let init = match self.run.activation.known() {
            Some(Activation::Sigmoid | Activation::Tanh | Activation::Identity) => Initializer::Xavier,
            _ => Initializer::Kaiming,
        };
        (!init.is_family_of(&self.run.init)).then_some(init)
    }

    /// The normalisation that suits the batches: batch statistics of a single row are undefined,
    /// and with a lonely last row only LayerNorm will do.
    pub fn fitting_norm(&self) -> Norm {
        let (rows, batch) = (self.q.record.header.data.train, self.run.batch_size.max(1));
        if batch == 1 || rows % batch == 1 { Norm::Layer } else { Norm::BatchPre }
    }

    /// The rate at which this run's first update would have been of a healthy size.
    pub fn fitting_rate(&self) -> Option<f64> {
        let u = self.first_update()?;
        Some(self.run.training.lr * TARGET_UPDATE / u).filter(|lr| *lr > 0.0 && *lr <= MAX_LEARNING_RATE)
    }

    /// The reason for that rate, in a sentence.
    pub fn why_fitting_rate(&self) -> String {
        let u = self.first_update().unwrap_or(f64::NAN);
        format!(
            "the first step moved the median layer by {} times its size; at this rate it would have been \
             {TARGET_UPDATE} times",
            number(u)
        )
    }

    /// The first update over its weights, of the median layer.
    pub fn first_update(&self) -> Option<f64> {
        let step = self.q.points.first().filter(|p| p.step == 0).and_then(|p| p.update).map(|u| u.1);
        step.or(self.q.captures.first().and_then(|c| c.median_update()))
    }

    /// Whether a schedule, other than the gentle cosine, has taken the rate far down.
    pub fn schedule_ends_it(&self) -> bool {
        let steep = self.run.lr_decay.as_ref().is_some_and(|decay| !decay.starts_with("cosine"));
        steep && self.q.captures.last().is_some_and(|c| c.lr < ENDED * self.run.training.lr)
    }

    /// Whether the optimizer is of Adam's kin; PyTorch has more of them.
    pub fn is_adaptive(&self) -> bool {
        match &self.run.training.optimizer {
            Setting::Known(kind) => matches!(kind, OptimizerKind::Adam | OptimizerKind::AdamW),
            Setting::Other(name) => name.starts_with("adam"),
        }
    }

    /// Whether hidden layers are normalised over a batch; a script's are called by the kind of their layer.
    pub fn is_batch_normalized(&self) -> bool {
        match &self.run.norm {
            Setting::Known(norm) => norm.is_batch(),
            Setting::Other(name) => name.starts_with("batch"),
        }
    }

    /// Whether biases begin at zero.
    pub fn has_zero_bias(&self) -> bool {
        self.run.bias == "zeros" || self.run.bias.parse() == Ok(0.0)
    }

    /// Whether biases begin at neither zero nor the model's own default.
    pub fn has_odd_bias(&self) -> bool {
        !self.has_zero_bias() && self.run.bias != "default"
    }

    /// Whether some hidden layer has so few units that a fresh draw can leave all of them silent or
    /// alike.
    pub fn is_narrow(&self) -> bool {
        self.q.hidden().any(|i| self.q.layer(i).is_some_and(|l| l.units < NARROW))
    }

    /// Whether the weights of some hidden layer began far smaller than any initialiser makes them.
    pub fn has_tiny_weights(&self) -> bool {
        self.q.hidden().any(|i| self.q.row_norm(i).is_some_and(|w| w < TINY_ROWS))
    }

    /// Whether at least half of the hidden pre-activations of some layer are below zero all the time.
    pub fn is_mostly_negative(&self) -> bool {
        let Some(last) = self.q.captures.last() else { return false };
        self.q.hidden().any(|i| {
            let activations = last.layers.get(i).and_then(|l| l.activations.as_ref());
            activations.and_then(|a| a.pre.max()).is_some_and(|max| max <= 0.0)
        })
    }
}
