//! A network with its tensors: how it is built, what a pass through it does, and how its outputs are judged.

mod build;
mod objective;
mod pass;

pub use build::{Network, Snapshot};
pub use objective::Objective;
pub use pass::{ForwardHook, Mode, Parameters, Pass};
