//! All of gradscope that needs no libtorch; the crate `gradscope` has the same modules, and `train`.

#![deny(missing_docs, unsafe_code)]

pub mod checkpoint;
#[doc(hidden)]
pub mod cli;
pub mod diagnose;
pub mod plot;
pub mod record;
pub mod report;
pub mod stats;
#[doc(hidden)]
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;

/// The commit that this is built from.
pub const COMMIT: &str = env!("GRADSCOPE_COMMIT");
