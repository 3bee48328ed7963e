//! Lists as they stand in sentences.

/// Names with a last `and`: `fc1`, `fc1 and fc2`, `fc1, fc2 and fc3`; nothing for none.
///
/// ```
/// assert_eq!(gradscope::text::conjunction(&["fc1", "fc2", "fc3"]), "fc1, fc2 and fc3");
/// ```
pub fn conjunction(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
