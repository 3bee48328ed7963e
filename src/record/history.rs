//! What a record keeps of captures that are read as numbers and not drawn.
//!
//! Pictures of values show one epoch, the last. Of the epochs before it, rules, tables and curves read
//! counts, moments and quantiles, which is all that is kept of most of them: the full distributions of
//! 200 layers over 100 epochs would be ten times as long.

use super::{Activations, Envelope, Epoch, Firing, Header, LayerCapture, LayerSteps, Record, StepLayer};
use crate::stats::{Distribution, Keep, Spread, with_digits};

/// Captures that are kept in full, before the last: of up to ten layers the most, of 200 and more one.
pub const MOST_IN_FULL: u64 = 200;
/// So many, divided by the square of the layers.
pub const IN_FULL: u64 = 20_000;
/// Digits of norms in a history: a float32 has no more.
pub const DIGITS: usize = 7;
/// A unit's share of samples in a history: in 256ths, but only 0 and 1 themselves are that.
pub const RATE_STEPS: f32 = 256.0;

/// How much of the shape of its distributions a capture keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Of weights, biases and their gradients.
    pub parameters: Keep,
    /// Of updates.
    pub update: Keep,
    /// Of what goes into nonlinearities.
    pub inputs: Keep,
    /// Of what comes out of them.
    pub outputs: Keep,
    /// Whether the rows of matrices are compared.
    pub rows: bool,
}

impl Form {
    /// All that is drawn. Of what goes into nonlinearities nobody draws more than its quantiles tell.
    pub const FULL: Self = Self {
        parameters: Keep::Everything,
        update: Keep::Everything,
        inputs: Keep::Quantiles,
        outputs: Keep::Everything,
        rows: true,
    };
    /// What is read of a history.
    pub const HISTORY: Self = Self { parameters: Keep::Quantiles, ..Self::MOMENTS };
    /// Numbers alone.
    pub const MOMENTS: Self = Self {
        parameters: Keep::Moments,
        update: Keep::Moments,
        inputs: Keep::Moments,
        outputs: Keep::Moments,
        rows: false,
    };
}

/// Whether the capture with this number, from 0, is kept in full whatever follows it.
pub fn in_full(capture: u64, layers: usize) -> bool {
    let square = (layers as u64).saturating_pow(2).max(1);
    capture < (IN_FULL / square).clamp(1, MOST_IN_FULL)
}

impl Epoch {
    /// Leaves of its layers what is kept in a history.
    pub fn condense(&mut self) {
        self.layers.iter_mut().for_each(|layer| *layer = layer.condensed());
    }
}

impl Record {
    /// What is left of this record where a run goes on from so many lines of steps and of epochs.
    pub fn beginning(&self, header: Header, steps: u64, epochs: u64) -> Self {
        let mut record = Self::new(header);
        record.steps.extend(self.steps.iter().take(steps as usize).cloned());
        record.epochs.extend(self.epochs.iter().take(epochs as usize).cloned());
        // It was kept in full as the last one.
        if let Some(last) =
            record.epochs.last_mut().filter(|_| !in_full(epochs - 1, self.header.layers.len()))
        {
            last.condense();
        }
        record
    }
}

impl LayerCapture {
    /// What is kept of it in a history.
    pub fn condensed(&self) -> Self {
        let Form { parameters, update, .. } = Form::HISTORY;
        let of_parameters = |d: &Option<Distribution>| d.as_ref().map(|d| d.condensed(parameters));
        Self {
            weight: self.weight.condensed(parameters),
            bias: of_parameters(&self.bias),
            weight_grad: of_parameters(&self.weight_grad),
            bias_grad: of_parameters(&self.bias_grad),
            update: self.update.as_ref().map(|d| d.condensed(update)),
            weight_row_deviation: self.weight_row_deviation.map(short),
            grad_row_deviation: self.grad_row_deviation.map(short),
            activations: self.activations.as_ref().map(Activations::condensed),
            signal_l2: self.signal_l2.map(short),
            state_signal: self.state_signal.clone(),
            zero_rows: self.zero_rows,
            steps: self.steps.as_ref().map(LayerSteps::condensed),
        }
    }

    /// Bytes that it takes, about.
    pub fn memory(&self) -> usize {
        let parts = [Some(&self.weight), self.bias.as_ref(), self.weight_grad.as_ref()];
        let parts = parts.into_iter().chain([self.bias_grad.as_ref(), self.update.as_ref()]);
        // Distributions within are counted by their own size, here and below.
        let parts = parts.map(|d| d.map_or(0, Distribution::memory)).sum::<usize>();
        let states = self.state_signal.as_ref().map_or(0, |s| 4 * s.l2.len());
        parts + states + size_of::<Self>() / 4 + self.activations.as_ref().map_or(0, Activations::memory)
    }
}

impl Activations {
    fn condensed(&self) -> Self {
        Self {
            pre: self.pre.condensed(Form::HISTORY.inputs),
            post: self.post.condensed(Form::HISTORY.outputs),
            pre_sample_std: short(self.pre_sample_std),
            post_sample_std: short(self.post_sample_std),
            saturated_fraction: self.saturated_fraction.map(short),
            firing: self.firing.as_ref().map(Firing::condensed),
            activity: self.activity.clone(),
            per_unit: self.per_unit.clone(),
            ..*self
        }
    }

    fn memory(&self) -> usize {
        let firing = self.firing.as_ref().map_or(0, |f| 4 * (f.rate.len() + f.max_pre.len()));
        let activity = self.activity.as_ref().map_or(0, |a| 4 * (a.std.len() + a.grad.len()));
        let per_unit = self.per_unit.as_ref().map_or(0, |units| units.memory());
        self.pre.memory() + self.post.memory() + firing + activity + per_unit
    }
}

impl Firing {
    /// Which units are silent stays exact.
    fn condensed(&self) -> Self {
        let share = |rate: &f32| {
            if *rate <= 0.0 || *rate >= 1.0 {
                return *rate;
            }
            (rate * RATE_STEPS).round().clamp(1.0, RATE_STEPS - 1.0) / RATE_STEPS
        };
        let largest = || vec![self.max_pre() as f32];
        Self {
            rate: self.rate.iter().map(share).collect(),
            max_pre: if self.max_pre.is_empty() { Vec::new() } else { largest() },
            ..*self
        }
    }
}

impl LayerSteps {
    fn condensed(&self) -> Self {
        let spread = |s: Spread| Spread { min: short(s.min), median: short(s.median), max: short(s.max) };
        Self {
            weight_l2: self.weight_l2.map(spread),
            grad_l2: self.grad_l2.map(spread),
            update_l2: self.update_l2.map(spread),
            shrinking: self.shrinking.map(spread),
        }
    }
}

impl StepLayer {
    /// To the digits that a record keeps.
    pub(super) fn round(&mut self) {
        for envelope in [&mut self.weight_l2, &mut self.grad_l2, &mut self.update_l2] {
            let Envelope { min, max, last } = *envelope;
            *envelope = Envelope { min: short(min), max: short(max), last: short(last) };
        }
    }
}

fn short(value: f64) -> f64 {
    with_digits(value, DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_networks_keep_many_captures_in_full_and_large_ones_the_first() {
        let kept = |layers| (0..1_000).filter(|k| in_full(*k, layers)).count();
        assert_eq!([1, 5, 10, 40, 200, 100_000].map(kept), [200, 200, 200, 12, 1, 1]);
    }

    #[test]
    fn units_that_are_silent_or_always_fire_are_still_told_apart_from_those_that_hardly_do() {
        let firing = Firing {
            samples: 100_000,
            exact: true,
            rate: vec![0.0, 1e-5, 0.3, 0.99999, 1.0],
            max_pre: vec![-1.0, 2.0, 0.5, 3.5, 3.0],
        };
        let condensed = firing.condensed();
        assert_eq!(condensed.rate, [0.0, 1.0 / 256.0, 77.0 / 256.0, 255.0 / 256.0, 1.0]);
        assert_eq!((condensed.dead_units(), condensed.max_pre()), (1, 3.5));
    }
}
