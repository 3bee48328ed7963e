//! `plots/*.svg`: every figure as a file that stands alone.

use super::directory::File;
use super::{ReportError, RunReport};
use crate::plot::Figure;

/// Their place in the report directory.
pub const DIRECTORY: &str = "plots";

/// Stands near the beginning of every picture that gradscope draws.
pub const SIGNATURE: &str = "class=\"gs\"";

/// The files of this format.
pub(super) fn files(report: &RunReport) -> Result<Vec<File>, ReportError> {
    Ok(svg_files(&report.figures))
}

/// A file of each figure.
pub(super) fn svg_files(figures: &[Figure]) -> Vec<File> {
    figures.iter().map(|f| File::new(format!("{DIRECTORY}/{}.svg", f.name), f.svg.clone())).collect()
}
