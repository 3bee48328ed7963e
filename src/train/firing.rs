//! Exact passes over the training set: on how many samples every ReLU unit fires.

use super::data::Rows;
use super::network::{Mode, Network};
use super::probe::FiringCount;

/// Multiply-adds of a pass over the training set up to which firing is measured exactly at every
/// capture: about a hundredth of a second. Beyond, the training batches screen for silent units, and
/// an exact pass is made for suspects, before the first step and at the end.
const CHEAP_EXACT_PASS: u64 = 50_000_000;
/// Rows of one pass that measures firing; fewer where it may stop early.
const FIRING_ROWS: u64 = 8_192;
const ROWS_BETWEEN_LOOKS: u64 = 1_024;

/// Whether an exact pass costs next to nothing.
pub fn is_cheap(network: &Network, train: &Rows) -> bool {
    network.work().saturating_mul(train.len() as u64) <= CHEAP_EXACT_PASS
}

/// One pass over the whole training set, if there is a unit that could be dead. Batch normalisation
/// uses the rows' own statistics: its running ones lag behind, and units that fire in training would
/// seem dead.
///
/// Unless the `whole` set is asked for, it ends where every unit has fired: what is left to count is how
/// often.
pub fn exact(network: &Network, train: &Rows, whole: bool) -> Option<FiringCount> {
    if !network.layers().iter().any(|l| l.activation.can_die()) {
        return None;
    }
    let mut count = FiringCount::new(network, true);
    tch::no_grad(|| {
        // Parts of nearly equal size: none is left with a single row.
        let rows = train.len() as u64;
        let part = rows.div_ceil(rows.div_ceil(if whole { FIRING_ROWS } else { ROWS_BETWEEN_LOOKS })) as i64;
        for start in (0..train.len()).step_by(part as usize) {
            let x = train.x.narrow(0, start, part.min(train.len() - start));
            let _ = network.forward(&x, Mode::Observe, Some(&mut count));
            if !whole && start + part < train.len() && !count.has_silent_unit() {
                count.is_partial();
                break;
            }
        }
    });
    Some(count)
}
