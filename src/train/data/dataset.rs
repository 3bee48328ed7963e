//! From all rows of a source to a data set that is ready to train on: split, scaled, measured.

use tch::{Device, Kind, Tensor};

use super::split::Split;
use crate::record::settings::Named;
use crate::record::{Data, Loss, Task};
use crate::train::TrainError;

/// Rows that are widened to float64 at a time: all rows of 60,000 images at once would be 400 MB.
const CHUNK_ROWS: i64 = 8_192;

/// All rows of a source, in memory, before they are split.
#[derive(Debug)]
pub(super) struct Table {
    /// Inputs `[n, columns]`, float32.
    pub x: Tensor,
    /// Targets: the indices of the classes `[n]`, int64, or numbers `[n, 1]`, float32.
    pub y: Tensor,
    /// Names of the columns of `x`, where the source names them.
    pub columns: Vec<String>,
    /// Names of the classes; none for regression.
    pub classes: Vec<String>,
    /// Channels, height and width, where a row is an image.
    pub image: Option<[i64; 3]>,
    /// Rows at the end that are a test set of the source's own.
    pub own_test: u64,
    /// Whether the order of the rows says nothing, so that splitting needs no shuffle.
    pub shuffled: bool,
}

/// A data set on a device, split and ready to train on.
#[derive(Debug)]
pub struct Dataset {
    /// The description in the record.
    pub info: Data,
    /// Number of outputs that the model needs.
    pub outputs: i64,
    /// The loss that is minimised.
    pub loss: Loss,
    /// Channels, height and width, where a row of inputs is an image.
    pub image: Option<[i64; 3]>,
    /// Names of the columns of inputs, where the source names them.
    columns: Vec<String>,
    /// How the inputs were scaled, if they were.
    scaling: Option<Scaling>,
    /// Rows to train on.
    pub train: Rows,
    /// Rows to choose by; none where the split has none.
    pub dev: Option<Rows>,
    /// Rows for the end.
    pub test: Option<Rows>,
}

/// Inputs `[n, columns]` float32 and targets: `[n, 1]` float32, or `[n]` int64 for cross-entropy.
#[derive(Debug)]
pub struct Rows {
    /// The inputs, a row a sample.
    pub x: Tensor,
    /// The targets, a row a sample.
    pub y: Tensor,
}

impl Rows {
    /// How many.
    pub fn len(&self) -> i64 {
        self.x.size()[0]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn to_device(&self, device: Device) -> Self {
        Self { x: self.x.to_device(device), y: self.y.to_device(device) }
    }
}

impl Dataset {
    /// A name for a column of the inputs.
    pub fn column(&self, column: usize) -> String {
        self.columns.get(column).cloned().unwrap_or_else(|| format!("x{}", column + 1))
    }

    /// A value of an input, as it was before it was scaled.
    pub fn in_units(&self, column: usize, value: f64) -> f64 {
        self.scaling.as_ref().map_or(value, |scaling| scaling.undo(column as i64, value))
    }

    /// The same data on a device.
    pub(super) fn to_device(&self, device: Device) -> Self {
        let part = |rows: &Option<Rows>| rows.as_ref().map(|rows| rows.to_device(device));
        Self {
            info: self.info.clone(),
            columns: self.columns.clone(),
            scaling: self.scaling.clone(),
            train: self.train.to_device(device),
            dev: part(&self.dev),
            test: part(&self.test),
            ..*self
        }
    }
}

impl Table {
    /// The loss that was asked for, or the usual one for these targets. `task_is_open` says whether
    /// `--task` could make classes of them.
    pub fn choose_loss(&self, asked: Option<Loss>, task_is_open: bool) -> Result<Loss, TrainError> {
        let classes = self.classes.len();
        let usual = match classes {
            0 => Loss::Mse,
            2 => Loss::Bce,
            _ => Loss::CrossEntropy,
        };
        match (asked.unwrap_or(usual), classes) {
            (Loss::Mse, 0) => Ok(Loss::Mse),
            (Loss::Bce, 2) => Ok(Loss::Bce),
            (Loss::CrossEntropy, 2..) => Ok(Loss::CrossEntropy),
            (loss, 0) => {
                let or = if task_is_open { ", or --task classification" } else { "" };
                Err(TrainError::Settings(format!(
                    "--loss {} is for classes, but the targets are numbers: use --loss mse{or}",
                    loss.name()
                )))
            }
            (loss, n) => Err(TrainError::Settings(format!(
                "--loss {} does not fit {n} classes: use --loss {}",
                loss.name(),
                usual.name()
            ))),
        }
    }

    /// Splits (after shuffling by the seed, if there is one), scales and measures.
    pub fn dataset(
        self,
        name: &str,
        split: Split,
        shuffle: Option<i64>,
        loss: Loss,
        standardize: bool,
    ) -> Result<Dataset, TrainError> {
        let columns = self.x.size()[1];
        let mut parts = self.split(split, shuffle)?;
        let [train_rows, dev_rows, test_rows] = parts.each_ref().map(|part| part.len() as u64);
        let train = &parts[0];
        let (baseline_loss, target_mean, target_std) = chance(&train.y, self.classes.len())?;
        let scaling = standardize.then(|| Scaling::new(&train.x));
        if let Some(scaling) = &scaling {
            parts.iter_mut().for_each(|part| part.x = scaling.apply(&part.x));
        }
        if loss == Loss::Bce {
            parts.iter_mut().for_each(|part| part.y = part.y.to_kind(Kind::Float).view([-1, 1]));
        }
        let [train, dev, test] = parts;
        let task = if self.classes.is_empty() { Task::Regression } else { Task::Classification };
        Ok(Dataset {
            outputs: if loss == Loss::CrossEntropy { self.classes.len() as i64 } else { 1 },
            info: Data {
                name: name.into(),
                task,
                train: train_rows,
                dev: dev_rows,
                test: test_rows,
                inputs: columns as u64,
                shape: self.image.map(|sides| sides.map(|side| side as u64)),
                baseline_loss,
                input_rms: mean_square(&train.x).sqrt(),
                target_mean,
                target_std,
                classes: self.classes,
            },
            loss,
            image: self.image,
            columns: self.columns,
            scaling,
            train,
            dev: Some(dev).filter(|rows| !rows.is_empty()),
            test: Some(test).filter(|rows| !rows.is_empty()),
        })
    }

    /// Training, dev and test rows.
    fn split(&self, split: Split, shuffle: Option<i64>) -> Result<[Rows; 3], TrainError> {
        let all = self.x.size()[0];
        let own_test = self.own_test as i64;
        let [train, dev, test] = split.rows((all - own_test) as u64, self.own_test)?.map(|n| n as i64);
        let integers = (Kind::Int64, Device::Cpu);
        let order = match shuffle {
            Some(seed) => {
                tch::manual_seed(seed);
                Tensor::randperm(all - own_test, integers)
            }
            None => Tensor::arange(all - own_test, integers),
        };
        let order = Tensor::cat(&[order, Tensor::arange_start(all - own_test, all, integers)], 0);
        let test_start = if own_test > 0 { all - own_test } else { train + dev };
        Ok([(0, train), (train, dev), (test_start, test)].map(|(start, length)| {
            let rows = order.narrow(0, start, length);
            Rows { x: self.x.index_select(0, &rows), y: self.y.index_select(0, &rows) }
        }))
    }
}

/// Describes a training set for a record: inputs `[n, …]`, and targets `[n]` or `[n, 1]`, which are the
/// numbers of these classes, or values where there is none.
///
/// # Errors
/// [`TrainError::Data`] where nothing can be learned: all targets are equal.
pub fn describe(name: &str, x: &Tensor, y: &Tensor, classes: &[&str]) -> Result<Data, TrainError> {
    let y = y.reshape([-1]);
    let (baseline_loss, target_mean, target_std) = chance(&y, classes.len())?;
    let rows = x.size().first().copied().unwrap_or(0).max(1);
    Ok(Data {
        name: name.into(),
        task: if classes.is_empty() { Task::Regression } else { Task::Classification },
        train: rows as u64,
        dev: 0,
        test: 0,
        inputs: x.numel() as u64 / rows as u64,
        shape: None,
        classes: classes.iter().map(|class| (*class).into()).collect(),
        baseline_loss,
        input_rms: mean_square(x).sqrt(),
        target_mean,
        target_std,
    })
}

/// Loss of the best constant prediction, and mean and standard deviation of numeric targets.
fn chance(y: &Tensor, classes: usize) -> Result<(f64, Option<f64>, Option<f64>), TrainError> {
    if classes == 0 {
        let y = y.to_kind(Kind::Double);
        let mean = y.mean(Kind::Double);
        let variance = (&y - &mean).square().mean(Kind::Double).double_value(&[]);
        if variance <= 0.0 {
            return Err(TrainError::Data(
                "the training targets are all equal: there is nothing to learn".into(),
            ));
        }
        return Ok((variance, Some(mean.double_value(&[])), Some(variance.sqrt())));
    }
    let counts = y.to_kind(Kind::Int64).bincount::<Tensor>(None, classes as i64).to_kind(Kind::Double);
    let share = &counts / counts.sum(Kind::Double);
    let entropy = -(share.xlogy(&share)).sum(Kind::Double).double_value(&[]);
    if entropy <= 0.0 {
        return Err(TrainError::Data(
            "the training rows hold one class only: there is nothing to tell apart".into(),
        ));
    }
    Ok((entropy, None, None))
}

/// Chunks of rows, in float64.
fn widened(x: &Tensor) -> impl Iterator<Item = Tensor> {
    x.split(CHUNK_ROWS, 0).into_iter().map(|chunk| chunk.to_kind(Kind::Double))
}

fn mean_square(x: &Tensor) -> f64 {
    let sum: f64 = widened(x).map(|chunk| chunk.square().sum(Kind::Double).double_value(&[])).sum();
    sum / x.numel() as f64
}

/// Makes columns of zero mean and unit variance on the training rows; a constant column is centred.
#[derive(Debug)]
struct Scaling {
    mean: Tensor,
    std: Tensor,
}

impl Clone for Scaling {
    fn clone(&self) -> Self {
        Self { mean: self.mean.shallow_clone(), std: self.std.shallow_clone() }
    }
}

impl Scaling {
    fn new(train: &Tensor) -> Self {
        let rows = train.size()[0] as f64;
        let zero = || Tensor::zeros([1, train.size()[1]], (Kind::Double, Device::Cpu));
        let column_sum = |chunk: Tensor| chunk.sum_dim_intlist([0i64].as_slice(), true, Kind::Double);
        let mean = widened(train).fold(zero(), |sum, chunk| sum + column_sum(chunk)) / rows;
        let squares =
            widened(train).fold(zero(), |sum, chunk| sum + column_sum((chunk - &mean).square())) / rows;
        let std = squares.sqrt();
        let std = std.where_self(&std.gt(0.0), &std.ones_like());
        Self { mean, std }
    }

    fn undo(&self, column: i64, value: f64) -> f64 {
        value * self.std.double_value(&[0, column]) + self.mean.double_value(&[0, column])
    }

    fn apply(&self, x: &Tensor) -> Tensor {
        let scaled = widened(x).map(|chunk| ((chunk - &self.mean) / &self.std).to_kind(Kind::Float));
        Tensor::cat(&scaled.collect::<Vec<_>>(), 0)
    }
}
