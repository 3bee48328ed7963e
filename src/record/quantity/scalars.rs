//! Quantities of a single number: how far the rows of a matrix are apart, and the norm of the gradient of a
//! layer's output.

use super::measured::{Quantity, all_values};
use crate::stats::with_digits;

/// Digits of norms in a history: a float32 has no more.
pub const DIGITS: usize = 7;

/// A number with the digits that a record keeps.
pub fn shortened(value: f64) -> f64 {
    with_digits(value, DIGITS)
}

/// How far the rows of a matrix are from each other.
pub struct RowDeviation;

/// ‖δ‖, the norm of the gradient of the loss with respect to a layer's output.
pub struct OutputGradient;

impl Quantity for RowDeviation {
    type Value = f64;

    fn compact(value: &mut f64) {
        *value = shortened(*value);
    }
}

impl Quantity for OutputGradient {
    type Value = f64;

    fn compact(value: &mut f64) {
        *value = shortened(*value);
    }

    /// The loss is the mean of the ranks': of its gradient each holds so many times too much.
    fn merged(ranks: &[Option<&f64>]) -> Option<f64> {
        let norms = all_values(ranks)?;
        Some(norms.iter().map(|norm| **norm * **norm).sum::<f64>().sqrt() / ranks.len() as f64)
    }
}
