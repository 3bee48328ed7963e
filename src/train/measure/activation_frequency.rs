//! How often the units of ReLU layers are active, counted pass after pass; and two watchers on one pass.

use std::time::{Duration, Instant};

use tch::Tensor;

use super::memory;
use super::probe::Probe;
use crate::record::{Activation, ActivationFrequency, LayerCapture};
use crate::train::network::ForwardHook;

/// Counts, pass after pass, on how many samples each ReLU unit fired.
pub struct FrequencyCount {
    exact: bool,
    layers: Vec<Option<Fired>>,
}

/// Of the units of a layer.
struct Fired {
    samples: u64,
    fired: Vec<u32>,
    max_pre: Vec<f32>,
}

impl Fired {
    fn new(units: usize) -> Self {
        Self { samples: 0, fired: vec![0; units], max_pre: vec![f32::NEG_INFINITY; units] }
    }

    fn add(&mut self, pre: &[f32]) {
        let units = self.fired.len();
        for row in pre.chunks_exact(units) {
            for ((v, fired), max) in row.iter().zip(&mut self.fired).zip(&mut self.max_pre) {
                *fired += u32::from(*v > 0.0);
                *max = if *v > *max { *v } else { *max };
            }
            self.samples += 1;
        }
        // A comparison passes over a NaN, which must stay visible. Nothing is left early: that is faster.
        if pre.iter().fold(false, |any, v| any | v.is_nan()) {
            for row in pre.chunks_exact(units) {
                row.iter().zip(&mut self.max_pre).filter(|(v, _)| v.is_nan()).for_each(|(v, max)| *max = *v);
            }
        }
    }
}

impl FrequencyCount {
    /// A count of what every sample of the training set does once, with the parameters held still.
    pub fn exact(layers: usize) -> Self {
        Self { exact: true, layers: (0..layers).map(|_| None).collect() }
    }

    /// A count of what the batches of an epoch do while the parameters move.
    pub fn screening(layers: usize) -> Self {
        Self { exact: false, ..Self::exact(layers) }
    }

    /// Layers with a unit that has not fired so far.
    pub fn has_silent_unit(&self) -> bool {
        self.layers.iter().flatten().any(|f| f.fired.contains(&0))
    }

    /// Whether a layer has no unit that has fired so far.
    pub fn has_silent_layer(&self) -> bool {
        self.layers.iter().flatten().any(|f| f.fired.iter().all(|n| *n == 0))
    }

    /// Says that not every sample was shown after all.
    pub fn mark_partial(&mut self) {
        self.exact = false;
    }

    /// Puts what was counted into the captures.
    pub fn write(&self, captures: &mut [LayerCapture]) {
        for (capture, fired) in captures.iter_mut().zip(&self.layers) {
            let (Some(activations), Some(fired)) = (&mut capture.activations, fired) else { continue };
            activations.activation_frequency = Some(ActivationFrequency {
                samples: fired.samples,
                exact: self.exact,
                rate: fired.fired.iter().map(|n| *n as f32 / fired.samples as f32).collect(),
                max_pre: fired.max_pre.clone(),
            });
        }
    }
}

impl ForwardHook for FrequencyCount {
    fn activation(&mut self, layer: usize, kind: Activation, pre: &Tensor, _post: &Tensor) {
        if !kind.can_die() {
            return;
        }
        let mut pre = pre.detach();
        if pre.dim() > 2 {
            // A channel fires on a sample where it does at any position.
            pre = pre.flatten(2, -1).amax([2i64].as_slice(), false);
        }
        let units = pre.size()[1] as usize;
        self.layers[layer].get_or_insert_with(|| Fired::new(units)).add(&memory::values(&pre));
    }
}

/// Two hooks on one pass, and the time that they take.
pub struct HookPair<'a> {
    pub probe: Option<&'a mut Probe>,
    pub activation_frequency: Option<&'a mut FrequencyCount>,
    pub spent: Duration,
}

impl ForwardHook for HookPair<'_> {
    fn pre_activation(&mut self, layer: usize, output: Tensor) -> Tensor {
        let Some(probe) = &mut self.probe else { return output };
        let start = Instant::now();
        let watched = probe.pre_activation(layer, output);
        self.spent += start.elapsed();
        watched
    }

    fn state(&mut self, layer: usize, state: Tensor) -> Tensor {
        let Some(probe) = &mut self.probe else { return state };
        let start = Instant::now();
        let watched = probe.state(layer, state);
        self.spent += start.elapsed();
        watched
    }

    fn activation(&mut self, layer: usize, kind: Activation, pre: &Tensor, post: &Tensor) {
        let start = Instant::now();
        if let Some(probe) = &mut self.probe {
            probe.activation(layer, kind, pre, post);
        }
        if let Some(count) = &mut self.activation_frequency {
            count.activation(layer, kind, pre, post);
        }
        self.spent += start.elapsed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::measure::probe::tests::convolution;
    use crate::train::network::Mode;

    #[test]
    fn a_channel_fires_on_a_sample_where_it_does_at_any_position() {
        let network = convolution();
        let x = Tensor::from_slice(&[-1.0f32, 3.0, 0.0, 0.0, -1.0, -2.0, -3.0, -4.0]).view([2, 4]);
        let mut count = FrequencyCount::exact(network.layers().len());
        let _ = network.forward(&x, Mode::Evaluate, Some(&mut count)).unwrap();
        let fired = count.layers[0].as_ref().unwrap();
        assert_eq!(fired.samples, 2);
        assert_eq!(fired.fired, [1, 0]);
        assert_eq!(fired.max_pre, [3.0, 0.0]);
    }
}
