//! Two interleaved half circles (scikit-learn's `make_moons`).

use tch::{Device, Kind, Tensor};

use super::{DataOptions, Split, Table, Targets};
use crate::train::TrainError;

/// Rows where nothing else is asked for.
const SAMPLES: u64 = 1_000;
/// Rows from which a generated set no longer fits memory together with its training.
const MOST_SAMPLES: u64 = 100_000_000;
/// Standard deviation of the noise where nothing else is asked for.
const NOISE: f64 = 0.1;

/// Half of the rows on either moon, in random order.
pub(super) fn generate(options: &DataOptions, seed: i64) -> Result<Table, TrainError> {
    let n = options.samples.unwrap_or(SAMPLES);
    if !(4..=MOST_SAMPLES).contains(&n) {
        return Err(TrainError::Settings(format!(
            "--samples should be between 4 and {MOST_SAMPLES} for moons, not {n}"
        )));
    }
    let (n, outer) = (n as i64, n as i64 / 2);
    tch::manual_seed(seed);
    let options_f = (Kind::Double, Device::Cpu);
    let half = |count: i64| Tensor::linspace(0.0, std::f64::consts::PI, count, options_f);
    let (a, b) = (half(outer), half(n - outer));
    let x = Tensor::cat(&[a.cos(), -b.cos() + 1.0], 0);
    let y = Tensor::cat(&[a.sin(), -b.sin() + 0.5], 0);
    let points = Tensor::stack(&[x, y], 1);
    let noise = Tensor::randn([n, 2], options_f) * options.noise.unwrap_or(NOISE);
    let order = Tensor::randperm(n, (Kind::Int64, Device::Cpu));
    let points = (points + noise).index_select(0, &order).to_kind(Kind::Float);
    let labels = order.ge(outer).to_kind(Kind::Int64);
    Ok(Table {
        inputs: super::to_vec(&points)?,
        columns: 2,
        targets: Targets::Classes { names: vec!["0".into(), "1".into()], labels: super::to_vec(&labels)? },
        shuffled: true,
        default_split: Split::Fractions([0.64, 0.16, 0.2]),
    })
}
