//! `plots/*.svg`: every figure as a file that stands alone.

use super::{File, Input, ReportError};
use crate::plot::Figure;

/// Their place in the report directory.
pub const DIRECTORY: &str = "plots";

/// Stands near the beginning of every picture that gradscope draws.
pub const SIGNATURE: &str = "class=\"gs\"";

/// The files of this format.
pub(super) fn files(input: &Input) -> Result<Vec<File>, ReportError> {
    Ok(of(input.figures))
}

/// A file of each.
pub(super) fn of(figures: &[Figure]) -> Vec<File> {
    let file = |f: &Figure| File::new(format!("{DIRECTORY}/{}.svg", f.name), f.svg.clone());
    figures.iter().map(file).collect()
}
