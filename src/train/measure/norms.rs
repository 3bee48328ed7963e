//! L2 norms of every step: of weights, gradients and updates.

use tch::Tensor;

use super::device_stats::{SavedTensor, l2};
use crate::record::{LayerCapture, StepLayer};
use crate::stats::{DetailLevel, Followed};
use crate::train::TrainError;
use crate::train::network::Parameters;

/// Share of the weights' norm that has to change for cos(ΔW, −W) to be told from rounding: it comes from a
/// difference of squares that are right to about 1e-14, and 1e-3 of a cosine is near enough.
const MIN_CHANGE: f64 = 1e-11;

/// Measures a step around the optimizer's update.
pub struct StepMeter {
    /// The weights as the last update left them, a layer each.
    weights: Vec<Weights>,
    /// Scratch for the change of the layer at hand.
    difference: Vec<f32>,
    /// Whether cos(ΔW, −W) is measured: only with weight decay.
    measures_alignment: bool,
}

struct Weights {
    values: SavedTensor,
    l2: f64,
}

impl Weights {
    fn new(weight: &Tensor) -> Result<Self, TrainError> {
        Ok(Self { values: SavedTensor::new(weight)?, l2: l2(weight) })
    }
}

impl StepMeter {
    /// For the layers of these parameters, as they are before the next step, with an optimizer of this weight decay.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where a copy of the weights has no room.
    pub fn new(
        parameters: &[Parameters],
        detail: Option<DetailLevel>,
        weight_decay: f64,
    ) -> Result<Self, TrainError> {
        let measured = parameters.iter().filter(|_| detail.is_some());
        let weights = measured.map(|p| Weights::new(&p.weight)).collect::<Result<_, _>>()?;
        Ok(Self { weights, difference: Vec::new(), measures_alignment: weight_decay > 0.0 })
    }

    /// Measures the gradients. The weights are what the last update left.
    pub fn before_update(&self, parameters: &[Parameters]) -> (Vec<StepLayer>, f64) {
        let mut total = 0.0f64;
        let mut layers = Vec::with_capacity(self.weights.len());
        for (parameters, before) in parameters.iter().zip(&self.weights) {
            let weight_grad = gradient_norm(&parameters.weight);
            let bias_grad = parameters.bias.as_ref().map_or(0.0, gradient_norm);
            total += weight_grad * weight_grad + bias_grad * bias_grad;
            layers.push(StepLayer {
                weight_l2: before.l2.into(),
                grad_l2: weight_grad.into(),
                update_l2: 0.0.into(),
            });
        }
        (layers, total.sqrt())
    }

    /// Measures what the optimizer changed, in one pass over the weights; at a capture also, to so much
    /// detail, the values of what changed. Gives back cos(ΔW, −W) of every layer, where weights decay.
    pub fn after_update(
        &mut self,
        parameters: &[Parameters],
        layers: &mut [StepLayer],
        mut captured: Option<(&mut [LayerCapture], DetailLevel)>,
    ) -> Vec<Option<f64>> {
        let mut alignments = Vec::new();
        let changed = parameters.iter().zip(&mut self.weights);
        for (index, ((parameters, before), layer)) in changed.zip(layers).enumerate() {
            if let Some((captured, keep)) = &mut captured {
                let change = before.values.change(&parameters.weight, &mut self.difference, *keep);
                captured[index].update = Some(change);
            }
            let followed = before.values.follow(&parameters.weight);
            layer.update_l2 = followed.change.into();
            if self.measures_alignment {
                alignments.push(decay_alignment(before.l2, followed));
            }
            before.l2 = followed.l2;
        }
        alignments
    }
}

/// L2 norm of the gradient of a tensor; 0 where it has none.
fn gradient_norm(tensor: &Tensor) -> f64 {
    let grad = tensor.grad();
    if grad.defined() { l2(&grad) } else { 0.0 }
}

/// cos(ΔW, −W) of a weight of this norm before its update; `None` where too little changed.
fn decay_alignment(before: f64, Followed { change, l2 }: Followed) -> Option<f64> {
    // |W + ΔW|² = |W|² + 2⟨ΔW, W⟩ + |ΔW|²
    let [after_square, before_square, change_square] = [l2, before, change].map(|norm| norm * norm);
    let product = (after_square - before_square - change_square) / 2.0;
    (change > MIN_CHANGE * before).then(|| (-product / (change * before)).clamp(-1.0, 1.0))
}
