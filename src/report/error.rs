//! Why a report could not be written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A fault of an output directory, or of writing into it.
#[derive(Debug, Error)]
pub enum ReportError {
    /// No path at all.
    #[error("the output path is empty: --out wants a directory, such as reports/first")]
    NoPath,
    /// Something that is not a directory stands where one is needed.
    #[error("{} is a file: --out wants a directory", path.display())]
    NotADirectory {
        /// Path of the file.
        path: PathBuf,
    },
    /// Someone else's files.
    #[error(
        "{} is not empty and was not written by gradscope: choose another --out, or add --force to write into it",
        path.display()
    )]
    Foreign {
        /// Path of the directory.
        path: PathBuf,
    },
    /// The directory cannot be made, read or written into.
    #[error("cannot write into {}: {source}", path.display())]
    NotWritable {
        /// Path of the directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A single file cannot be written, which was found out before the work started.
    #[error("cannot write {}: {source}", path.display())]
    Target {
        /// Path of the file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A file could not be written; what was there before is intact.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Path of the file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The page could not be rendered.
    #[error("cannot render the report: {0}")]
    Template(#[source] askama::Error),
    /// The summary, or what the page's script reads, could not be put into JSON.
    #[error("cannot write the report's JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// The JUnit report could not be put into XML.
    #[error("cannot write the report's XML: {0}")]
    Xml(String),
    /// The table could not be put into CSV.
    #[error("cannot write the report's CSV: {0}")]
    Csv(#[source] csv::Error),
}

impl ReportError {
    /// Whether the run itself failed (a full disk, say). Otherwise what was asked for cannot be done,
    /// and was found out before anything was touched.
    pub fn is_run_failure(&self) -> bool {
        match self {
            Self::NoPath | Self::NotADirectory { .. } | Self::Foreign { .. } => false,
            Self::NotWritable { source, .. } | Self::Target { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Write { .. } | Self::Template(_) | Self::Json(_) | Self::Xml(_) | Self::Csv(_) => true,
        }
    }

    pub(super) fn not_writable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::NotWritable { path: path.into(), source }
    }

    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Write { path: path.into(), source }
    }
}
