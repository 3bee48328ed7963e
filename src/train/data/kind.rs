//! A kind of data set, and what it is asked for.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::dataset::Table;
use super::split::Split;
use crate::record::Task;
use crate::train::TrainError;

/// A kind of data set, and all that the command line knows of it.
#[derive(Debug, Serialize)]
pub struct DataKind {
    /// Unique name: what stands before the colon.
    pub name: &'static str,
    /// How `--data` spells it, such as `csv:FILE`.
    pub form: &'static str,
    /// A description in one line.
    pub about: &'static str,
    /// Rows where nothing else is asked for; none where a file holds them.
    pub samples: Option<u64>,
    /// Standard deviation of the noise where nothing else is asked for.
    pub noise: Option<f64>,
    /// Training, dev and test shares where nothing else is asked for.
    pub split: [f64; 3],
    /// Flags that it understands, beside those that every kind does (`--split`, `--standardize`).
    pub flags: &'static [&'static str],
    /// Reads what follows the colon.
    #[serde(skip)]
    pub(super) parse: Parse,
}

/// From what follows the colon, if there is one, to a source, or to what is wrong with it.
pub(super) type Parse = fn(Option<&str>) -> Result<Arc<dyn Source>, String>;

/// Something that rows can be had from.
pub trait Source: fmt::Debug + Send + Sync {
    /// All rows. Draws, where it draws, only after seeding libtorch's generator.
    fn load(&self, options: &DataOptions, seed: i64) -> Result<Table, TrainError>;
}

/// Options of a data set beside its name.
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

impl DataOptions {
    /// Flags that not every kind understands and that were given.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("--target", self.target.is_some()),
            ("--task", self.task.is_some()),
            ("--samples", self.samples.is_some()),
            ("--noise", self.noise.is_some()),
            ("--no-shuffle-split", self.no_shuffle_split),
        ]
        .into_iter()
        .filter_map(|(flag, given)| given.then_some(flag))
    }
}

/// The path after the colon.
pub fn path(argument: Option<&str>) -> Result<std::path::PathBuf, String> {
    argument.filter(|path| !path.is_empty()).map(Into::into).ok_or("it needs a path".into())
}
