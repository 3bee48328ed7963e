//! Lists as they stand in sentences.

use super::count;

/// Names with a last `and`: `fc1`, `fc1 and fc2`, `fc1, fc2 and fc3`; nothing for none.
///
/// ```
/// assert_eq!(gradscope_core::text::conjunction(&["fc1", "fc2", "fc3"]), "fc1, fc2 and fc3");
/// ```
pub fn conjunction(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Names that a message quotes, at most.
const QUOTED: usize = 4;

/// Names between quotation marks, the first few where they are many: `"a", "b", "c", "d" and 7 more`.
pub fn quoted(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(QUOTED).map(|n| format!("{n:?}")).collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {} more", count(more as u64)) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
