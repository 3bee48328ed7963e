//! Record, findings and plots → files: one file of code an output format.
//!
//! Every format is a function from the same `Input` to the `File`s it wants written. A new one is a
//! module and a line in `FORMATS`. [`write()`] puts the files of all formats into place together:
//! all of them or, on an error, none.

pub mod command;
pub mod compare;
pub mod diff;
mod directory;
mod error;
pub mod format;
mod html;
mod plots;
pub mod schema;
mod summary;
pub mod sweep;
pub mod tensorboard;

use std::path::PathBuf;

use crate::diagnose::Diagnosis;
use crate::plot::Figure;
use crate::record::Record;

pub use directory::{OutputDir, RECORD_FILE};
pub use error::ReportError;
pub use summary::{
    ActivationSummary, DistributionSummary, EpochSummary, FILE_NAME as SUMMARY_FILE, LayerEpoch,
    LayerSummary, Listed, QUANTILES, RunOutcome, RunSummary, SCHEMA as SUMMARY_SCHEMA, Summary, SummaryError,
};

/// What every format is made from.
struct Input<'a> {
    record: &'a Record,
    diagnosis: &'a Diagnosis,
    figures: &'a [Figure],
    summary: Summary,
}

/// A file to be written.
struct File {
    /// Relative to the report directory.
    path: String,
    content: String,
}

impl File {
    fn new(path: impl Into<String>, content: String) -> Self {
        Self { path: path.into(), content }
    }
}

/// An output format.
type Format = fn(&Input) -> Result<Vec<File>, ReportError>;

/// Every output format.
const FORMATS: [Format; 3] = [html::files, summary::files, plots::files];

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The page for people.
    pub report: PathBuf,
    /// The JSON for machines.
    pub summary: PathBuf,
    /// All files.
    pub files: Vec<PathBuf>,
}

/// Writes `report.html`, `summary.json` and `plots/*.svg`, in place of those of an earlier run.
///
/// # Errors
/// [`ReportError`]; what was there before is then intact.
pub fn write(
    dir: &OutputDir,
    record: &Record,
    diagnosis: &Diagnosis,
    figures: &[Figure],
) -> Result<Written, ReportError> {
    let input = Input { record, diagnosis, figures, summary: Summary::of(record, diagnosis) };
    let mut files = Vec::new();
    for format in FORMATS {
        files.extend(format(&input)?);
    }
    Ok(Written {
        report: dir.path().join(html::FILE_NAME),
        summary: dir.path().join(summary::FILE_NAME),
        files: dir.replace(&files)?,
    })
}
