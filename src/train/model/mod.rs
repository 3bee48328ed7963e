//! Models, described in TOML files: the zoo's entries are such files.
//!
//! `file` and `entry` read a description, `layers` holds what it says of each layer, `kinds` are the kinds of
//! layer that there are, `walk` and `planner` work out the shapes of a `plan` for given data, `table` lists its
//! layers with their parameters.

mod changes;
mod description;
mod entry;
mod fault;
mod file;
mod kind;
mod kinds;
mod layer_options;
mod layers;
mod op;
mod ops;
mod plan;
mod planner;
mod resolve;
mod schema;
mod shape;
mod spelled;
mod table;
#[cfg(test)]
mod tests;
mod walk;
mod zoo;

pub use changes::Changes;
pub use description::{Defaults, Inputs, Model};
pub use layer_options::{Cell, LayerOptions, Norm, Window};
pub use layers::LayerSpec;
pub use op::Op;
pub use plan::{Plan, PlannedLayer, Sizes, Step};
pub use schema::schema;
pub use shape::Shape;
pub use table::{Memory, ParameterTable, Row};
pub use zoo::zoo;
