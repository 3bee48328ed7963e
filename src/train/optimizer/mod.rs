//! Optimizers by name, with PyTorch's defaults.

mod settings;
mod update;

pub use settings::{OptimizerKind, OptimizerSettings};
pub use update::Optimizer;
