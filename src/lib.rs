//! # gradscope
pub mod diagnose;
pub mod plot;
pub mod record;
pub mod report;
pub mod stats;
mod text;
#[cfg(feature = "train")]
pub mod train;
