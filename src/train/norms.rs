//! L2 norms of every step: of weights, gradients and updates.

use tch::Tensor;

use super::TrainError;
use super::capture::Detail;
use super::memory;
use super::network::Network;
use super::probe;
use crate::record::{LayerCapture, LayerSteps, StepLayer};
use crate::stats::{Distribution, Spread};

/// Norms that wait before they join the distribution of their epoch.
const PENDING_NORMS: usize = 4_096;

/// Measures a step around the optimizer's update.
pub struct StepMeter {
    detail: Detail,
    /// Weights before the update, a buffer a layer.
    weights: Vec<Vec<f32>>,
    /// cos(ΔW, −W) of every layer at the steps since it was last asked for; only with weight decay.
    shrinking: Option<Vec<Norms>>,
}

impl StepMeter {
    /// For this network, with an optimizer of this weight decay.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where a copy of the weights has no room.
    pub fn new(network: &Network, detail: Detail, weight_decay: f64) -> Result<Self, TrainError> {
        let buffer = |values: usize| {
            let mut buffer = Vec::new();
            // An allocation that fails elsewhere ends the process without a word.
            buffer.try_reserve_exact(values).map_err(|_| TrainError::Memory { bytes: 4 * values as u64 })?;
            buffer.resize(values, 0.0);
            Ok(buffer)
        };
        let measured = network.parameters().iter().filter(|_| detail != Detail::Nothing);
        let weights = measured.map(|p| buffer(p.weight.numel()));
        let shrinking = (weight_decay > 0.0 && detail != Detail::Nothing).then(|| no_norms(network));
        Ok(Self { detail, weights: weights.collect::<Result<_, TrainError>>()?, shrinking })
    }

    /// Keeps the weights as they are, and measures them and their gradients.
    pub fn before_update(&mut self, network: &Network) -> (Vec<StepLayer>, f64) {
        let mut total = 0.0f64;
        let mut layers = Vec::with_capacity(self.weights.len());
        for (parameters, before) in network.parameters().iter().zip(&mut self.weights) {
            before.copy_from_slice(&memory::values(&parameters.weight));
            let grad = |t: &Tensor| {
                let grad = t.grad();
                if grad.defined() { memory::l2(&memory::unordered(&grad)) } else { 0.0 }
            };
            let weight_grad = grad(&parameters.weight);
            let bias_grad = parameters.bias.as_ref().map_or(0.0, grad);
            total += weight_grad * weight_grad + bias_grad * bias_grad;
            layers.push(StepLayer {
                weight_l2: memory::l2(before).into(),
                grad_l2: weight_grad.into(),
                update_l2: 0.0.into(),
            });
        }
        (layers, total.sqrt())
    }

    /// Measures what the optimizer changed.
    pub fn after_update(
        &mut self,
        network: &Network,
        mut layers: Vec<StepLayer>,
        mut captured: Option<&mut [LayerCapture]>,
    ) -> Vec<StepLayer> {
        let changed = network.parameters().iter().zip(&mut self.weights);
        for (index, ((parameters, before), layer)) in changed.zip(&mut layers).enumerate() {
            let after = memory::values(&parameters.weight);
            layer.update_l2 = memory::l2_of_difference(&after, before).into();
            if let Some(shrinking) = &mut self.shrinking {
                let size = layer.update_l2.last * layer.weight_l2.last;
                shrinking[index].push(-dot_with_difference(&after, before) / size);
            }
            if let Some(captured) = &mut captured {
                before.iter_mut().zip(after.iter()).for_each(|(b, a)| *b = a - *b);
                captured[index].update = Some(probe::measure(before, self.detail, 1));
            }
        }
        layers
    }

    /// What became of cos(ΔW, −W) of every layer since it was last asked for.
    pub fn take_shrinking(&mut self, network: &Network) -> Option<Vec<Option<Spread>>> {
        let shrinking = self.shrinking.as_mut()?;
        let taken = std::mem::replace(shrinking, no_norms(network));
        Some(taken.into_iter().map(Norms::spread).collect())
    }
}

fn no_norms(network: &Network) -> Vec<Norms> {
    network.layers().iter().map(|_| Norms::default()).collect()
}

/// ⟨after − before, before⟩, accumulated in float64.
fn dot_with_difference(after: &[f32], before: &[f32]) -> f64 {
    let pairs = after.iter().zip(before).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    pairs.map(|(a, b)| (a - b) * b).sum()
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
