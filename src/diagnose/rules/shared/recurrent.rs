//! Gradients of the hidden states of recurrent layers.

use crate::diagnose::rule::RuleContext;
use crate::record::{HiddenStateGradient, LayerCapture, LayerKind};

/// The layers that look back, in the header's order.
pub fn recurrent_layers(cx: &RuleContext) -> impl Iterator<Item = usize> {
    cx.q.matrices.iter().copied().filter(|&i| cx.q.layer(i).is_some_and(|l| l.kind == LayerKind::Recurrent))
}

/// The norms of the gradient of the hidden state of a layer, a step each.
pub fn hidden_state_gradient(layers: &[LayerCapture], index: usize) -> Option<&HiddenStateGradient> {
    layers.get(index)?.hidden_state_gradient.as_ref()
}
