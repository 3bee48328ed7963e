//! Sizes that no run can have.

use crate::record::Header;

/// The largest count that is believed: what a float64 holds exactly.
pub const MAX_COUNT: u64 = 1 << 53;
/// Layers of a network, at most.
const MAX_LAYERS: usize = 100_000;

/// Says what no run can have, in a sentence.
pub fn implausible(header: &Header) -> Option<String> {
    let (run, data) = (&header.run, &header.data);
    let counts = [
        run.training.epochs,
        run.batch_size,
        run.steps_per_epoch,
        data.train,
        data.dev,
        data.test,
        data.inputs,
    ];
    if counts.iter().any(|n| *n > MAX_COUNT) {
        return Some("a count in it is too large to be true".into());
    }
    if header.layers.len() > MAX_LAYERS {
        return Some(format!("it names {} layers", header.layers.len()));
    }
    let mut names = std::collections::HashSet::new();
    for layer in &header.layers {
        if layer.name.is_empty() {
            return Some("a layer has no name".into());
        }
        if !names.insert(layer.name.as_str()) {
            return Some(format!("two layers are called {:?}", layer.name));
        }
        if layer.units == 0
            || layer.parameters.max(layer.units).max(layer.fan_in) > MAX_COUNT / MAX_LAYERS as u64
        {
            return Some(format!("layer {:?} has an impossible size", layer.name));
        }
    }
    None
}
