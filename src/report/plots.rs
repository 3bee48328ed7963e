//! `plots/*.svg`: every figure as a file that stands alone.

use super::{File, Input, ReportError};

/// Their place in the report directory.
pub const DIRECTORY: &str = "plots";

/// Stands near the beginning of every picture that gradscope draws.
pub const SIGNATURE: &str = "class=\"gs\"";

/// The files of this format.
pub(super) fn files(input: &Input) -> Result<Vec<File>, ReportError> {
    let file = |f: &crate::plot::Figure| File::new(format!("{DIRECTORY}/{}.svg", f.name), f.svg.clone());
    Ok(input.figures.iter().map(file).collect())
}
