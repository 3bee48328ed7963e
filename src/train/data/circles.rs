//! A circle within a circle (scikit-learn's `make_circles`).

use std::f64::consts::TAU;
use std::sync::Arc;

use tch::Tensor;

use super::dataset::Table;
use super::generated::{self, DOUBLE};
use super::kind::{DataKind, DataOptions, Source};
use crate::train::TrainError;

const SAMPLES: u64 = 1_000;
/// As PyTorch courses draw it: the gap between the circles is more than six of it.
const NOISE: f64 = 0.03;
/// Radius of the inner circle where the outer one's is 1: scikit-learn's default.
const INNER_RADIUS: f64 = 0.8;

pub(super) static KIND: DataKind = DataKind {
    name: "circles",
    form: "circles",
    about: "a circle within a circle",
    samples: Some(SAMPLES),
    noise: Some(NOISE),
    split: generated::SPLIT,
    flags: generated::FLAGS,
    parse: |argument| generated::no_argument(argument).map(|()| Arc::new(Circles) as _),
};

#[derive(Debug)]
struct Circles;

impl Source for Circles {
    fn load(&self, options: &DataOptions, seed: i64) -> Result<Table, TrainError> {
        let n = generated::rows(KIND.name, options, SAMPLES)?;
        let sizes = [n / 2, n - n / 2];
        tch::manual_seed(seed);
        let circle = |count: i64, radius: f64| {
            // The end of the circle is its beginning.
            let angle = Tensor::linspace(0.0, TAU, count + 1, DOUBLE).narrow(0, 0, count);
            Tensor::stack(&[angle.cos(), angle.sin()], 1) * radius
        };
        let points = Tensor::cat(&[circle(sizes[0], 1.0), circle(sizes[1], INNER_RADIUS)], 0);
        Ok(generated::scatter(&points, &sizes, options.noise.unwrap_or(NOISE)))
    }
}
