//! Measurements of a network while it trains.

pub mod activation_frequency;
pub mod device_stats;
pub mod exact_pass;
pub mod memory;
pub mod non_finite;
pub mod norms;
pub mod probe;
mod rows;
pub mod zero_gradient;
