//! A diagnosis: the verdict, and the findings behind it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::remedy::Remedy;
use crate::record::number;

/// One rule that fired, with the number and the limit behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Name of the rule, such as `dead-layer`.
    pub rule: String,
    /// Its family, such as `dead-relu`.
    pub family: String,
    /// How bad it is.
    pub severity: Severity,
    /// The layer that it is about; of several, the first. `None` where it is about the whole run.
    pub layer: Option<String>,
    /// All layers that are affected, in forward order.
    pub layers: Vec<String>,
    /// First captured epoch in which it held.
    pub first_epoch: u64,
    /// Last captured epoch in which it held.
    pub last_epoch: u64,
    /// The exact step from which it held, where that is known.
    pub first_step: Option<u64>,
    /// The measured quantity at its worst.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub value: f64,
    /// The limit that it crossed.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub threshold: f64,
    /// The name of `value`, with its unit: "share of units that never fired".
    pub quantity: String,
    /// Whether no other finding explains it.
    pub root: bool,
    /// Index (in the list of findings) of the finding that explains it.
    pub caused_by: Option<usize>,
    /// One or two sentences for a person.
    pub message: String,
    /// Further numbers behind it, by name.
    pub evidence: BTreeMap<String, Value>,
    /// Changes that help, best first. Of a consequence: empty, a remedy belongs to the root.
    pub remedies: Vec<Remedy>,
}

impl Finding {
    /// From when it held, as exactly as is known: "step 12" or "epoch 3".
    pub fn since(&self) -> String {
        crate::text::moment(self.first_epoch, self.first_step)
    }

    /// The key that sorts the worst first, and causes before what follows from them.
    pub fn rank(&self) -> (Reverse<Severity>, bool) {
        (Reverse(self.severity), !self.root)
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; the run learns.
    Info,
    /// Probably costs something.
    Warning,
    /// The run is harmed.
    Error,
}

impl Severity {
    /// As it stands in files.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// The verdict in one word, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No finding above info.
    Healthy,
    /// A warning and no error.
    Warning,
    /// At least one error.
    Unhealthy,
}

impl Verdict {
    /// As it stands in files.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Healthy => "healthy",
            Verdict::Warning => "warning",
            Verdict::Unhealthy => "unhealthy",
        }
    }
}

/// Everything that the rules have to say about a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// In one word.
    pub verdict: Verdict,
    /// In one sentence: severity, root, layer, onset.
    pub headline: String,
    /// Worst first: roots before their consequences, errors before warnings before infos.
    pub findings: Vec<Finding>,
    /// Rules that could not be evaluated on this record, with what was missing. Never the same as
    /// passed.
    pub not_measured: Vec<NotMeasured>,
}

/// A rule that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotMeasured {
    /// Name of the rule.
    pub rule: String,
    /// The part of a record that is missing, in words.
    pub why: String,
}

impl Diagnosis {
    /// The findings that no other explains.
    pub fn roots(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| f.root)
    }

    /// Names of the layers that pictures point at: those of roots and of errors. A milder consequence
    /// (an output that hardly varies, say) would hide where the trouble is.
    pub fn flagged_layers(&self) -> BTreeSet<String> {
        let told = self.findings.iter().filter(|f| f.root || f.severity == Severity::Error);
        told.flat_map(|f| f.layers.iter().cloned()).collect()
    }
}
