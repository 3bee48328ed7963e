//! Optimizers by name, with PyTorch's defaults.

mod settings;
mod update;

pub use settings::OptimizerSettings;
pub use update::Optimizer;
