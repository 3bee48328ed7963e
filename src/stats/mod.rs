//! Numbers only: the mergeable distribution of a tensor's values, its quantiles, and the densities
//! that violins are drawn from. Imports nothing of the project.

mod bins;
mod density;
mod distribution;
mod packed;
mod random;
mod spread;

pub use bins::RELATIVE_WIDTH as BIN_RELATIVE_WIDTH;
pub use density::{Density, GRID_POINTS, histogram};
pub use distribution::{Distribution, EXACT_CAPACITY, SAMPLE_CAPACITY};
pub use spread::Spread;

/// Serialises bytes compactly; see [`packed::bytes`].
pub use packed::bytes as packed_bytes;
/// Serialises a float vector compactly; see [`packed::floats`].
pub use packed::floats as packed_floats;
