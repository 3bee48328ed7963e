//! Errors of records of several ranks.

use thiserror::Error;

/// Why records do not make one.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MergeError {
    /// A single one, or none.
    #[error("there is nothing to merge: give the records of all ranks")]
    TooFew,
    /// Not the record of a rank.
    #[error("record {0}: it is of a run by one process, with no rank to it")]
    NoRank(usize),
    /// Ranks that are missing or there twice.
    #[error(
        "the ranks do not make one run: records of ranks {found:?}, where there should be one each of 0 to {last}"
    )]
    Ranks {
        /// Those that are there.
        found: Vec<u64>,
        /// The last of the run.
        last: u64,
    },
    /// Another run.
    #[error("record {index} is not of the same run as the first: {reason}")]
    OtherRun {
        /// Which, from 1.
        index: usize,
        /// In what they differ.
        reason: String,
    },
}
