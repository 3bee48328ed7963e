//! Checkpoints → a record that holds weights alone, without a tensor library: `.safetensors`, `.pt` and
//! `.pth` of torch.save, `.npz` and `.npy`.
//!
//! A reader per format (`safetensors`, `torch`, `numpy`) says which tensors lie where in a file, and
//! checks that before memory is taken; `tensor` reads their values piece by piece, so that a file of any
//! size needs little memory; `layers` tells weights and biases apart by their names; `measure` makes a
//! record of one file, or of several in the order of training; `script` tells TorchScript programs, which are
//! trained, from all of these. Files are read and not mapped into
//! memory: one that is cut while it is read is an error, and no crash.

mod archive;
mod content;
mod dtype;
mod error;
mod layers;
mod measure;
mod numpy;
mod open;
mod place;
mod safetensors;
mod script;
mod tensor;
mod torch;

pub use error::CheckpointError;
#[doc(hidden)]
pub use layers::{Named, group};
pub use measure::record;
#[doc(hidden)]
pub use script::Program;
