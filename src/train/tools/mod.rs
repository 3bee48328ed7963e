//! Tools that look at a network beside its training.

pub mod boundary;
pub mod gradcheck;
