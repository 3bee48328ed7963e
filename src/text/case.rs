//! The first letter of a sentence.

/// A text as the beginning of a sentence: with a capital letter.
///
/// ```
/// assert_eq!(gradscope_core::text::capitalized("no layer"), "No layer");
/// ```
pub fn capitalized(text: &str) -> String {
    recased(text, |c| c.to_uppercase().collect())
}

/// A sentence as part of another: without its capital letter.
///
/// ```
/// assert_eq!(gradscope_core::text::uncapitalized("No layer"), "no layer");
/// ```
pub fn uncapitalized(text: &str) -> String {
    recased(text, |c| c.to_lowercase().collect())
}

fn recased(text: &str, change: fn(char) -> String) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| change(first) + letters.as_str())
}
