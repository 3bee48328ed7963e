//! The files of a run's report, and the formats that make them.

use std::path::PathBuf;

use super::directory::{File, OutputDir};
use super::{ReportError, RunReport, html, plots, summary};

/// An output format.
type Format = fn(&RunReport) -> Result<Vec<File>, ReportError>;

/// Every output format.
const FORMATS: [Format; 3] = [html::files, summary::files, plots::files];

/// The files that were written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The page for people.
    pub report: PathBuf,
    /// The JSON for machines.
    pub summary: PathBuf,
    /// All files, these two among them.
    pub files: Vec<PathBuf>,
}

impl RunReport<'_> {
    /// Writes `report.html`, `summary.json` and `plots/*.svg`, in place of those of an earlier run.
    ///
    /// # Errors
    /// [`ReportError`]; what was there before is then intact.
    pub fn write(&self, directory: &OutputDir) -> Result<Written, ReportError> {
        let mut files = Vec::new();
        for format in FORMATS {
            files.extend(format(self)?);
        }
        Ok(Written {
            report: directory.path().join(html::FILE_NAME),
            summary: directory.path().join(summary::FILE_NAME),
            files: directory.replace(&files)?,
        })
    }
}
