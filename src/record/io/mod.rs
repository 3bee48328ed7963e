//! Records as files: read, written, compressed, and bounded in memory.

mod compression;
mod error;
mod memory_budget;
pub mod number;
mod plausible;
mod reader;
mod writer;

pub use compression::{Compression, prefix};
pub use error::RecordError;
pub use memory_budget::MemoryBudget;
pub(super) use plausible::MAX_COUNT;
pub use reader::{Record, Warning};
pub use writer::Writer;
