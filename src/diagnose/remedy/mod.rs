//! Changes to a run that help against a fault, in the order in which they fared in trials: the counts stand in
//! the texts of the rules. A remedy belongs to a root, never to its consequences.
//!
//! A rule says which remedies are its own. Here is what rules share: the changes as types and as flags
//! (`change`, `spell`), a list in the making (`plan`), facts of the run that decide which change fits (`facts`),
//! and changes that several rules suggest (`blocks`).

mod blocks;
mod brakes;
mod change;
mod facts;
mod plan;
mod spell;
mod suggestion;

pub(super) use blocks::{adam_at, relu_with_he};
pub use change::Change;
pub(super) use plan::Plan;
pub use suggestion::Remedy;
