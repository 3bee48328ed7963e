//! The gradient of the hidden state along the steps of a sequence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measured::{Quantity, all_values};
use crate::stats::packed_floats;

/// Norms that are kept, at most.
const MAX_NORMS: usize = 128;

/// ‖δ_t‖ of a recurrent layer: the L2 norm, over the captured batch, of the gradient of the loss with
/// respect to the hidden state after each step, by all ways through the steps that follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "StateSignal")]
pub struct HiddenStateGradient {
    /// Steps of a sequence.
    pub steps: u64,
    /// The norms, first step first. Of more than 128 steps the first and the last stand for themselves,
    /// and the largest norm for every few of those between them.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub l2: Vec<f32>,
}

impl HiddenStateGradient {
    /// Of one norm a step.
    pub fn new(norms: &[f32]) -> Self {
        let l2 = match norms {
            [first, between @ .., last] if norms.len() > MAX_NORMS => {
                let few = between.len().div_ceil(MAX_NORMS - 2);
                // A NaN is the largest of all: it must stay visible.
                let largest = |part: &[f32]| {
                    part.iter().copied().fold(0.0f32, |a, b| if b > a || b.is_nan() { b } else { a })
                };
                let between = between.chunks(few).map(largest);
                std::iter::once(*first).chain(between).chain([*last]).collect()
            }
            _ => norms.to_vec(),
        };
        Self { steps: norms.len() as u64, l2 }
    }

    /// Of the first step, of the last one, and the largest of all; none where one is not finite or where
    /// there is a single step.
    pub fn ends(&self) -> Option<Ends> {
        let [first, .., last] = self.l2.as_slice() else { return None };
        let largest = self.l2.iter().copied().fold(0.0, f32::max);
        let finite = self.l2.iter().all(|v| v.is_finite());
        let [first, last, largest] = [*first, *last, largest].map(f64::from);
        finite.then_some(Ends { first, last, largest })
    }
}

impl Quantity for HiddenStateGradient {
    type Value = Self;

    fn memory(value: &Self) -> usize {
        4 * value.l2.len()
    }

    /// The loss is the mean of the ranks'; `None` where their steps differ.
    fn merged(ranks: &[Option<&Self>]) -> Option<Self> {
        let ranks = all_values(ranks)?;
        let first = ranks.first()?;
        if ranks.iter().any(|r| r.steps != first.steps || r.l2.len() != first.l2.len()) {
            return None;
        }
        Some(Self {
            steps: first.steps,
            l2: (0..first.l2.len())
                .map(|place: usize| {
                    let squares = ranks.iter().map(|r| f64::from(r.l2[place]).powi(2)).sum::<f64>();
                    (squares.sqrt() / ranks.len() as f64) as f32
                })
                .collect(),
        })
    }
}

/// Norms that tell how a gradient fares on its way back through time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ends {
    /// ‖δ‖ of the state after the first step.
    pub first: f64,
    /// ‖δ‖ of the state after the last.
    pub last: f64,
    /// The largest ‖δ‖ of any step.
    pub largest: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_add_up() {
        let (a, b) = (HiddenStateGradient::new(&[3.0, 0.0]), HiddenStateGradient::new(&[4.0, 2.0]));
        assert_eq!(HiddenStateGradient::merged(&[Some(&a), Some(&b)]).unwrap().l2, [2.5, 1.0]);
        assert_eq!(
            HiddenStateGradient::merged(&[Some(&a), Some(&HiddenStateGradient::new(&[1.0; 3]))]),
            None
        );
    }

    #[test]
    fn long_sequences_keep_their_ends_and_their_largest_norm() {
        let norms: Vec<f32> =
            (0..1000).map(|t| if t == 500 { 9.0 } else { t as f32 / 1000.0 + 0.001 }).collect();
        let signal = HiddenStateGradient::new(&norms);
        assert_eq!((signal.steps, signal.l2.len() <= MAX_NORMS), (1000, true));
        assert_eq!(signal.ends(), Some(Ends { first: f64::from(0.001f32), last: 1.0, largest: 9.0 }));
        let short = HiddenStateGradient::new(&[1.0, 3.0, 2.0]);
        assert_eq!(short.l2, [1.0, 3.0, 2.0]);
        assert_eq!(HiddenStateGradient::new(&[1.0]).ends(), None);
        assert_eq!(HiddenStateGradient::new(&[1.0, f32::NAN, 2.0]).ends(), None);
        let mut broken = norms;
        broken[400] = f32::NAN;
        assert_eq!(HiddenStateGradient::new(&broken).ends(), None);
    }
}
