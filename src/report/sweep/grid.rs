//! The flags that a sweep varies, and the score that its table is sorted by.

use serde::{Deserialize, Serialize};

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

impl Sort {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Sort; 3] = [Sort::Test, Sort::Dev, Sort::Train];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Sort::Test => "test",
            Sort::Dev => "dev",
            Sort::Train => "train",
        }
    }
}
