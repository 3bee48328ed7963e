//! Settings that by themselves keep a network from learning, whatever the finding.

use super::change::Change;
use super::plan::Plan;
use crate::diagnose::text::{percent, two_digits};
use crate::record::settings::{Norm, OptimizerKind};

/// A clipping norm below this leaves steps of a hundredth of what an ordinary gradient makes.
const SMALL_CLIP: f64 = 0.01;
/// Share of the weights that decay takes at a step from which it outruns what gradients build up: half of
/// them within 70 steps.
const STRONG_DECAY: f64 = 0.01;
/// Share of the units that dropout may take from a step before too few are left to learn with;
/// Srivastava et al. (2014) keep a half or more of the hidden ones.
const STRONG_DROPOUT: f64 = 0.8;
/// Rows of a batch up to which its own mean and spread say next to nothing: of two rows, batch
/// normalisation leaves the sign of their difference, through which no gradient passes. Wu and He (2018)
/// see errors grow from 16 rows downwards.
const TINY_BATCH: u64 = 4;

impl Plan<'_> {
    /// Takes such settings back, where the user has chosen them.
    pub fn release_brakes(&mut self) {
        let run = self.run;
        // Adam and RMSprop divide by the size of the gradient, clipped or not, and add decay to it.
        let training = &run.training;
        let (sgd, decoupled) =
            (training.optimizer == OptimizerKind::Sgd, training.optimizer == OptimizerKind::AdamW);
        if sgd && training.clip_norm.is_some_and(|c| c < SMALL_CLIP) {
            self.add(
                [Change::ClipNorm(1.0)],
                "the gradient is clipped to almost nothing; the usual norm is about 1",
            );
        }
        if run.dropout >= STRONG_DROPOUT {
            let why = format!("dropout takes {} of the units from every step", percent(run.dropout));
            self.add([Change::Dropout(0.2)], why);
        }
        self.enlarge_batch();
        if (sgd || decoupled) && training.lr * training.weight_decay > STRONG_DECAY {
            let why = format!(
                "every step takes {} of the weights away; a hundredth of the decay leaves them standing",
                percent(training.lr * training.weight_decay)
            );
            self.add([Change::WeightDecay(two_digits(training.weight_decay / 100.0))], why);
        }
    }

    fn enlarge_batch(&mut self) {
        let batch = self.run.batch_size;
        if self.is_batch_normalized() && (1..=TINY_BATCH).contains(&batch) {
            let why = format!("normalised over {batch} rows, a unit tells little of what it has seen");
            self.add([Change::BatchSize(32)], why);
            self.add([Change::Norm(Norm::Layer)], "layer normalisation does not look at a batch");
        }
    }
}
