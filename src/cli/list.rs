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

/// `gradscope models`
#[cfg(feature = "train")]
pub fn models() -> anyhow::Result<u8> {
    let models = gradscope::train::zoo()?;
    let mut text = String::new();
    for model in &models {
        let d = &model.defaults;
        writeln!(text, "{:10}{}", model.name, model.about)?;
        writeln!(
            text,
            "{:10}--data {} --optimizer {} --lr {} --batch-size {} --epochs {} --init {} --bias {}",
            "", d.data, d.optimizer, d.lr, d.batch_size, d.epochs, d.init, d.bias
        )?;
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

/// `gradscope datasets` in a build that cannot load any.
#[cfg(not(feature = "train"))]
pub fn datasets(_: bool) -> anyhow::Result<u8> {
    anyhow::bail!(
        "this build has no data sets: it was built without libtorch (feature `train`); use the full build"
    )
}

/// `gradscope models` in a build that cannot train any.
#[cfg(not(feature = "train"))]
pub fn models() -> anyhow::Result<u8> {
    anyhow::bail!(
        "this build has no models: it was built without libtorch (feature `train`); use the full build"
    )
}
