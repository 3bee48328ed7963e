//! `plots/*.svg`: every figure as a file that stands alone.

use super::directory::{File, PLOTS};
use super::{ReportError, RunReport};
use crate::plot::Figure;

/// The files of this format.
pub(super) fn files(report: &RunReport) -> Result<Vec<File>, ReportError> {
    Ok(svg_files(&report.figures))
}

/// A file of each figure.
pub(super) fn svg_files(figures: &[Figure]) -> Vec<File> {
    figures.iter().map(|f| File::new(format!("{PLOTS}/{}.svg", f.name), f.svg.clone())).collect()
}
