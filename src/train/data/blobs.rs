//! Gaussian clouds around random centres (scikit-learn's `make_blobs`).

use std::sync::Arc;

use tch::{Kind, Tensor};

use super::dataset::Table;
use super::generated::{self, DOUBLE};
use super::kind::{DataKind, DataOptions, Source};
use crate::train::TrainError;

const SAMPLES: u64 = 1_000;
/// Standard deviation of a cloud: scikit-learn's default.
const NOISE: f64 = 1.0;
/// Centres are uniform in a square from minus this to this: scikit-learn's default.
const CENTRES_WITHIN: f64 = 10.0;
/// Three, scikit-learn's default as well: the smallest set for cross-entropy.
const CLASSES: i64 = 3;

pub(super) static KIND: DataKind = DataKind {
    name: "blobs",
    form: "blobs[:K]",
    about: "K Gaussian clouds around random centres, 3 where K is left out",
    samples: Some(SAMPLES),
    noise: Some(NOISE),
    split: generated::SPLIT,
    flags: generated::FLAGS,
    parse: |argument| Ok(Arc::new(Blobs { classes: generated::classes(argument, CLASSES)? })),
};

#[derive(Debug)]
struct Blobs {
    classes: i64,
}

impl Source for Blobs {
    fn load(&self, options: &DataOptions, seed: i64) -> Result<Table, TrainError> {
        let n = generated::rows(KIND.name, options, SAMPLES)?;
        let sizes = generated::equal_sizes(n, self.classes);
        tch::manual_seed(seed);
        let centres = (Tensor::rand([self.classes, 2], DOUBLE) * 2.0 - 1.0) * CENTRES_WITHIN;
        let repeats = Tensor::from_slice(&sizes).to_kind(Kind::Int64);
        let points = centres.repeat_interleave_self_tensor(&repeats, 0, n);
        Ok(generated::scatter(&points, &sizes, options.noise.unwrap_or(NOISE)))
    }
}
