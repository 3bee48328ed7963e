//! Distributions of a layer's parameters, of their gradients, and of what an update changed.

use super::measured::Quantity;
use crate::record::CaptureDetail;
use crate::stats::Distribution;

/// A weight, a bias, or the gradient of either.
pub struct Parameter;

/// The change of a weight by an update.
pub struct Update;

impl Quantity for Parameter {
    type Value = Distribution;

    fn compact(value: &mut Distribution) {
        *value = value.compacted(CaptureDetail::HISTORY.parameters);
    }

    fn memory(value: &Distribution) -> usize {
        value.memory()
    }
}

impl Quantity for Update {
    type Value = Distribution;

    fn compact(value: &mut Distribution) {
        *value = value.compacted(CaptureDetail::HISTORY.update);
    }

    fn memory(value: &Distribution) -> usize {
        value.memory()
    }
}

/// How far two tensors are from each other at least, as their numbers tell, over a size.
pub fn distance(a: Option<&Distribution>, b: Option<&Distribution>, size: f64) -> f64 {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (None, None) => return 0.0,
        _ => return f64::INFINITY,
    };
    let root = (a.count().max(1) as f64).sqrt();
    let numbers = |d: &Distribution| {
        [
            d.l2(),
            root * d.mean().unwrap_or(0.0),
            d.l1() / root,
            d.min().unwrap_or(0.0),
            d.max().unwrap_or(0.0),
        ]
    };
    let pairs = numbers(a).into_iter().zip(numbers(b));
    pairs.map(|(a, b)| relative_difference(a, b, size)).fold(0.0, f64::max)
}

/// |a − b| over a size: 0 where both are the same or both NaN, infinite where it is no number.
pub fn relative_difference(a: f64, b: f64, size: f64) -> f64 {
    if a == b || (a.is_nan() && b.is_nan()) {
        return 0.0;
    }
    let difference = (a - b).abs() / size;
    if difference.is_nan() { f64::INFINITY } else { difference }
}
