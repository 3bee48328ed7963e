//! Points of a training.

use super::count;

/// A point of a training, as exactly as is known: `step 12,000`, or `epoch 3`. A finding holds since then.
///
/// ```
/// assert_eq!(gradscope_core::text::moment(3, Some(12_000)), "step 12,000");
/// assert_eq!(gradscope_core::text::moment(3, None), "epoch 3");
/// ```
pub fn moment(epoch: u64, step: Option<u64>) -> String {
    match step {
        Some(step) => format!("step {}", count(step)),
        None => format!("epoch {}", count(epoch)),
    }
}
