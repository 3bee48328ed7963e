//! Several processes that trained one model together, and the one record that theirs add up to.

mod differences;
mod error;
mod ranks;
mod records;

pub use error::MergeError;
pub use ranks::{RankDifference, Ranks};
