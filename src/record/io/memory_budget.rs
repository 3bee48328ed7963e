//! A record in memory that stays bounded, whatever was written.
//!
//! Runs thin out their own records, far below this bound. Others are thinned while they are read: the
//! same lines in the same order give the same result.

use crate::record::{Epoch, LayerCapture, Step, StepLayer};

/// Bytes of captures and of steps, each, that are held.
const MAX_BYTES: usize = 128 << 20;

/// How much is held, and what had to go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryBudget {
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

impl MemoryBudget {
    /// Whether anything had to go.
    pub fn is_less(&self) -> bool {
        self.steps + self.epochs > 0
    }
}

impl MemoryBudget {
    /// Makes room in the steps and the captured epochs of a record, if the last line has filled it.
    pub(super) fn bound(&mut self, steps: &mut Vec<Step>, epochs: &mut Vec<Epoch>) {
        self.bound_to(MAX_BYTES, steps, epochs);
    }

    fn bound_to(&mut self, max: usize, steps: &mut Vec<Step>, epochs: &mut Vec<Epoch>) {
        self.step_bytes += steps[self.counted_steps..].iter().map(step_memory).sum::<usize>();
        self.epoch_bytes += epochs[self.counted_epochs..].iter().map(epoch_memory).sum::<usize>();
        if self.step_bytes > max {
            self.join_steps(steps);
        }
        if self.epoch_bytes > max {
            let last = epochs.len().saturating_sub(1);
            epochs[..last].iter_mut().for_each(Epoch::compact);
            self.epoch_bytes = epochs.iter().map(epoch_memory).sum();
            // Half of the room, lest every new epoch does this again.
            if self.epoch_bytes > max / 2 {
                self.drop_epochs(epochs);
            }
        }
        (self.counted_steps, self.counted_epochs) = (steps.len(), epochs.len());
    }

    /// Every two steps become one point; captures inside epochs go, but for the first step's.
    fn join_steps(&mut self, steps: &mut Vec<Step>) {
        let mut joined: Vec<Step> = Vec::with_capacity(steps.len() / 2 + 1);
        for (i, mut step) in steps.drain(..).enumerate() {
            if i > 0 {
                step.capture = None;
            }
            match joined.last_mut() {
                // The first, and the one where something broke, stay what they are.
                Some(point)
                    if i % 2 == 0 && i > 1 && point.non_finite.is_none() && step.non_finite.is_none() =>
                {
                    point.join(&step);
                    self.steps += 1;
                }
                _ => joined.push(step),
            }
        }
        *steps = joined;
        self.step_bytes = steps.iter().map(step_memory).sum();
    }

    /// Every second captured epoch goes, but for the first and the last two.
    fn drop_epochs(&mut self, epochs: &mut Vec<Epoch>) {
        let all = epochs.len();
        let mut index = 0;
        epochs.retain(|_| {
            index += 1;
            index % 2 == 1 || index + 1 >= all
        });
        self.epochs += (all - epochs.len()) as u64;
        self.epoch_bytes = epochs.iter().map(epoch_memory).sum();
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
    use crate::record::Record;

    #[test]
    fn a_record_beyond_its_bound_keeps_its_ends_and_every_spike() {
        let path = crate::testing::fixture("records/relu5-dead.jsonl");
        let (small, _) = Record::read(&path).unwrap();
        let mut record = Record::new(small.header.clone());
        let max = 1 << 20;
        for i in 0..2_000 {
            let (mut step, mut epoch) = (small.steps[0].clone(), small.epochs[1].clone());
            (step.step, step.epoch, epoch.epoch, epoch.step) = (i, i, i, i);
            step.capture = (i % 5 == 0).then(|| small.epochs[0].layers.clone());
            step.loss = if i == 777 { 50.0 } else { 1.0 }.into();
            record.steps.push(step);
            record.epochs.push(epoch);
            record.held.bound_to(max, &mut record.steps, &mut record.epochs);
            assert!(record.held.step_bytes <= max && record.held.epoch_bytes <= max);
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
