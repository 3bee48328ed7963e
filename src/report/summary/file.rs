//! `summary.json` as a file of the report.

use super::FILE_NAME;
use crate::report::directory::File;
use crate::report::{ReportError, RunReport};

/// The file of this format.
pub(in crate::report) fn files(report: &RunReport) -> Result<Vec<File>, ReportError> {
    Ok(vec![File::new(FILE_NAME, report.summary.to_json()?)])
}
