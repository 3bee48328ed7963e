//! A remedy as it stands in a diagnosis and in files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::Change;
use super::spell::{read, spell};

/// Something to change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Written", into = "Written")]
pub struct Remedy {
    /// The settings that are to have other values, all at once.
    pub changes: Vec<Change>,
    /// Why it helps, in one sentence.
    pub why: String,
}

impl Remedy {
    /// Flags of `gradscope run` that can be pasted after the command.
    pub fn flags(&self) -> String {
        spell(&self.changes)
    }
}

/// Something to change.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Written {
    /// Flags of `gradscope run` that can be pasted after the command.
    flag: String,
    /// Why it helps, in one sentence.
    why: String,
}

impl From<Remedy> for Written {
    fn from(remedy: Remedy) -> Self {
        Self { flag: remedy.flags(), why: remedy.why }
    }
}

impl From<Written> for Remedy {
    fn from(written: Written) -> Self {
        Self { changes: read(&written.flag), why: written.why }
    }
}
