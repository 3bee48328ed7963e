//! The largest magnitude of a weight.

use super::measured::Quantity;
use super::scalars::shortened;

/// The largest magnitude of a weight; all ranks hold the same.
pub struct WeightAbsMax;

impl Quantity for WeightAbsMax {
    type Value = f64;

    fn compact(value: &mut f64) {
        *value = shortened(*value);
    }
}
