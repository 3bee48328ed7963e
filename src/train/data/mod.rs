//! Data sets: where rows come from. A new one is a file with its [`DataKind`], and a line in the list of `source`.

mod blobs;
mod circles;
mod csv;
mod dataset;
mod generated;
mod idx;
mod kind;
mod memory;
mod moons;
mod polynomial;
mod source;
mod spirals;
mod split;

pub use dataset::{Dataset, Rows, describe};
pub use kind::{DataKind, DataOptions};
pub use source::{DataSource, data_kinds};
pub use split::Split;
