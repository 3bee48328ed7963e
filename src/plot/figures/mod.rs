//! The pictures, one file each.

pub mod boundary;
pub mod compare;
pub mod curves;
pub mod density_histogram;
pub mod heatmap;
pub mod histogram;
pub mod norms;
pub mod over_time;
pub mod violin;
