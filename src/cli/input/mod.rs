//! The files and settings that commands read.

pub mod findings;
pub mod source;
