//! A record in memory that stays bounded, whatever was written.
//!
//! Runs thin out their own records, far below this bound. Others are thinned while they are read: the
//! same lines in the same order give the same result.

use super::{Epoch, LayerCapture, Record, Step, StepLayer};

/// Bytes of captures and of steps, each, that are held.
const MOST_BYTES: usize = 128 << 20;

/// How much is held, and what had to go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// Points of step curves that were joined with others.
    pub steps: u64,
    /// Captured epochs that were left out.
    pub epochs: u64,
    /// Whether the first non-finite value has been seen.
    pub(super) broken: bool,
    step_bytes: usize,
    epoch_bytes: usize,
    counted_steps: usize,
    counted_epochs: usize,
}

impl Held {
    /// Whether anything had to go.
    pub fn is_less(&self) -> bool {
        self.steps + self.epochs > 0
    }
}

impl Record {
    /// Makes room if the last line has filled it.
    pub(super) fn bound(&mut self) {
        self.bound_to(MOST_BYTES);
    }

    fn bound_to(&mut self, most: usize) {
        self.held.step_bytes += self.steps[self.held.counted_steps..].iter().map(step_memory).sum::<usize>();
        self.held.epoch_bytes +=
            self.epochs[self.held.counted_epochs..].iter().map(epoch_memory).sum::<usize>();
        if self.held.step_bytes > most {
            self.join_steps();
        }
        if self.held.epoch_bytes > most {
            let last = self.epochs.len().saturating_sub(1);
            self.epochs[..last].iter_mut().for_each(Epoch::condense);
            self.held.epoch_bytes = self.epochs.iter().map(epoch_memory).sum();
            // Half of the room, lest every new epoch does this again.
            if self.held.epoch_bytes > most / 2 {
                self.drop_epochs();
            }
        }
        (self.held.counted_steps, self.held.counted_epochs) = (self.steps.len(), self.epochs.len());
    }

    /// Every two steps become one point; captures inside epochs go, but for the first step's.
    fn join_steps(&mut self) {
        let mut joined: Vec<Step> = Vec::with_capacity(self.steps.len() / 2 + 1);
        for (i, mut step) in self.steps.drain(..).enumerate() {
            if i > 0 {
                step.capture = None;
            }
            match joined.last_mut() {
                // The first, and the one where something broke, stay what they are.
                Some(point)
                    if i % 2 == 0 && i > 1 && point.non_finite.is_none() && step.non_finite.is_none() =>
                {
                    point.join(&step);
                    self.held.steps += 1;
                }
                _ => joined.push(step),
            }
        }
        self.steps = joined;
        self.held.step_bytes = self.steps.iter().map(step_memory).sum();
    }

    /// Every second captured epoch goes, but for the first and the last two.
    fn drop_epochs(&mut self) {
        let all = self.epochs.len();
        let mut index = 0;
        self.epochs.retain(|_| {
            index += 1;
            index % 2 == 1 || index + 1 >= all
        });
        self.held.epochs += (all - self.epochs.len()) as u64;
        self.held.epoch_bytes = self.epochs.iter().map(epoch_memory).sum();
    }
}

fn step_memory(step: &Step) -> usize {
    size_of::<Step>()
        + step.layers.capacity() * size_of::<StepLayer>()
        + captures(step.capture.as_deref().unwrap_or_default())
}

fn epoch_memory(epoch: &Epoch) -> usize {
    size_of::<Epoch>() + captures(&epoch.layers)
}

fn captures(layers: &[LayerCapture]) -> usize {
    layers.iter().map(LayerCapture::memory).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Line, NonFinite};
    use std::path::Path;

    #[test]
    fn only_the_first_non_finite_value_is_kept() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/records/relu5-dead.jsonl");
        let (small, _) = Record::read(&path).unwrap();
        let mut record = Record::new(small.header.clone());
        for i in 0..5 {
            let mut step = small.steps[0].clone();
            (step.step, step.capture) = (i, None);
            step.non_finite = (i > 1).then(|| NonFinite { stage: "loss".into(), layer: None });
            record.push(Line::Step(step)).unwrap();
        }
        let broken: Vec<bool> = record.steps.iter().map(|s| s.non_finite.is_some()).collect();
        assert_eq!(broken, [false, false, true, false, false]);
    }

    #[test]
    fn a_record_beyond_its_bound_keeps_its_ends_and_every_spike() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/records/relu5-dead.jsonl");
        let (small, _) = Record::read(&path).unwrap();
        let mut record = Record::new(small.header.clone());
        let most = 1 << 20;
        for i in 0..2_000 {
            let (mut step, mut epoch) = (small.steps[0].clone(), small.epochs[1].clone());
            (step.step, step.epoch, epoch.epoch, epoch.step) = (i, i, i, i);
            step.capture = (i % 5 == 0).then(|| small.epochs[0].layers.clone());
            step.loss = if i == 777 { 50.0 } else { 1.0 }.into();
            record.steps.push(step);
            record.epochs.push(epoch);
            record.bound_to(most);
            assert!(record.held.step_bytes <= most && record.held.epoch_bytes <= most);
        }
        assert!(record.held.is_less());
        assert_eq!(record.steps.iter().map(|s| s.steps).sum::<u64>(), 2_000);
        assert_eq!(record.steps.iter().map(|s| s.loss.max).fold(0.0, f64::max), 50.0);
        assert!(record.steps[0].capture.is_some());
        let ends = [&record.epochs[0], record.epochs.last().unwrap()].map(|e| e.epoch);
        assert_eq!(ends, [0, 1_999]);
        assert_eq!(record.epochs.last().unwrap().layers, small.epochs[1].layers);
    }
}
