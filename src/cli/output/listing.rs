//! The forms in which a list or a report is printed.

/// The form of what a command prints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Listing {
    /// Lines for people.
    Text,
    /// JSON for programs.
    Json,
    /// A page of Markdown.
    Markdown,
}

impl Listing {
    /// Returns the form that `--json` asks for, where it is given.
    pub fn json_if(given: bool) -> Self {
        if given { Listing::Json } else { Listing::Text }
    }
}
