//! The runs of a sweep, read from its directory.

use std::path::Path;
use std::{fs, io};

use super::cell::{CELLS, Cell, CellOutcome};
use super::table::{FILE_NAME, SCHEMA, Sweep};

/// Everything in the `cells` of a sweep's directory. What an earlier table said about runs that left
/// nothing behind is kept: their directories cannot tell.
///
/// # Errors
/// Where `cells` cannot be listed.
pub fn collect(sweep: &Path) -> io::Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for entry in fs::read_dir(sweep.join(CELLS))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            cells.push(Cell::read(sweep, &name));
        }
    }
    for old in earlier(sweep) {
        if !matches!(old.outcome, CellOutcome::Failed | CellOutcome::Untrained) {
            continue;
        }
        match cells.iter_mut().find(|c| c.directory == old.directory) {
            Some(cell) if cell.outcome == CellOutcome::Untrained => *cell = old,
            // A record is there, but not why it stops.
            Some(cell) if cell.outcome == CellOutcome::Killed && old.outcome == CellOutcome::Failed => {
                *cell = old;
            }
            Some(_) => {}
            None => cells.push(old),
        }
    }
    cells.sort_by(|a, b| a.directory.cmp(&b.directory));
    Ok(cells)
}

/// The cells of the table that is there already, if there is one.
fn earlier(sweep: &Path) -> Vec<Cell> {
    let text = fs::read_to_string(sweep.join(FILE_NAME)).unwrap_or_default();
    let known = serde_json::from_str::<Sweep>(&text).ok().filter(|s| s.schema == SCHEMA);
    known.map(|s| s.cells).unwrap_or_default()
}
