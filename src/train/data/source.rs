//! The kinds of data set that there are, and how one is chosen and loaded.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use tch::Device;

use super::dataset::Dataset;
use super::kind::{DataKind, DataOptions, Source};
use super::split::Split;
use super::{blobs, circles, csv, idx, memory, moons, polynomial, spirals};
use crate::record::Loss;
use crate::train::TrainError;

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

/// Every kind of data set that there is.
pub fn data_kinds() -> impl Iterator<Item = &'static DataKind> {
    KINDS.into_iter()
}

/// Where rows come from, as `--data` names it: `"moons".parse()`.
#[derive(Clone, Debug)]
pub struct DataSource {
    /// As it was written.
    text: String,
    kind: &'static DataKind,
    source: Arc<dyn Source>,
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
    use crate::record::Task;

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
