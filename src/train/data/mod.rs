//! Data sets: where rows come from, and how they are split. A new one is a file and a line in
//! [`DataSource::load`].

mod csv;
mod moons;

use std::path::PathBuf;
use std::str::FromStr;

use tch::{Device, Kind, Tensor};

use super::TrainError;
use crate::record::{Data, Loss, Task};

/// Where rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum DataSource {
    /// Two interleaved half circles.
    Moons,
    /// A table in a file.
    Csv(PathBuf),
}

/// What can be asked of a data set beside its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataOptions {
    /// Column that is to be predicted (csv; the last one where left out).
    pub target: Option<String>,
    /// Classification or regression (csv; guessed from the target where left out).
    pub task: Option<Task>,
    /// Rows to generate.
    pub samples: Option<u64>,
    /// Standard deviation of the noise of a generated set.
    pub noise: Option<f64>,
    /// Inputs of zero mean and unit variance, as measured on the training rows.
    pub standardize: bool,
    /// Sizes of the three splits.
    pub split: Option<Split>,
    /// Keep the rows of a file in their order.
    pub no_shuffle_split: bool,
}

/// Sizes of the training, dev and test splits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Split {
    /// Shares of the rows.
    Fractions([f64; 3]),
    /// Numbers of rows.
    Counts([u64; 3]),
}

/// Rows in memory, before they are split.
pub(super) struct Table {
    /// Row-major inputs.
    inputs: Vec<f32>,
    columns: usize,
    targets: Targets,
    /// Whether the order of the rows says nothing, so that splitting needs no shuffle.
    shuffled: bool,
    default_split: Split,
}

pub(super) enum Targets {
    Classes { names: Vec<String>, labels: Vec<i64> },
    Numbers(Vec<f32>),
}

impl FromStr for DataSource {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        match text.split_once(':') {
            None if text == "moons" => Ok(Self::Moons),
            Some(("csv", path)) if !path.is_empty() => Ok(Self::Csv(path.into())),
            _ => Err(TrainError::UnknownData { name: text.into(), known: "moons, csv:FILE".into() }),
        }
    }
}

impl FromStr for Split {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "a split is three numbers, training,dev,test: shares such as 0.7,0.15,0.15 or rows such as 640,160,200";
        let parts: Vec<f64> = text
            .split(',')
            .map(|p| p.trim().parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0))
            .collect::<Option<_>>()
            .ok_or(form)?;
        let parts: [f64; 3] = parts.try_into().map_err(|_| form)?;
        if parts[0] == 0.0 {
            return Err("a split needs training rows: its first number should be above zero".into());
        }
        if parts.iter().all(|p| *p <= 1.0) {
            let sum: f64 = parts.iter().sum();
            // Shares such as 0.7,0.2,0.1 add up to one but for rounding.
            if sum > 1.0 + 1e-9 {
                return Err(format!("the shares of a split should add up to 1 at most, not to {sum}"));
            }
            return Ok(Self::Fractions(parts));
        }
        if parts.iter().any(|p| p.fract() != 0.0 || *p > 1e12) {
            return Err(form.into());
        }
        Ok(Self::Counts(parts.map(|p| p as u64)))
    }
}

impl Split {
    /// Rows of each part, of `rows` in all.
    fn rows(self, rows: u64) -> Result<[u64; 3], TrainError> {
        let parts = match self {
            Self::Counts(counts) => counts,
            Self::Fractions(shares) => {
                let upto = |share: f64| ((rows as f64 * share).round() as u64).min(rows);
                let (a, b) = (upto(shares[0]), upto(shares[0] + shares[1]));
                [a, b - a, upto(shares.iter().sum()) - b]
            }
        };
        let needed: u64 = parts.iter().sum();
        if needed > rows {
            let [a, b, c] = parts;
            return Err(TrainError::Data(format!(
                "--split {a},{b},{c} asks for {needed} rows, but the data has {rows}"
            )));
        }
        if parts[0] == 0 {
            return Err(TrainError::Data(format!("the split leaves none of {rows} rows to train on")));
        }
        Ok(parts)
    }
}

/// A data set on a device, split and ready to train on.
#[derive(Debug)]
pub struct Dataset {
    /// What the record says of it.
    pub info: Data,
    /// Channels, height and width, where an input is an image.
    pub image: Option<[i64; 3]>,
    /// What outputs the model needs.
    pub outputs: i64,
    /// What is minimised.
    pub loss: Loss,
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
    /// Inputs.
    pub x: Tensor,
    /// Targets.
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
}

impl DataSource {
    /// Rows from this source. Draws, where it draws, only after seeding libtorch's generator.
    fn load(&self, options: &DataOptions, seed: i64) -> Result<Table, TrainError> {
        match self {
            Self::Moons => moons::generate(options, seed),
            Self::Csv(path) => csv::read(path, options),
        }
    }

    /// As `--data` spells it.
    fn name(&self) -> String {
        match self {
            Self::Moons => "moons".into(),
            Self::Csv(path) => format!("csv:{}", path.display()),
        }
    }

    /// Refuses options that only another source understands.
    fn check(&self, options: &DataOptions) -> Result<(), TrainError> {
        let generated = !matches!(self, Self::Csv(_));
        let misplaced = if generated {
            [
                ("--target", options.target.is_some()),
                ("--task", options.task.is_some()),
                ("--no-shuffle-split", options.no_shuffle_split),
            ]
        } else {
            [("--samples", options.samples.is_some()), ("--noise", options.noise.is_some()), ("", false)]
        };
        match misplaced.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => {
                let whose = if generated { "tables (csv:FILE)" } else { "generated data, such as moons" };
                Err(TrainError::Settings(format!("{flag} is for {whose}; --data is {}", self.name())))
            }
        }
    }

    /// Loads, splits, standardises and moves the data to the device.
    ///
    /// # Errors
    /// [`TrainError`] naming the place in a file, or what does not go together.
    pub fn dataset(
        &self,
        options: &DataOptions,
        loss: Option<Loss>,
        seed: i64,
        device: Device,
    ) -> Result<Dataset, TrainError> {
        self.check(options)?;
        let table = self.load(options, seed)?;
        let loss = choose_loss(loss, &table.targets)?;
        let rows = (table.inputs.len() / table.columns) as u64;
        let counts = options.split.unwrap_or(table.default_split).rows(rows)?;
        let mut x = Tensor::from_slice(&table.inputs).view([rows as i64, table.columns as i64]);
        let mut y = match &table.targets {
            Targets::Classes { labels, .. } => Tensor::from_slice(labels),
            Targets::Numbers(values) => Tensor::from_slice(values).view([-1, 1]),
        };
        if !table.shuffled && !options.no_shuffle_split {
            tch::manual_seed(seed);
            let order = Tensor::randperm(rows as i64, (Kind::Int64, Device::Cpu));
            (x, y) = (x.index_select(0, &order), y.index_select(0, &order));
        }
        let train = counts[0] as i64;
        let (chance_loss, target_mean, target_std) = chance(&y.narrow(0, 0, train), &table.targets)?;
        if options.standardize {
            x = standardize(&x, train);
        }
        if loss == Loss::Bce {
            y = y.to_kind(Kind::Float).view([-1, 1]);
        }
        let part = |start: i64, length: u64| {
            (length > 0).then(|| Rows {
                x: x.narrow(0, start, length as i64).contiguous().to_device(device),
                y: y.narrow(0, start, length as i64).contiguous().to_device(device),
            })
        };
        let train_x = x.narrow(0, 0, train);
        let (task, classes) = match table.targets {
            Targets::Classes { names, .. } => (Task::Classification, names),
            Targets::Numbers(_) => (Task::Regression, Vec::new()),
        };
        Ok(Dataset {
            info: Data {
                name: self.name(),
                task,
                train: counts[0],
                dev: counts[1],
                test: counts[2],
                inputs: table.columns as u64,
                chance_loss,
                input_rms: train_x.to_kind(Kind::Double).square().mean(Kind::Double).sqrt().double_value(&[]),
                target_mean,
                target_std,
                classes: classes.clone(),
            },
            image: None,
            outputs: if loss == Loss::CrossEntropy { classes.len() as i64 } else { 1 },
            loss,
            train: part(0, counts[0])
                .ok_or_else(|| TrainError::Data("the split leaves no rows to train on".into()))?,
            dev: part(train, counts[1]),
            test: part(train + counts[1] as i64, counts[2]),
        })
    }
}

/// The loss that was asked for, or the usual one for these targets.
fn choose_loss(asked: Option<Loss>, targets: &Targets) -> Result<Loss, TrainError> {
    let classes = match targets {
        Targets::Classes { names, .. } => names.len(),
        Targets::Numbers(_) => 0,
    };
    let usual = match classes {
        0 => Loss::Mse,
        2 => Loss::Bce,
        _ => Loss::CrossEntropy,
    };
    match (asked.unwrap_or(usual), classes) {
        (Loss::Mse, 0) => Ok(Loss::Mse),
        (Loss::Bce, 2) => Ok(Loss::Bce),
        (Loss::CrossEntropy, 2..) => Ok(Loss::CrossEntropy),
        (loss, 0) => Err(TrainError::Settings(format!(
            "--loss {} is for classes, but the targets are numbers: use --loss mse, or --task classification",
            loss.name()
        ))),
        (loss, n) => Err(TrainError::Settings(format!(
            "--loss {} does not fit {n} classes: use --loss {}",
            loss.name(),
            usual.name()
        ))),
    }
}

/// Loss of the best constant prediction, and mean and standard deviation of numeric targets.
fn chance(y: &Tensor, targets: &Targets) -> Result<(f64, Option<f64>, Option<f64>), TrainError> {
    match targets {
        Targets::Classes { names, .. } => {
            let counts = y.bincount::<Tensor>(None, names.len() as i64).to_kind(Kind::Double);
            let share = &counts / counts.sum(Kind::Double);
            let entropy = -(share.xlogy(&share)).sum(Kind::Double).double_value(&[]);
            if entropy <= 0.0 {
                return Err(TrainError::Data(
                    "the training rows hold one class only: there is nothing to tell apart".into(),
                ));
            }
            Ok((entropy, None, None))
        }
        Targets::Numbers(_) => {
            let y = y.to_kind(Kind::Double);
            let mean = y.mean(Kind::Double);
            let variance = (&y - &mean).square().mean(Kind::Double).double_value(&[]);
            if variance <= 0.0 {
                return Err(TrainError::Data(
                    "the training targets are all equal: there is nothing to learn".into(),
                ));
            }
            Ok((variance, Some(mean.double_value(&[])), Some(variance.sqrt())))
        }
    }
}

/// Columns of zero mean and unit variance on the first `train` rows; a constant column is centred.
fn standardize(x: &Tensor, train: i64) -> Tensor {
    let known = x.narrow(0, 0, train).to_kind(Kind::Double);
    let mean = known.mean_dim([0i64].as_slice(), true, Kind::Double);
    let std = (&known - &mean).square().mean_dim([0i64].as_slice(), true, Kind::Double).sqrt();
    let std = std.where_self(&std.gt(0.0), &std.ones_like());
    ((x.to_kind(Kind::Double) - mean) / std).to_kind(Kind::Float)
}

/// The values of a tensor, row-major.
fn to_vec<T: tch::kind::Element + Clone + Default>(tensor: &Tensor) -> Result<Vec<T>, TrainError> {
    let mut values = vec![T::default(); tensor.numel()];
    tensor.f_copy_data(&mut values, tensor.numel())?;
    Ok(values)
}
