//! From a record to a diagnosis: every rule in turn, then cause and consequence, remedies and words.

use std::cmp::Reverse;

use super::causes::{self, causes, settle};
use super::fault::RuleMatch;
use super::finding::{Diagnosis, Finding, NotMeasured, Severity};
use super::quantities::Quantities;
use super::remedy::{Plan, Remedy};
use super::rule::{Evaluation, NO_EPOCH, OnPrograms, Rule, RuleContext, Unmeasured};
use super::rules::rules;
use super::settings::Settings;
use super::{text, verdict};
use crate::record::Record;

const SWITCHED_OFF: Unmeasured = Unmeasured("switched off by --off");
const NOT_IN_WEIGHTS: Unmeasured = Unmeasured(
    "a checkpoint holds weights alone: record the training for it (gradscope run, or the PyTorch recorder)",
);
const NOT_SEEN: Unmeasured = Unmeasured(
    "inside of a TorchScript program it cannot be seen what layers put out, nor what comes back to them",
);

/// Which layers are not learning, since when, why, and what to change.
///
/// Works on a record of any length: of a run in progress, killed, or without a captured epoch. What
/// cannot be evaluated is listed in [`Diagnosis::not_measured`].
pub fn diagnose(record: &Record, settings: &Settings) -> Diagnosis {
    let q = Quantities::new(record);
    let mut matches: Vec<(&'static Rule, RuleMatch)> = Vec::new();
    let mut not_measured = Vec::new();
    for rule in rules() {
        match evaluate(rule, &q, settings) {
            Ok(found) => matches.extend(found.into_iter().map(|found| (rule, found))),
            Err(missing) => {
                not_measured.push(NotMeasured { rule: rule.name.into(), why: missing.0.into() });
            }
        }
    }
    let findings = findings(matches, &q);
    let verdict = verdict::verdict(&findings);
    let headline = verdict::headline(verdict, &findings, &q);
    Diagnosis { verdict, headline, findings, not_measured }
}

/// Evaluates a rule in the way that suits the record: of a training, of a program's, of weights alone.
fn evaluate(rule: &'static Rule, q: &Quantities, settings: &Settings) -> Evaluation {
    let cx = RuleContext { q, rule: rule.name, limits: &settings.limits };
    if !settings.is_on(rule.name) {
        return Err(SWITCHED_OFF);
    }
    if q.record.header.has_weights_alone() {
        return match rule.on_weights {
            _ if q.captures.is_empty() => Err(NO_EPOCH),
            Some(check) => check(&cx),
            None => Err(NOT_IN_WEIGHTS),
        };
    }
    if q.record.header.is_program() {
        match rule.on_programs {
            OnPrograms::Same => {}
            OnPrograms::NotMeasured => return Err(NOT_SEEN),
            OnPrograms::By(check) => return check(&cx),
        }
    }
    rule.needs.iter().try_for_each(|need| need.check(q))?;
    (rule.evaluate)(&cx)
}

/// Puts matches in order and tells roots from consequences.
///
/// An info is never a root, even where nothing explains it: there is nothing to fix.
fn findings(matches: Vec<(&'static Rule, RuleMatch)>, q: &Quantities) -> Vec<Finding> {
    let (rules, mut matches): (Vec<_>, Vec<_>) = matches.into_iter().unzip();
    let captured: Vec<u64> = q.captures.iter().map(|c| c.epoch).collect();
    settle(&mut matches, &captured);
    let explained_by = causes(&matches, &captured);
    let is_root: Vec<bool> = matches
        .iter()
        .zip(&explained_by)
        .map(|(found, cause)| cause.is_none() && found.severity > Severity::Info)
        .collect();
    let mut order: Vec<usize> = (0..matches.len()).collect();
    order.sort_by_key(|&i| (!is_root[i], Reverse(matches[i].severity), causes::order(&matches[i]), i));
    order
        .iter()
        .map(|&i| {
            let finding = finding(rules[i], &matches[i], q);
            let caused_by = explained_by[i].and_then(|cause| order.iter().position(|j| *j == cause));
            let remedies = if is_root[i] { remedies(rules[i], &matches[i], q) } else { Vec::new() };
            Finding { root: is_root[i], caused_by, remedies, ..finding }
        })
        .collect()
}

/// A match in words and names, before its place among the others is known.
fn finding(rule: &Rule, found: &RuleMatch, q: &Quantities) -> Finding {
    let all = &q.record.header.layers;
    let layers: Vec<String> =
        found.layers.iter().filter_map(|l| all.get(*l)).map(|l| l.name.clone()).collect();
    Finding {
        rule: rule.name.into(),
        family: rule.family.into(),
        severity: found.severity,
        layer: layers.first().cloned(),
        layers,
        first_epoch: found.first_epoch,
        last_epoch: found.last_epoch,
        first_step: found.first_step,
        value: found.value,
        threshold: found.threshold,
        quantity: found.quantity.into(),
        root: false,
        caused_by: None,
        message: text::sentence(&found.message, all),
        evidence: found.evidence.clone(),
        remedies: Vec::new(),
    }
}

/// The changes that help against a root, best first.
fn remedies(rule: &Rule, found: &RuleMatch, q: &Quantities) -> Vec<Remedy> {
    // Flags of a training that nobody knows would help nobody.
    if q.record.header.has_weights_alone() {
        return Vec::new();
    }
    let mut plan = Plan::new(q);
    plan.release_brakes();
    if let Some(add_remedies) = rule.remedies {
        add_remedies(&mut plan, found);
    }
    plan.finish()
}
