//! The report of a comparison.

use std::path::PathBuf;

use super::{Comparison, FILE_NAME, Variant};
use crate::plot::Figure;
use crate::report::directory::File;
use crate::report::{OutputDir, ReportError, html, plots};

/// Writes `report.html`, `compare.json` and `plots/*.svg`, in place of those of an earlier comparison.
///
/// # Errors
/// [`ReportError`]; what was there before is then intact.
pub fn write(
    dir: &OutputDir,
    comparison: &Comparison,
    variants: &[Variant],
    figures: &[Figure],
) -> Result<PathBuf, ReportError> {
    let mut files = vec![
        File::new(html::FILE_NAME, html::comparison(comparison, variants, figures)?),
        File::new(FILE_NAME, comparison.to_json()?),
    ];
    files.extend(plots::svg_files(figures));
    dir.replace(&files)?;
    Ok(dir.path().join(html::FILE_NAME))
}
