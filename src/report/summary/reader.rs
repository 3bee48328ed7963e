//! A summary, read back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::document::{SCHEMA, Summary};
use crate::record::prefix;

/// Bytes of a summary that are read at most: a thousand layers over two hundred epochs stay below.
const LARGEST: u64 = 2 << 30;
/// Bytes in which a summary names its schema.
const BEGINNING: u64 = 256;

/// Why a summary could not be read.
#[derive(Debug, Error)]
pub enum SummaryError {
    /// It is not there, say.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Larger than any summary is.
    #[error("{} has {length} bytes: no summary is so large", path.display())]
    TooLarge {
        /// Path of the file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
    },
    /// Cut short, or of other types.
    #[error("{} is no whole summary: {source}", path.display())]
    Invalid {
        /// Path of the file.
        path: PathBuf,
        /// The fault in it, and its place.
        source: serde_json::Error,
    },
    /// Of another version.
    #[error("{} has schema {schema:?}; this version reads {SCHEMA:?}", path.display())]
    Schema {
        /// Path of the file.
        path: PathBuf,
        /// The schema that it names.
        schema: String,
    },
}

/// The part of a summary that is read before anything else.
#[derive(Deserialize)]
struct Named {
    schema: String,
}

impl Summary {
    /// Reads a `summary.json`.
    ///
    /// # Errors
    /// [`SummaryError`], always with the path.
    pub fn read(path: &Path) -> Result<Self, SummaryError> {
        let failed = |source| SummaryError::Read { path: path.into(), source };
        let length = File::open(path).and_then(|f| f.metadata()).map_err(failed)?.len();
        if length > LARGEST {
            return Err(SummaryError::TooLarge { path: path.into(), length });
        }
        let bytes = fs::read(path).map_err(failed)?;
        let invalid = |source| SummaryError::Invalid { path: path.into(), source };
        let Named { schema } = serde_json::from_slice(&bytes).map_err(invalid)?;
        if schema != SCHEMA {
            return Err(SummaryError::Schema { path: path.into(), schema });
        }
        serde_json::from_slice(&bytes).map_err(invalid)
    }

    /// Whether a file begins as a summary does, of whatever version.
    pub fn is_at(path: &Path) -> bool {
        prefix(path, BEGINNING).is_ok_and(|text| text.contains("\"gradscope.summary/"))
    }
}
