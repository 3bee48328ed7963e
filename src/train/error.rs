//! Errors before and during training.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::checkpoint::CheckpointError;
use crate::record::RecordError;

/// Why a run could not start or go on. All but those of [`TrainError::is_run_failure`] are the user's to
/// mend, before anything was trained.
#[derive(Debug, Error)]
pub enum TrainError {
    /// No model of that name.
    #[error("no model is called {name:?}; there are {known}{}", nearest(.name, .known))]
    UnknownModel {
        /// The name or size that was asked for.
        name: String,
        /// Names that there are.
        known: String,
    },
    /// A model description that does not fit.
    #[error("{place}: {reason}")]
    Model {
        /// File or zoo name.
        place: String,
        /// The fault.
        reason: String,
    },
    /// A file that holds no program to train.
    #[error(transparent)]
    Program(#[from] CheckpointError),
    /// A TorchScript program failed while it ran; the sentence in what it said.
    #[error("the TorchScript program: {0}")]
    Script(String),
    /// No data set of that name.
    #[error("no data set is called {name:?}; there are {known}{}", nearest(.name, .known))]
    UnknownData {
        /// The name or size that was asked for.
        name: String,
        /// Names that there are.
        known: String,
    },
    /// An initialiser that cannot be read.
    #[error("{text:?} is no initialiser: {reason}")]
    Init {
        /// As it was written.
        text: String,
        /// The fault, and what would be right.
        reason: String,
    },
    /// A data file that cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    ReadData {
        /// Path of the file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A place in a data file that is not as it should be.
    #[error("{}, {place}: {reason}", path.display())]
    DataPlace {
        /// Path of the file.
        path: PathBuf,
        /// Line and column.
        place: String,
        /// The fault, and what would be right.
        reason: String,
    },
    /// Data that cannot be trained on as asked.
    #[error("{0}")]
    Data(String),
    /// Settings that do not go together.
    #[error("{0}")]
    Settings(String),
    /// A device that is not there.
    #[error("{0}")]
    Device(String),
    /// A saved state or model that cannot be used.
    #[error("{} {reason}", path.display())]
    Checkpoint {
        /// Path of the file.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// There is no room for what is measured.
    #[error("not enough memory: {bytes} bytes for a copy of weights")]
    Memory {
        /// The name or size that was asked for.
        bytes: u64,
    },
    /// The record could not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// libtorch refused; the first sentence of what it said.
    #[error("libtorch: {}", first_sentence(.0))]
    Torch(#[from] tch::TchError),
}

impl TrainError {
    /// Whether the run itself failed, as opposed to a request that could not be met.
    pub fn is_run_failure(&self) -> bool {
        matches!(self, Self::Script(_) | Self::Memory { .. } | Self::Record(_) | Self::Torch(_))
    }
}

/// libtorch's messages run to thousands of characters of stack frames; the first line says it all.
pub fn first_sentence(error: &tch::TchError) -> String {
    sentence_of(&error.to_string())
}

/// The first line of a message of libtorch, without its prefix.
pub fn sentence_of(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.strip_prefix("Internal torch error: ").unwrap_or(line).trim().to_owned()
}

/// ": did you mean …?" where a known name is close to the one given.
fn nearest(name: &str, known: &str) -> String {
    // Of forms such as csv:FILE or blobs[:K], the name alone.
    let candidates = known.split(", ").map(|k| k.split([':', '[']).next().unwrap_or(k));
    crate::text::similar(name, candidates).first().map_or(String::new(), |n| format!("; did you mean {n}?"))
}
