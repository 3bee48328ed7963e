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
            "",
            d.data.as_deref().unwrap_or("DATA"),
            d.optimizer,
            d.lr,
            d.batch_size,
            d.epochs,
            d.init,
            d.bias
        )?;
    }
    output::print(&text)?;
    Ok(exit::DONE)
}

/// `gradscope models` in a build that cannot train any.
#[cfg(not(feature = "train"))]
pub fn models() -> anyhow::Result<u8> {
    anyhow::bail!(
        "this build has no models: it was built without libtorch (feature `train`); use the full build"
    )
}
