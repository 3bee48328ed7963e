//! Numbers only: the mergeable distribution of a tensor's values, its quantiles, and the densities
//! that violins are drawn from. Imports nothing of the project.

mod bins;
mod counted;
mod density;
mod distribution;
mod element;
mod histogram;
mod interval;
mod kernel;
mod moments;
mod norm;
mod packed;
mod quantile_summary;
mod random;
mod sample;
mod segments;
mod spread;
mod tensor_stats;
mod wire;

pub use bins::RELATIVE_WIDTH as BIN_RELATIVE_WIDTH;
pub use counted::Counted;
pub use density::{Density, GRID_POINTS};
pub use distribution::{Distribution, EXACT_CAPACITY};
pub use element::Element;
pub use histogram::{histogram, magnitude_histogram};
pub use kernel::Instructions;
pub use norm::{Followed, follow, l2};
pub use quantile_summary::{DetailLevel, with_digits};
pub use sample::SAMPLE_CAPACITY;
pub use spread::Spread;

/// Limits that other recorders keep to as well; see `python/gradscope/_constants.py`.
pub mod limits {
    pub use super::bins::{MAX_BIN, SHIFT, SUBNORMAL};
    pub use super::quantile_summary::{DIGITS, PROBABILITIES};
}

/// Serialises bytes compactly; see [`packed::bytes`].
pub use packed::bytes as packed_bytes;
/// Serialises a float vector compactly; see [`packed::floats`].
pub use packed::floats as packed_floats;
