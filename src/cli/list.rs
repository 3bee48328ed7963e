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
