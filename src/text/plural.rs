//! Counts with their nouns.

use super::count;

/// A count with its noun.
///
/// ```
/// assert_eq!(gradscope_core::text::counted(1, "epoch"), "1 epoch");
/// assert_eq!(gradscope_core::text::counted(1_200, "epoch"), "1,200 epochs");
/// ```
pub fn counted(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(n))
}
