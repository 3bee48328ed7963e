//! Rules: their definition, and the context that they are evaluated in.

use super::fault::RuleMatch;
use super::finding::Severity;
use super::param::{Limits, Param};
use super::quantities::{Capture, Quantities};
use super::remedy::Plan;
use super::text;

/// A rule: its definition, its texts, and the functions that evaluate it.
///
/// In the texts, `{name}` stands for the value of the parameter of that name: no number is written
/// twice.
#[derive(Debug)]
pub struct Rule {
    /// Such as `vanishing-depth`; the file of the rule has the same name.
    pub name: &'static str,
    /// Such as `vanishing`.
    pub family: &'static str,
    /// One line that says what is wrong where the rule fires.
    pub summary: &'static str,
    /// The part of a run that it is about.
    pub scope: Scope,
    /// Its limits, with their reasons and sources.
    pub params: &'static [Param],
    /// The text on the quantities that it measures.
    pub(super) measures: &'static str,
    /// The text on when it fires, and how severely.
    pub(super) fires: &'static str,
    /// The text on where it has been wrong, or can be.
    pub(super) false_alarms: &'static str,
    /// The text on changes that helped in trials, and changes that did not.
    pub(super) trials: &'static str,
    /// Parts of a record without which it is not measured, in the order in which they are missed.
    pub(super) needs: &'static [Need],
    /// The check on the record of a training.
    pub(super) evaluate: Check,
    /// The check on a record of weights alone, whose epochs are checkpoint files; `evaluate` is never right
    /// there, and `needs` are not looked at.
    pub(super) on_weights: Option<Check>,
    /// The check on the training of a TorchScript program.
    pub(super) on_programs: OnPrograms,
    /// Adds the changes that help, best first. `None` where it is never a root, or where help is in the
    /// model or its data, out of reach of a flag.
    pub(super) remedies: Option<fn(&mut Plan, &RuleMatch)>,
}

/// The part of a run that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Each layer by itself.
    Layer,
    /// The layer that gives the output.
    Output,
    /// The run as a whole: no layer can fail such a rule.
    Run,
}

/// The faults that a rule finds, or the reason why it cannot tell.
pub type Evaluation = Result<Vec<RuleMatch>, Unmeasured>;

/// A function that looks for the fault of a rule.
pub type Check = fn(&RuleContext) -> Evaluation;

/// The check on the training of a TorchScript program, whose inside is not seen.
#[derive(Clone, Copy, Debug)]
pub enum OnPrograms {
    /// Nothing that the rule looks at is inside.
    Same,
    /// The rule asks for activations, or for gradients of them.
    NotMeasured,
    /// Another check, of quantities that are seen from outside.
    By(Check),
}

/// The reason why a rule could not be evaluated: a part that the record lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmeasured(pub &'static str);

/// A part of a record that a rule cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// At least one captured epoch.
    Epoch,
    /// The loss of the best constant prediction.
    BaselineLoss,
    /// Gradients of weights in some captured epoch.
    Gradients,
    /// Updates of weights in some captured epoch.
    Updates,
    /// At least one step.
    Steps,
    /// At least one step or captured epoch.
    StepsOrEpoch,
    /// A capture before the first step.
    Start,
}

pub const NO_EPOCH: Unmeasured = Unmeasured("no epoch has been captured yet");
pub const NO_BASELINE: Unmeasured = Unmeasured("the record does not say what guessing costs (chance_loss)");
pub const NO_GRADIENTS: Unmeasured = Unmeasured("the record holds no gradients of weights");
pub const NO_STEPS: Unmeasured = Unmeasured("the record holds no steps");
pub const NO_UPDATES: Unmeasured = Unmeasured("the record holds no updates of weights");
const NO_START: Unmeasured = Unmeasured("the layers were not captured before the first step");

impl Need {
    /// Checks that a record holds it.
    ///
    /// # Errors
    /// Where the record lacks it.
    pub fn check(self, q: &Quantities) -> Result<(), Unmeasured> {
        let (met, otherwise) = match self {
            Need::Epoch => (!q.captures.is_empty(), NO_EPOCH),
            Need::BaselineLoss => (q.baseline_loss.is_some(), NO_BASELINE),
            Need::Gradients => (q.has_gradients(), NO_GRADIENTS),
            Need::Updates => (q.has_updates(), NO_UPDATES),
            Need::Steps => (!q.points.is_empty(), NO_STEPS),
            Need::StepsOrEpoch => (!(q.points.is_empty() && q.captures.is_empty()), NO_STEPS),
            Need::Start => (q.start.is_some(), NO_START),
        };
        if met { Ok(()) } else { Err(otherwise) }
    }
}

/// The record and the limits that a rule is evaluated on.
pub struct RuleContext<'a> {
    pub q: &'a Quantities<'a>,
    pub(super) rule: &'static str,
    pub(super) limits: &'a Limits,
}

impl RuleContext<'_> {
    /// The value of a limit.
    pub fn get(&self, param: &Param) -> f64 {
        self.limits.get(self.rule, param)
    }

    /// The value of a number of things.
    pub fn count(&self, param: &Param) -> usize {
        self.get(param) as usize
    }

    /// Error where the run is failing, otherwise something milder.
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
