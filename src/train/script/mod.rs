//! A model that is a TorchScript program: loaded, and its parameters sorted into layers.
//!
//! Nothing inside of it can be looked at. What a layer is, is told by names, shapes and the classes of its
//! modules; the order of layers is that in which the program declares them.

mod program;
mod trial;

pub use program::{Loaded, Script};
pub use trial::Trial;
