//! Parts that generated data sets share: the number of rows, classes of equal size, noise, shuffling.

use tch::{Device, Kind, Tensor};

use super::dataset::Table;
use super::kind::DataOptions;
use crate::train::TrainError;

/// Training, dev and test shares of generated classes.
pub(super) const SPLIT: [f64; 3] = [0.64, 0.16, 0.2];
/// Flags that every generated set understands.
pub(super) const FLAGS: &[&str] = &["--samples", "--noise"];
/// Rows from which a generated set no longer fits memory together with its training.
const MAX_SAMPLES: u64 = 100_000_000;
/// Classes of a plane that can still be told apart by eye.
const MAX_CLASSES: i64 = 100;
/// Points are drawn in float64 and rounded at the end.
pub(super) const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Rows to generate.
pub(super) fn rows(name: &str, options: &DataOptions, default: u64) -> Result<i64, TrainError> {
    match options.samples.unwrap_or(default) {
        n if (4..=MAX_SAMPLES).contains(&n) => Ok(n as i64),
        n => Err(TrainError::Settings(format!(
            "--samples should be between 4 and {MAX_SAMPLES} for {name}, not {n}"
        ))),
    }
}

/// For sets that are a name alone.
pub(super) fn no_argument(argument: Option<&str>) -> Result<(), String> {
    argument.map_or(Ok(()), |_| Err("nothing can follow its name".into()))
}

/// The number of classes after a name, or this one.
pub(super) fn classes(argument: Option<&str>, default: i64) -> Result<i64, String> {
    let Some(text) = argument else { return Ok(default) };
    match text.parse() {
        Ok(classes) if (2..=MAX_CLASSES).contains(&classes) => Ok(classes),
        _ => Err(format!("K, the number of classes, should be between 2 and {MAX_CLASSES}")),
    }
}

/// Rows of each class: equal, but for one more in the first where they do not divide.
pub(super) fn equal_sizes(rows: i64, classes: i64) -> Vec<i64> {
    (0..classes).map(|class| rows / classes + i64::from(class < rows % classes)).collect()
}

/// Points that lie class after class, with noise, in random order.
pub(super) fn scatter(points: &Tensor, sizes: &[i64], noise: f64) -> Table {
    let rows = points.size()[0];
    let noise = Tensor::randn(points.size(), DOUBLE) * noise;
    let order = Tensor::randperm(rows, (Kind::Int64, Device::Cpu));
    let labels = Tensor::from_slice(
        &(0..).zip(sizes).flat_map(|(class, n)| vec![class; *n as usize]).collect::<Vec<i64>>(),
    );
    Table {
        x: (points + noise).index_select(0, &order).to_kind(Kind::Float),
        y: labels.index_select(0, &order),
        classes: (0..sizes.len()).map(|class| class.to_string()).collect(),
        columns: Vec::new(),
        image: None,
        own_test: 0,
        shuffled: true,
    }
}
