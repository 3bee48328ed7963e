//! Exact passes over the training set: on how many samples every ReLU unit fires.

use super::activation_frequency::FrequencyCount;
use crate::record::LayerKind;
use crate::train::TrainError;
use crate::train::data::Rows;
use crate::train::network::{Mode, Network};

/// Multiply-adds of a pass over the training set up to which firing is measured exactly at every
/// capture: about a hundredth of a second. Beyond, the training batches screen for silent units, and
/// suspects are looked at before the first step and at the end.
const CHEAP_EXACT_PASS: u64 = 50_000_000;
/// Rows of one pass that measures firing; fewer where it may stop early.
const FIRING_ROWS: u64 = 8_192;
const ROWS_BETWEEN_LOOKS: u64 = 1_024;
/// Rows after which a silent unit is left at that while others of its layer fire: with 95% confidence it
/// fires on less than one row of 1,300 (rule of three, Hanley and Lippman-Hand, 1983).
const ENOUGH_ROWS: i64 = 4_096;

/// How much of the training set a pass goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// So much that every unit is known to fire or not to.
    UntilKnown,
}

/// Whether an exact pass costs next to nothing.
pub fn is_cheap(network: &Network, train: &Rows) -> bool {
    network.macs().saturating_mul(train.len() as u64) <= CHEAP_EXACT_PASS
}

/// Whether a unit of the network could be dead.
pub fn can_be_dead(network: &Network) -> bool {
    network.layers().iter().any(|l| l.activation.can_die())
}

/// Whether a pass in evaluation mode tells which units fire in training. Where the running statistics of
/// batch normalisation lag behind, units that do would seem dead.
pub fn shows_in_evaluation(network: &Network) -> bool {
    !network.layers().iter().any(|l| l.kind == LayerKind::BatchNorm)
}

/// One pass over the whole training set, if there is a unit that could be dead. Batch normalisation
/// uses the rows' own statistics.
///
/// Unless it goes through the whole set, it ends where every unit has fired: what is left to count is how
/// often; or where [`ENOUGH_ROWS`] leave no layer that may be dead as a whole.
///
/// # Errors
/// As [`Network::forward`].
pub fn count(network: &Network, train: &Rows, extent: Extent) -> Result<Option<FrequencyCount>, TrainError> {
    if !can_be_dead(network) {
        return Ok(None);
    }
    let mut count = FrequencyCount::exact(network.layers().len());
    tch::no_grad(|| {
        let whole = extent == Extent::Whole;
        // Parts of equal size, but for a row, each spread evenly over a set that may be sorted by class.
        let parts =
            (train.len() as u64).div_ceil(if whole { FIRING_ROWS } else { ROWS_BETWEEN_LOOKS }) as i64;
        let mut seen = 0;
        for first in 0..parts {
            let x = train.x.slice(0, first, train.len(), parts);
            let _ = network.forward(&x, Mode::Observe, Some(&mut count))?;
            seen += x.size()[0];
            let enough = !count.has_silent_unit() || (seen >= ENOUGH_ROWS && !count.has_silent_layer());
            if !whole && seen < train.len() && enough {
                count.mark_partial();
                break;
            }
        }
        Ok(Some(count))
    })
}
