//! One line of a record, of whatever kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::end::End;
use super::epoch::Epoch;
use super::step::Step;
use crate::record::Header;

/// One line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Line {
    /// First: what was run, on what, with which layers.
    Header(Box<Header>),
    /// One optimizer step, or the envelope of several.
    Step(Step),
    /// The state at a captured epoch's last step, and the scores after it.
    Epoch(Epoch),
    /// Last: how the run ended. Missing where it was killed.
    End(End),
}
