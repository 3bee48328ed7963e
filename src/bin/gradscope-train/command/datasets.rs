//! `gradscope datasets`: the data that models can be trained on.

use std::fmt::Write;

use gradscope::cli::output::{self, Listing, exit};

/// Prints the data sets.
pub fn datasets(form: Listing) -> anyhow::Result<u8> {
    let kinds: Vec<_> = gradscope::train::data_kinds().collect();
    if form == Listing::Json {
        output::print(&(serde_json::to_string_pretty(&kinds)? + "\n"))?;
        return Ok(exit::DONE);
    }
    let width = kinds.iter().map(|kind| kind.form.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for kind in kinds {
        write!(text, "{:width$}  {}", kind.form, kind.about)?;
        if let (Some(samples), Some(noise)) = (kind.samples, kind.noise) {
            write!(text, "; {samples} rows, noise {noise}")?;
        }
        text.push('\n');
    }
    output::print(&text)?;
    Ok(exit::DONE)
}
