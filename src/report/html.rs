//! `report.html`: one page for people.

use super::{File, Input, ReportError};

/// Its place in the report directory.
pub const FILE_NAME: &str = "report.html";

/// The file of this format.
pub(super) fn files(input: &Input) -> Result<Vec<File>, ReportError> {
    Ok(vec![File::new(FILE_NAME, input.diagnosis.headline.clone())])
}
