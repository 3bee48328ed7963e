//! The commands that list what there is.

use std::fmt::Write;

use gradscope::diagnose;

use super::{exit, output};

/// `gradscope explain RULE`
pub fn explain(rule: &str) -> anyhow::Result<u8> {
    output::print(&diagnose::explain(rule)?)?;
    Ok(exit::DONE)
}

/// `gradscope rules`
pub fn rules() -> anyhow::Result<u8> {
    let width = diagnose::rules().map(|r| r.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for rule in diagnose::rules() {
        writeln!(text, "{:width$}  {:10}  {}", rule.name, rule.family, rule.summary)?;
    }
    output::print(&text)?;
    Ok(exit::DONE)
}

/// `gradscope datasets`
#[cfg(feature = "train")]
pub fn datasets(json: bool) -> anyhow::Result<u8> {
    let kinds: Vec<_> = gradscope::train::data_kinds().collect();
    if json {
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
