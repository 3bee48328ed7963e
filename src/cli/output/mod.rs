//! Everything that leaves a command: words on the terminal, files, the exit status.

pub mod conclusion;
pub mod exit;
pub mod failure;
mod listing;
pub mod sweep_table;
pub mod table;
pub mod targets;
pub mod terminal;
pub mod verdict;

pub use listing::Listing;
pub use terminal::{Colors, note, print};
