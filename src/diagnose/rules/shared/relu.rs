//! ReLU layers and the firing of their units.

use crate::diagnose::rule::{NO_EPOCH, RuleContext, Unmeasured};
use crate::record::{ActivationFrequency, LayerCapture};

const NO_FIRING: Unmeasured = Unmeasured("the record does not say how often ReLU units fire");

/// The layers that can die, if their firing was measured.
pub fn relu_layers(cx: &RuleContext) -> Result<Vec<usize>, Unmeasured> {
    let layers = cx.q.record.header.layers.iter().enumerate();
    let can_die: Vec<usize> = layers.filter(|(_, l)| l.activation.can_die()).map(|(i, _)| i).collect();
    if can_die.is_empty() {
        return Ok(can_die);
    }
    let last = cx.q.captures.last().map(|c| c.layers).or(cx.q.start).ok_or(NO_EPOCH)?;
    let mut activations = can_die.iter().filter_map(|&i| last.get(i)?.activations.as_ref());
    if activations.any(|a| a.activation_frequency.is_some()) { Ok(can_die) } else { Err(NO_FIRING) }
}

/// Whether no unit fires on any sample.
pub fn is_dead(firing: &ActivationFrequency) -> bool {
    firing.dead_units() == firing.rate.len() as u64
}

/// Whether no unit fires on any sample, and none did in the captured training batch: with batch
/// normalisation the running statistics of evaluation lag behind, and a layer that is silent there can
/// fire, and learn, in training.
pub fn is_silent(layer: &LayerCapture) -> bool {
    let in_training = layer.activations.as_ref().is_some_and(|a| a.pre.max().is_some_and(|max| max > 0.0));
    !in_training && layer.firing().is_some_and(is_dead)
}
