//! Resolves the entries of a description: each is handed to its kind.

use super::entry::Entry;
use super::fault::{Checked, Fault, wrong};
use super::kind::{Kind, Place};
use super::kinds::KINDS;
use super::layers::LayerSpec;
use crate::record::Activation;

/// Resolves a list of entries, whose last is the model's if `output` says its nonlinearity.
pub fn resolve(
    entries: &[Entry],
    between: Activation,
    output: Option<Activation>,
) -> Checked<Vec<LayerSpec>> {
    let last = entries.len().saturating_sub(1);
    // What a branch ends with is added to something first.
    let end = if output.is_some() { Some(last) } else { entries.iter().rposition(has_act_beside) };
    let at_the_end = output.unwrap_or(Activation::Identity);
    let place = |index: usize| Place {
        act: if end == Some(index) { at_the_end } else { between },
        between,
        last: index == last && output.is_some(),
        inside,
    };
    entries.iter().enumerate().map(|(index, entry)| resolve_entry(entry, &place(index))).collect()
}

/// Whether it is of a kind that can have a nonlinearity beside its weight.
fn has_act_beside(entry: &Entry) -> bool {
    KINDS
        .iter()
        .find(|kind: &&&Kind| kind.name == entry.r#type.get_ref())
        .is_some_and(|kind| kind.takes.contains(&"norm"))
}

/// Resolves one entry.
fn resolve_entry(entry: &Entry, place: &Place) -> Checked<LayerSpec> {
    let Some(kind) = KINDS.iter().find(|kind| kind.name == entry.r#type.get_ref()) else {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let reason =
            format!("there is no layer of type {}; there are {}", entry.r#type.get_ref(), names.join(", "));
        return wrong(&entry.r#type, reason);
    };
    check_keys(entry, kind)?;
    if place.last && !kind.output {
        return wrong(
            &entry.r#type,
            format!("the last layer gives the output and is linear, not {}", kind.name),
        );
    }
    (kind.resolve)(entry, place)
}

fn check_keys(entry: &Entry, kind: &Kind) -> Checked<()> {
    let keys: Vec<&str> = kind.needs.iter().chain(kind.takes).copied().collect();
    if let Some((key, span)) = entry.given().find(|(key, _)| !keys.contains(key)) {
        let takes = if keys.is_empty() { "nothing".into() } else { keys.join(", ") };
        let reason = format!("{} layer takes no {key}; it takes {takes}", kind.with_article());
        return Err(Fault { span: Some(span), reason });
    }
    match kind.needs.iter().find(|key| !entry.given().any(|(given, _)| given == **key)) {
        Some(key) => wrong(&entry.r#type, format!("{} layer needs {key}", kind.with_article())),
        None => Ok(()),
    }
}

/// The layers inside it.
fn inside(entry: &Entry, between: Activation) -> Checked<Vec<LayerSpec>> {
    let layers = entry.layers.as_ref().map_or(&[][..], |layers| layers.get_ref());
    match layers {
        [] => wrong(&entry.r#type, "a block needs at least one layer inside"),
        layers => resolve(layers, between, None),
    }
}
