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
}

impl StepMeter {
    /// For this network.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where a copy of the weights has no room.
    pub fn new(network: &Network, detail: Detail) -> Result<Self, TrainError> {
        let buffer = |values: usize| {
            let mut buffer = Vec::new();
            // An allocation that fails elsewhere ends the process without a word.
            buffer.try_reserve_exact(values).map_err(|_| TrainError::Memory { bytes: 4 * values as u64 })?;
            buffer.resize(values, 0.0);
            Ok(buffer)
        };
        let measured = network.parameters().iter().filter(|_| detail != Detail::Nothing);
        let weights = measured.map(|p| buffer(p.weight.numel()));
        Ok(Self { detail, weights: weights.collect::<Result<_, TrainError>>()? })
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
            if let Some(captured) = &mut captured {
                before.iter_mut().zip(after.iter()).for_each(|(b, a)| *b = a - *b);
                captured[index].update = Some(probe::measure(before, self.detail, 1));
            }
        }
        layers
    }
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

    /// What became of them.
    pub fn spreads(self) -> LayerSteps {
        LayerSteps {
            weight_l2: self.weight.spread(),
            grad_l2: self.grad.spread(),
            update_l2: self.update.spread(),
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
