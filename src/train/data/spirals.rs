//! Arms that wind around one another from the centre: each of radius 0 to 1 in one turn.

use std::f64::consts::TAU;
use std::sync::Arc;

use tch::Tensor;

use super::dataset::Table;
use super::generated::{self, DOUBLE};
use super::kind::{DataKind, DataOptions, Source};
use crate::train::TrainError;

const SAMPLES: u64 = 1_000;
/// A tenth of the distance between two arms.
const NOISE: f64 = 0.05;
const CLASSES: i64 = 2;

pub(super) static KIND: DataKind = DataKind {
    name: "spirals",
    form: "spirals[:K]",
    about: "K arms of one turn, 2 where K is left out",
    samples: Some(SAMPLES),
    noise: Some(NOISE),
    split: generated::SPLIT,
    flags: generated::FLAGS,
    parse: |argument| Ok(Arc::new(Spirals { classes: generated::classes(argument, CLASSES)? })),
};

#[derive(Debug)]
struct Spirals {
    classes: i64,
}

impl Source for Spirals {
    fn load(&self, options: &DataOptions, seed: i64) -> Result<Table, TrainError> {
        let n = generated::rows(KIND.name, options, SAMPLES)?;
        let sizes = generated::equal_sizes(n, self.classes);
        tch::manual_seed(seed);
        let arms: Vec<Tensor> = (0..).zip(&sizes).map(|(arm, n)| self.arm(arm, *n)).collect();
        Ok(generated::scatter(&Tensor::cat(&arms, 0), &sizes, options.noise.unwrap_or(NOISE)))
    }
}

impl Spirals {
    /// One arm. The root spreads its points evenly over its length, which grows with the square of the
    /// radius; the half keeps them off the centre, where no arm could be told from another.
    fn arm(&self, arm: i64, points: i64) -> Tensor {
        let radius = ((Tensor::arange(points, DOUBLE) + 0.5) / points as f64).sqrt();
        let angle = (&radius + arm as f64 / self.classes as f64) * TAU;
        Tensor::stack(&[&radius * angle.cos(), &radius * angle.sin()], 1)
    }
}
