//! The faults of a checkpoint.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a checkpoint could not be read: always a matter of the input.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// Path of the file.
        path: PathBuf,
        /// The fault, and the cure.
        reason: String,
    },
}

impl CheckpointError {
    /// That the system could not read this file.
    pub(super) fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read { path: path.into(), source }
    }

    /// The errors of something that is wrong inside of this file, by their reasons.
    pub(super) fn in_file(path: &Path) -> impl Fn(String) -> Self + Copy + '_ {
        move |reason| Self::invalid(path, reason)
    }

    /// That something is wrong inside of this file.
    pub(super) fn invalid(path: &Path, reason: impl Into<String>) -> Self {
        Self::Invalid { path: path.into(), reason: reason.into() }
    }
}
