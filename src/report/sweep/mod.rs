//! Many runs in one table: what was varied, how each fared, best first.
//!
//! A [`Sweep`] is made of the [`Cell`]s alone, so that it is the same whatever started the runs. Wall
//! times stand in `sweep.json` and `sweep.csv` only: everything else repeats to the byte.

mod cell;
mod collect;
mod csv;
mod grid;
mod picture;
mod settings;
mod table;
mod write;

pub use cell::{CELLS, Cell, CellOutcome, CellResult, RootFinding};
pub use collect::collect;
pub use grid::{Axis, Sort};
pub use table::{FILE_NAME, SCHEMA, Sweep};
