//! Two runs, one of them the base: which findings are new, worse, better or gone, and which layers moved.

mod changes;
mod findings;
mod layers;
mod write;

pub use changes::{Diff, FILE_NAME, RunInShort, SCHEMA, TOLERANCE, known};
pub use findings::{BaseFinding, Changed};
pub use layers::{LayerChange, Reshaped};
