//! Thinning, which keeps a record bounded however long the run.

use serde::{Deserialize, Serialize};

use super::quantity::shortened;
use super::{Envelope, Step};

/// Points of the step curves after which one point stands for twice as many steps, at most and at least.
/// A run of a million steps then has about 5,500 points, and one of half a billion still fewer than
/// 10,000.
pub const POINTS_PER_STRIDE: (u64, u64) = (64, 500);
/// Norms of layers, in points of one stride, of which there may be so many: networks of more than 40
/// layers have fewer points.
pub const LAYER_POINTS: u64 = 20_000;
/// Captured epochs after which the distance between captures doubles: a thousand epochs leave some 400
/// captures, a million 1,700.
pub const EPOCHS_PER_STRIDE: (u64, u64) = (16, 128);
/// The same of layers: networks of more than 200 layers have fewer captures.
pub const LAYER_EPOCHS: u64 = 25_600;

/// So many of each of `layers` that all together are within a bound, if that is not too few.
fn share(all: u64, layers: usize, (least, most): (u64, u64)) -> u64 {
    (all / (layers as u64).max(1)).clamp(least, most)
}

fn most_points() -> u64 {
    POINTS_PER_STRIDE.1
}

fn most_epochs() -> u64 {
    EPOCHS_PER_STRIDE.1
}

/// Joins consecutive steps into one point, ever more of them as the run goes on: works without
/// knowing its length beforehand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepThinning {
    #[serde(default = "most_points")]
    stride: u64,
    written: u64,
    pending: Option<Step>,
}

impl StepThinning {
    /// For a network of so many layers.
    pub fn new(layers: usize) -> Self {
        Self { stride: share(LAYER_POINTS, layers, POINTS_PER_STRIDE), written: 0, pending: None }
    }

    /// Takes a step; gives back the point that is complete, if one is. A step with a capture or with
    /// the first non-finite value is never joined with others.
    pub fn push(&mut self, step: Step) -> Vec<Step> {
        let alone = step.capture.is_some() || step.non_finite.is_some();
        let mut out = Vec::new();
        if alone {
            out.extend(self.flush());
        }
        match &mut self.pending {
            None => self.pending = Some(step),
            Some(point) => {
                point.join(&step);
            }
        }
        if alone || self.pending.as_ref().is_some_and(|p| p.steps >= self.stride()) {
            out.extend(self.flush());
        }
        out
    }

    /// The point that is not complete yet, at the end of a run.
    pub fn flush(&mut self) -> Option<Step> {
        self.written += u64::from(self.pending.is_some());
        let mut point = self.pending.take()?;
        for layer in &mut point.layers {
            for envelope in [&mut layer.weight_l2, &mut layer.grad_l2, &mut layer.update_l2] {
                let Envelope { min, max, last } = *envelope;
                *envelope = Envelope { min: shortened(min), max: shortened(max), last: shortened(last) };
            }
        }
        Some(point)
    }

    /// Points given back so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The point that is not complete yet.
    pub fn pending(&self) -> Option<&Step> {
        self.pending.as_ref()
    }

    fn stride(&self) -> u64 {
        1 << (self.written / self.stride.max(1)).min(40)
    }
}

/// Which epochs are captured: every one at first, then every second, fourth, …
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EpochThinning {
    #[serde(default = "most_epochs")]
    stride: u64,
    kept: u64,
    next: u64,
}

impl EpochThinning {
    /// For a network of so many layers.
    pub fn new(layers: usize) -> Self {
        Self { stride: share(LAYER_EPOCHS, layers, EPOCHS_PER_STRIDE), kept: 0, next: 0 }
    }

    /// Capture points so far.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Whether this epoch is a capture point; epochs must be asked about in order.
    pub fn keep(&mut self, epoch: u64) -> bool {
        if epoch < self.next {
            return false;
        }
        self.kept += 1;
        self.next = epoch + (1 << (self.kept / self.stride.max(1)).min(40));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64, loss: f64) -> Step {
        crate::testing::step(0, step, loss, [])
    }

    #[test]
    fn a_million_steps_of_an_epoch_each_leave_a_few_thousand_points_that_cover_every_step_and_every_spike() {
        let mut thinning = StepThinning::new(5);
        let mut points = Vec::new();
        for i in 0..1_000_000 {
            let loss = if i == 777_777 { 50.0 } else { 1.0 };
            points.extend(thinning.push(Step { epoch: i, ..step(i, loss) }));
        }
        points.extend(thinning.flush());
        assert!(points.len() <= 6_000, "{}", points.len());
        assert_eq!(points.iter().map(|p| p.steps).sum::<u64>(), 1_000_000);
        assert_eq!(points.iter().map(|p| p.loss.max).fold(0.0, f64::max), 50.0);
        assert!(points[..500].iter().all(|p| p.steps == 1));
    }

    #[test]
    fn captured_epochs_stay_few() {
        let mut thinning = EpochThinning::new(5);
        let kept: Vec<u64> = (0..1_000_000).filter(|e| thinning.keep(*e)).collect();
        assert_eq!(kept[..128], (0..128).collect::<Vec<_>>());
        assert!(kept.len() < 1_800, "{}", kept.len());
        let mut thinning = EpochThinning::new(1_000);
        let kept = (0..1_000_000).filter(|e| thinning.keep(*e)).count();
        assert!(kept < 450, "{kept}");
    }
}
