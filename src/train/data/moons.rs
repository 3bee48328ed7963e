//! Two interleaved half circles (scikit-learn's `make_moons`).

use std::f64::consts::PI;
use std::sync::Arc;

use tch::Tensor;

use super::dataset::Table;
use super::generated::{self, DOUBLE};
use super::kind::{DataKind, DataOptions, Source};
use crate::train::TrainError;

const SAMPLES: u64 = 1_000;
const NOISE: f64 = 0.1;

pub(super) static KIND: DataKind = DataKind {
    name: "moons",
    form: "moons",
    about: "two interleaved half circles",
    samples: Some(SAMPLES),
    noise: Some(NOISE),
    split: generated::SPLIT,
    flags: generated::FLAGS,
    parse: |argument| generated::no_argument(argument).map(|()| Arc::new(Moons) as _),
};

#[derive(Debug)]
struct Moons;

impl Source for Moons {
    fn load(&self, options: &DataOptions, seed: i64) -> Result<Table, TrainError> {
        let n = generated::rows(KIND.name, options, SAMPLES)?;
        let sizes = [n / 2, n - n / 2];
        tch::manual_seed(seed);
        let [a, b] = sizes.map(|count| Tensor::linspace(0.0, PI, count, DOUBLE));
        let x = Tensor::cat(&[a.cos(), -b.cos() + 1.0], 0);
        let y = Tensor::cat(&[a.sin(), -b.sin() + 0.5], 0);
        let points = Tensor::stack(&[x, y], 1);
        Ok(generated::scatter(&points, &sizes, options.noise.unwrap_or(NOISE)))
    }
}
