//! A record for TensorBoard: scalars and histograms in one event file.
//!
//! The histograms are drawn from the record's own distributions, so that their counts are those of the
//! tensors, NaN and infinities aside, which are scalars of their own where there are any.

mod events;
mod frame;
mod message;

pub use events::{FILE_NAME, write};
