//! The verdict of a run as one file for another program: a pipeline, a spreadsheet, a notebook.
//!
//! Every format is a function from the same [`Subject`] to text. A new one is a file with its [`Format`], and
//! one line here.

mod named;
mod subject;

pub use subject::{Format, Subject};

/// Declares the modules of formats, and lists the formats in the same order.
macro_rules! formats {
    ($($format:ident,)*) => {
        $(mod $format;)*

        /// Every output format, as `--output` lists them.
        pub const FORMATS: &[Format] = &[$($format::FORMAT),*];
    };
}

formats! {
    junit,
    github,
    markdown,
    gitlab,
    csv,
    vega,
    json,
}
