//! Sequences whose class is their first number: everything after it is noise that it has to be
//! remembered through. The simplest of the tasks of Hochreiter and Schmidhuber (1997) that tell recurrent
//! layers apart.

use std::sync::Arc;

use tch::Tensor;

use super::dataset::Table;
use super::generated::{self, DOUBLE};
use super::kind::{DataKind, DataOptions, Source};
use crate::train::TrainError;

const SAMPLES: u64 = 1_000;
/// Standard deviation of the noise: a fifth of what tells the classes apart.
const NOISE: f64 = 0.4;
/// Steps of a sequence where nothing else is asked for, and at most.
const STEPS: i64 = 20;
const MAX_STEPS: i64 = 1_024;

pub(super) static KIND: DataKind = DataKind {
    name: "memory",
    form: "memory[:STEPS]",
    about: "sequences of noise whose class is the sign of their first number, of 20 steps where STEPS is left out",
    samples: Some(SAMPLES),
    noise: Some(NOISE),
    split: generated::SPLIT,
    flags: generated::FLAGS,
    parse: |argument| {
        let steps = argument.map_or(Some(STEPS), |text| text.parse().ok());
        match steps.filter(|steps| (2..=MAX_STEPS).contains(steps)) {
            Some(steps) => Ok(Arc::new(Memory { steps })),
            None => Err(format!("STEPS, the numbers of a sequence, should be between 2 and {MAX_STEPS}")),
        }
    },
};

#[derive(Debug)]
struct Memory {
    steps: i64,
}

impl Source for Memory {
    fn load(&self, options: &DataOptions, seed: i64) -> Result<Table, TrainError> {
        let n = generated::rows(KIND.name, options, SAMPLES)?;
        let sizes = generated::equal_sizes(n, 2);
        let sequences = Tensor::zeros([n, self.steps], DOUBLE);
        let _ = sequences.select(1, 0).narrow(0, 0, sizes[0]).fill_(-1.0);
        let _ = sequences.select(1, 0).narrow(0, sizes[0], sizes[1]).fill_(1.0);
        tch::manual_seed(seed);
        Ok(generated::scatter(&sequences, &sizes, options.noise.unwrap_or(NOISE)))
    }
}
