//! The report of a sweep.

use std::path::PathBuf;

use super::{FILE_NAME, Sweep, csv, picture};
use crate::report::directory::File;
use crate::report::{OutputDir, ReportError, html, plots};

impl Sweep {
    /// Writes `report.html`, `sweep.json`, `sweep.csv` and the heat map, in place of earlier ones.
    ///
    /// # Errors
    /// [`ReportError`]; what was there before is then intact.
    pub fn write(&self, directory: &OutputDir) -> Result<Vec<PathBuf>, ReportError> {
        let figures = picture::figures(self);
        let mut files = vec![
            File::new(html::FILE_NAME, html::sweep(self, &figures)?),
            File::new(FILE_NAME, self.to_json()?),
            File::new("sweep.csv", csv::csv(self)),
        ];
        files.extend(plots::svg_files(&figures));
        directory.replace(&files)
    }
}
