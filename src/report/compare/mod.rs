//! Several runs beside each other: `compare.json`, one page and the pictures that show all of them.

mod comparison;
mod prescription;
mod sentence;
mod variant;
mod write;

pub use comparison::{Comparison, FILE_NAME, SCHEMA};
pub use prescription::{Prescribed, Prescription};
pub use variant::{Root, Split, Variant, VariantSummary};
pub use write::write;
