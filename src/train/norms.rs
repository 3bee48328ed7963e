//! L2 norms of every step: of weights, gradients and updates.

use tch::Tensor;

use super::TrainError;
use super::capture::Detail;
use super::elsewhere::{Kept, l2};
use super::network::Parameters;
use crate::record::{LayerCapture, LayerSteps, StepLayer};
use crate::stats::{Distribution, Keep, Spread};

/// Norms that wait before they join the distribution of their epoch.
const PENDING_NORMS: usize = 4_096;

/// Share of the weights' norm that has to change for cos(ΔW, −W) to be told from rounding: it comes from a
/// difference of squares that are right to about 1e-14, and 1e-3 of a cosine is near enough.
const TELLING_CHANGE: f64 = 1e-11;

/// Measures a step around the optimizer's update.
pub struct StepMeter {
    /// The weights as the last update left them, a layer each.
    weights: Vec<Weights>,
    /// What the update changed of the layer at hand.
    difference: Vec<f32>,
    /// cos(ΔW, −W) of every layer at the steps since it was last asked for; only with weight decay.
    shrinking: Option<Vec<Norms>>,
}

struct Weights {
    values: Kept,
    l2: f64,
}

impl Weights {
    fn of(weight: &Tensor) -> Result<Self, TrainError> {
        Ok(Self { values: Kept::of(weight)?, l2: l2(weight) })
    }
}

impl StepMeter {
    /// For the layers of these parameters, as they are before the next step, with an optimizer of this weight decay.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where a copy of the weights has no room.
    pub fn new(parameters: &[Parameters], detail: Detail, weight_decay: f64) -> Result<Self, TrainError> {
        let measured = parameters.iter().filter(|_| detail != Detail::Nothing);
        let weights = measured.map(|p| Weights::of(&p.weight)).collect::<Result<_, _>>()?;
        let shrinking = (weight_decay > 0.0 && detail != Detail::Nothing).then(|| no_norms(parameters.len()));
        Ok(Self { weights, difference: Vec::new(), shrinking })
    }

    /// Measures the gradients. The weights are what the last update left.
    pub fn before_update(&self, parameters: &[Parameters]) -> (Vec<StepLayer>, f64) {
        let mut total = 0.0f64;
        let mut layers = Vec::with_capacity(self.weights.len());
        for (parameters, before) in parameters.iter().zip(&self.weights) {
            let grad = |t: &Tensor| {
                let grad = t.grad();
                if grad.defined() { l2(&grad) } else { 0.0 }
            };
            let weight_grad = grad(&parameters.weight);
            let bias_grad = parameters.bias.as_ref().map_or(0.0, grad);
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
    /// detail, the values of what changed.
    pub fn after_update(
        &mut self,
        parameters: &[Parameters],
        mut layers: Vec<StepLayer>,
        mut captured: Option<(&mut [LayerCapture], Keep)>,
    ) -> Vec<StepLayer> {
        let changed = parameters.iter().zip(&mut self.weights);
        for (index, ((parameters, before), layer)) in changed.zip(&mut layers).enumerate() {
            if let Some((captured, keep)) = &mut captured {
                let change = before.values.change(&parameters.weight, &mut self.difference, *keep);
                captured[index].update = Some(change);
            }
            let followed = before.values.follow(&parameters.weight);
            layer.update_l2 = followed.change.into();
            if let Some(shrinking) = &mut self.shrinking {
                // |W + ΔW|² = |W|² + 2⟨ΔW, W⟩ + |ΔW|²
                let squares = [followed.l2, before.l2, followed.change].map(|norm| norm * norm);
                let product = (squares[0] - squares[1] - squares[2]) / 2.0;
                if followed.change > TELLING_CHANGE * before.l2 {
                    shrinking[index].push((-product / (followed.change * before.l2)).clamp(-1.0, 1.0));
                }
            }
            before.l2 = followed.l2;
        }
        layers
    }

    /// What became of cos(ΔW, −W) of every layer since it was last asked for.
    pub fn take_shrinking(&mut self) -> Option<Vec<Option<Spread>>> {
        let shrinking = self.shrinking.as_mut()?;
        let taken = std::mem::replace(shrinking, no_norms(self.weights.len()));
        Some(taken.into_iter().map(Norms::spread).collect())
    }
}

fn no_norms(layers: usize) -> Vec<Norms> {
    (0..layers).map(|_| Norms::default()).collect()
}

/// One norm over the steps of an epoch, bounded however many they are.
#[derive(Default)]
struct Norms {
    pending: Vec<f32>,
    seen: Distribution,
}

/// The norms of one layer over the steps of an epoch.
#[derive(Default)]
pub struct LayerNorms {
    weight: Norms,
    grad: Norms,
    update: Norms,
}

impl LayerNorms {
    /// Takes in one step.
    pub fn push(&mut self, layer: &StepLayer) {
        self.weight.push(layer.weight_l2.last);
        self.grad.push(layer.grad_l2.last);
        self.update.push(layer.update_l2.last);
    }

    /// What became of them, and of cos(ΔW, −W) where that was measured.
    pub fn spreads(self, shrinking: Option<Spread>) -> LayerSteps {
        LayerSteps {
            weight_l2: self.weight.spread(),
            grad_l2: self.grad.spread(),
            update_l2: self.update.spread(),
            shrinking,
        }
    }
}

impl Norms {
    fn push(&mut self, norm: f64) {
        self.pending.push(norm as f32);
        if self.pending.len() == PENDING_NORMS {
            self.fold();
        }
    }

    fn fold(&mut self) {
        self.seen.merge(&Distribution::of(&self.pending));
        self.pending.clear();
    }

    fn spread(mut self) -> Option<Spread> {
        self.fold();
        Spread::of(&self.seen)
    }
}
