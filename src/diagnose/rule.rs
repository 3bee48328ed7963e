//! What a rule is, and what it says when it fires.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Severity;
use super::causes::Kind;
use super::quantities::{Capture, Quantities};
use super::settings::{Param, Settings};
use super::text;

/// A rule: its definition, its texts, and the function that evaluates it.
///
/// In the texts, `{name}` stands for the value of the parameter of that name: no number is written
/// twice.
#[derive(Debug)]
pub struct Rule {
    /// Such as `vanishing-depth`.
    pub name: &'static str,
    /// Such as `vanishing`.
    pub family: &'static str,
    /// What it finds, in one line.
    pub summary: &'static str,
    /// Its limits, with their reasons and sources.
    pub params: &'static [Param],
    /// What it measures.
    pub(super) measures: &'static str,
    /// When it fires, and how severely.
    pub(super) fires: &'static str,
    /// Where it has been wrong, or can be.
    pub(super) false_alarms: &'static str,
    /// What helped and what did not.
    pub(super) remedies: &'static str,
    pub(super) evaluate: fn(&RuleContext) -> Result<Vec<RuleMatch>, Unmeasured>,
}

/// Why a rule could not be evaluated: what the record lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmeasured(pub &'static str);

/// No epoch was captured.
pub const NO_EPOCH: Unmeasured = Unmeasured("no epoch has been captured yet");
/// No chance loss.
pub const NO_BASELINE: Unmeasured = Unmeasured("the record does not say what guessing costs (chance_loss)");
/// No gradients.
pub const NO_GRADIENTS: Unmeasured = Unmeasured("the record holds no gradients of weights");
/// No steps.
pub const NO_STEPS: Unmeasured = Unmeasured("the record holds no steps");
/// No updates.
pub const NO_UPDATES: Unmeasured = Unmeasured("the record holds no updates of weights");

/// Evidence of what a script or a file gave, before any training.
pub const GIVEN: &str = "before_training";

/// A rule that fired.
#[derive(Clone, Debug)]
pub struct RuleMatch {
    pub kind: Kind,
    pub severity: Severity,
    /// Affected layers (indices into the header), in forward order.
    pub layers: Vec<usize>,
    pub first_epoch: u64,
    pub last_epoch: u64,
    pub first_step: Option<u64>,
    pub value: f64,
    pub threshold: f64,
    pub quantity: &'static str,
    /// Its first sentence can stand alone, as the headline.
    pub message: String,
    pub evidence: BTreeMap<String, Value>,
}

/// First and last epoch of captures in a row.
pub fn span(run: &[Capture]) -> (u64, u64) {
    let epoch = |c: Option<&Capture>| c.map_or(0, |c| c.epoch);
    (epoch(run.first()), epoch(run.last()))
}

/// What a rule is evaluated on.
pub struct RuleContext<'a> {
    pub q: &'a Quantities<'a>,
    pub(super) rule: &'static str,
    pub(super) settings: &'a Settings,
}

impl RuleContext<'_> {
    /// The value of a limit.
    pub fn get(&self, param: &Param) -> f64 {
        self.settings.limit(self.rule, param)
    }

    /// The value of a number of things.
    pub fn count(&self, param: &Param) -> usize {
        self.get(param) as usize
    }

    /// Captured epochs, at least one.
    pub fn captures(&self) -> Result<&[Capture<'_>], Unmeasured> {
        if self.q.captures.is_empty() { Err(NO_EPOCH) } else { Ok(&self.q.captures) }
    }

    /// What guessing costs.
    pub fn baseline_loss(&self) -> Result<f64, Unmeasured> {
        self.q.baseline_loss.ok_or(NO_BASELINE)
    }

    /// Error where the run is harmed, otherwise something milder.
    pub fn error_if_failing(&self, otherwise: Severity) -> Severity {
        if self.q.failing { Severity::Error } else { otherwise }
    }

    /// Names of layers in a sentence.
    pub fn names(&self, layers: &[usize]) -> String {
        text::names(&self.q.record.header.layers, &self.q.matrices, layers)
    }

    /// The captures up to the last in which a condition holds without a break, if they are `needed`
    /// in number, or all there are.
    pub fn trailing_run<'c>(
        &'c self,
        needed: usize,
        holds: impl Fn(&Capture) -> bool,
    ) -> Option<&'c [Capture<'c>]> {
        let all = &self.q.captures;
        let run = all.iter().rev().take_while(|c| holds(c)).count();
        (run > 0 && run >= needed.min(all.len())).then(|| &all[all.len() - run..])
    }
}
