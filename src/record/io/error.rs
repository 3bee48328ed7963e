//! Errors of reading and writing records.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::record::SCHEMA;

/// Why a record could not be read or written; each carries the place.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The file cannot be opened or read.
    #[error("cannot read the record {}: {source}", path.display())]
    Read {
        /// Path of the record.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Its compression is damaged, or none.
    #[error("{}, line {line}: it cannot be unpacked: {source}", path.display())]
    Packed {
        /// Path of the record.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// The fault in it.
        source: io::Error,
    },
    /// It could not be written (a full disk, say).
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The record, or a file beside it.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Nothing in it.
    #[error("{} is empty: a record begins with a header line (schema {SCHEMA})", path.display())]
    Empty {
        /// Path of the file.
        path: PathBuf,
    },
    /// The first line is no whole header.
    #[error(
        "{} has no whole header: line 1 should be a JSON object of kind \"header\" (schema {SCHEMA}), but {reason}",
        path.display()
    )]
    NoHeader {
        /// Path of the file.
        path: PathBuf,
        /// The reason that it is none.
        reason: String,
    },
    /// A schema that this version does not know.
    #[error(
        "{} has schema {found:?}; this version reads {SCHEMA:?}: use the version of gradscope that wrote it, or a later one",
        path.display()
    )]
    Schema {
        /// Path of the file.
        path: PathBuf,
        /// The schema it names.
        found: String,
    },
    /// A line that is not the last cannot be read.
    #[error("{}, line {line}: {reason}", path.display())]
    Corrupt {
        /// Path of the file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// The fault in it.
        reason: String,
    },
}
