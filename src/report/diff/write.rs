//! The report of a difference.

use super::{Diff, FILE_NAME};
use crate::report::directory::File;
use crate::report::{OutputDir, ReportError, html};

impl Diff {
    /// Writes `report.html` and `diff.json`, in place of earlier ones.
    ///
    /// # Errors
    /// [`ReportError`]; what was there before is then intact.
    pub fn write(&self, directory: &OutputDir) -> Result<(), ReportError> {
        let page = File::new(html::FILE_NAME, html::diff(self)?);
        directory.replace(&[page, File::new(FILE_NAME, self.to_json()?)])?;
        Ok(())
    }
}
