//! The verdict of a run as one file for another program: a pipeline, a spreadsheet, a notebook.
//!
//! Every format is a function from the same [`Subject`] to text. A new one is a module with its [`Format`]
//! and a line in [`FORMATS`] (`registry`).

mod csv;
mod github;
mod gitlab;
mod json;
mod junit;
mod markdown;
mod registry;
mod subject;
mod vega;

pub use registry::FORMATS;
pub use subject::{Format, Subject};
