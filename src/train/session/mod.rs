//! A run from its beginning to its end: the loop of this program, and the recorder of a loop of one's own.

pub mod checkpoint;
pub mod decay;
mod observer;
mod prepare;
mod run;
mod scope;
mod state;
mod tracked_layer;
mod trainer;

pub use checkpoint::Checkpoint;
pub use decay::LrDecay;
pub use observer::{Observer, Stop};
pub use run::{check, resume, train};
pub use scope::Scope;
pub use state::STATE_FILE;
pub use tracked_layer::{Scores, TrackedLayer};
pub use trainer::MODEL_FILE;
