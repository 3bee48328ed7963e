//! The flags that a sweep varies, and the score that its table is sorted by.

use serde::{Deserialize, Serialize};

use crate::record::settings::Named;

/// A flag and the values that it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// Without its dashes.
    pub flag: String,
    /// In their natural order.
    pub values: Vec<String>,
}

/// The score that a table is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// On the test set.
    Test,
    /// On the dev set, after the last epoch.
    Dev,
    /// On the training set, after the last epoch.
    Train,
}

impl Named for Sort {
    const ALL: &'static [Self] = &[Sort::Test, Sort::Dev, Sort::Train];

    fn name(self) -> &'static str {
        match self {
            Sort::Test => "test",
            Sort::Dev => "dev",
            Sort::Train => "train",
        }
    }
}
