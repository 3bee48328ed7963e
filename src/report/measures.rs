//! Numbers that are derived from a capture: what the summary writes and the report shows.

use crate::record::{Activations, Layer, LayerCapture};

/// Least RMS of a row of weights that an update is compared with: a layer that starts at zero would
/// otherwise seem to take infinitely large steps.
const LEAST_ROW_NORM: f64 = 0.1;

/// ‖ΔW‖ / max(‖W‖, 0.1·√units) of the captured step; `None` where no update was measured.
pub fn update_ratio(layer: &Layer, captured: &LayerCapture) -> Option<f64> {
    let update = captured.update.as_ref()?.l2();
    let weight = captured.weight.l2();
    let floor = LEAST_ROW_NORM * (layer.units.max(1) as f64).sqrt();
    // `f64::max` drops a NaN, which must stay visible.
    Some(if weight.is_nan() { weight } else { update / weight.max(floor) })
}

/// ‖W‖·‖g‖ / loss, with the medians over the epoch's steps where they were measured: how strongly the
/// loss pulls on a layer, whatever the scale of loss and weights. Only of matrices.
pub fn elasticity(layer: &Layer, captured: &LayerCapture, loss: f64) -> Option<f64> {
    if !layer.kind.is_matrix() {
        return None;
    }
    let steps = captured.steps.as_ref();
    let gradient = match steps.and_then(|s| s.grad_l2) {
        Some(spread) => spread.median,
        None => captured.weight_grad.as_ref()?.l2(),
    };
    let weight = steps.and_then(|s| s.weight_l2).map_or_else(|| captured.weight.l2(), |s| s.median);
    let elasticity = weight * gradient / loss;
    (loss > 0.0 && elasticity.is_finite()).then_some(elasticity)
}

/// Units that never fired; `None` where it was not measured, or where what goes into the nonlinearity
/// is not finite: of a NaN it cannot be said whether it is above zero.
pub fn dead_units(activations: &Activations) -> Option<u64> {
    let finite = activations.pre.finite() == activations.pre.count();
    activations.firing.as_ref().filter(|_| finite).map(|firing| firing.dead_units())
}

/// Whether a layer holds a NaN or an infinity in its weight or its gradient.
pub fn is_broken(captured: &LayerCapture) -> bool {
    let finite = |l2: f64| l2.is_finite();
    !finite(captured.weight.l2()) || captured.weight_grad.as_ref().is_some_and(|g| !finite(g.l2()))
}
