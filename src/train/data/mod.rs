//! Data sets: where rows come from. A new one is a file with its [`DataKind`], and a line in [`KINDS`].

mod blobs;
mod circles;
mod csv;
mod dataset;
mod generated;
mod idx;
mod memory;
mod moons;
mod polynomial;
mod spirals;
mod split;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use tch::Device;

use super::TrainError;
use crate::record::{Loss, Task};

use dataset::Table;
pub use dataset::{Dataset, Rows, describe};
pub use split::Split;

/// Every kind, in the order in which they are listed.
static KINDS: [&DataKind; 8] = [
    &moons::KIND,
    &circles::KIND,
    &spirals::KIND,
    &blobs::KIND,
    &polynomial::KIND,
    &memory::KIND,
    &csv::KIND,
    &idx::KIND,
];

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
    parse: Parse,
}

/// From what follows the colon, if there is one, to a source, or to what is wrong with it.
type Parse = fn(Option<&str>) -> Result<Arc<dyn Source>, String>;

/// Every kind of data set that there is.
pub fn data_kinds() -> impl Iterator<Item = &'static DataKind> {
    KINDS.into_iter()
}

/// Something that rows can be had from.
trait Source: fmt::Debug + Send + Sync {
    /// All rows. Draws, where it draws, only after seeding libtorch's generator.
    fn load(&self, options: &DataOptions, seed: i64) -> Result<Table, TrainError>;
}

/// Where rows come from, as `--data` names it: `"moons".parse()`.
#[derive(Clone, Debug)]
pub struct DataSource {
    /// As it was written.
    text: String,
    kind: &'static DataKind,
    source: Arc<dyn Source>,
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
    fn given(&self) -> impl Iterator<Item = &'static str> {
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

impl fmt::Display for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for DataSource {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        let (name, argument) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let Some(kind) = data_kinds().find(|kind| kind.name == name) else {
            return Err(TrainError::UnknownData { name: name.into(), known: forms(data_kinds()) });
        };
        let source = (kind.parse)(argument).map_err(|reason| {
            TrainError::Settings(format!("--data {text}: {reason}; it is written {}", kind.form))
        })?;
        Ok(Self { text: text.into(), kind, source })
    }
}

/// Kinds as they are spelled, one after another.
fn forms(kinds: impl Iterator<Item = &'static DataKind>) -> String {
    kinds.map(|kind| kind.form).collect::<Vec<_>>().join(", ")
}

/// The path after the colon.
fn path(argument: Option<&str>) -> Result<std::path::PathBuf, String> {
    argument.filter(|path| !path.is_empty()).map(Into::into).ok_or("it needs a path".into())
}

impl DataSource {
    /// Refuses flags that only other kinds understand.
    fn check(&self, options: &DataOptions) -> Result<(), TrainError> {
        match options.given().find(|flag| !self.kind.flags.contains(flag)) {
            None => Ok(()),
            Some(flag) => {
                let whose = forms(data_kinds().filter(|kind| kind.flags.contains(&flag)));
                Err(TrainError::Settings(format!("{flag} is for {whose}; --data is {}", self.text)))
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
        let table = self.source.load(options, seed)?;
        let order = (!table.shuffled && !options.no_shuffle_split).then_some(seed);
        let split = options.split.unwrap_or(Split::Fractions(self.kind.split));
        let loss = table.choose_loss(loss, self.kind.flags.contains(&"--task"))?;
        Ok(table.dataset(&self.text, split, order, loss, options.standardize)?.to_device(device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_their_names_and_know_their_flags() {
        let mut names: Vec<_> = data_kinds().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
        let everything = DataOptions {
            target: Some("y".into()),
            task: Some(Task::Regression),
            samples: Some(10),
            noise: Some(1.0),
            no_shuffle_split: true,
            ..Default::default()
        };
        for kind in data_kinds() {
            assert!(kind.form.starts_with(kind.name), "{}", kind.form);
            assert!(kind.flags.iter().all(|flag| everything.given().any(|given| given == *flag)));
            assert_eq!(kind.samples.is_some(), kind.flags.contains(&"--samples"), "{}", kind.name);
            assert_eq!(kind.noise.is_some(), kind.flags.contains(&"--noise"), "{}", kind.name);
            assert!(kind.split.iter().all(|share| (0.0..=1.0).contains(share)));
        }
    }
}
