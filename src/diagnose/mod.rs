//! Record → findings: the rules (one file a family), root cause, remedies, and the texts of
//! `gradscope explain`.
//!
//! [`diagnose`] computes the quantities (`quantities`, `series`) once, hands them to every rule of the
//! registry (`rules`), tells cause from consequence (`cause`), and puts the result into words (`verdict`,
//! `remedy`). It is pure: the same record and settings give the same diagnosis.
//!
//! A new rule is one more value of [`Rule`] in the file of its family, one line in the registry, and
//! its place among the causes.

mod causes;
mod explain;
mod fail_on;
mod finding;
mod quantities;
mod remedy;
mod rule;
mod rules;
mod series;
mod settings;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
mod text;
mod verdict;

pub use explain::explain;
pub use fail_on::FailOn;
pub use finding::{Diagnosis, Finding, NotMeasured, Remedy, Severity, Verdict};
pub use rule::Rule;
pub use settings::{Near, Param, Settings, SettingsError, Source};

use std::cmp::Reverse;

use crate::record::Record;
use causes::{Kind, causes};
use quantities::Quantities;
use rule::{RuleContext, RuleMatch, Unmeasured};

/// Every rule there is, in the order of the catalogue.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    rules::RULES.iter().copied()
}

/// What is said of rules that are not to be evaluated.
const SWITCHED_OFF: Unmeasured = Unmeasured("switched off by --off");

/// Which layers are not learning, since when, why, and what to change.
///
/// Works on a record of any length: of a run in progress, killed, or without a captured epoch. What
/// cannot be evaluated is listed in [`Diagnosis::not_measured`].
pub fn diagnose(record: &Record, settings: &Settings) -> Diagnosis {
    let q = Quantities::new(record);
    let mut hits: Vec<(&'static Rule, RuleMatch)> = Vec::new();
    let mut not_measured = Vec::new();
    for rule in rules() {
        let cx = RuleContext { q: &q, rule: rule.name, settings };
        let told = if !settings.is_on(rule.name) {
            Err(SWITCHED_OFF)
        } else if record.header.has_weights_alone() {
            rules::weights::evaluate(rule.name, &cx)
        } else if record.header.is_program() && rules::torchscript::INSIDE.contains(&rule.name) {
            Err(rules::torchscript::NOT_SEEN)
        } else {
            (rule.evaluate)(&cx)
        };
        match told {
            Ok(found) => hits.extend(found.into_iter().map(|hit| (rule, hit))),
            Err(missing) => {
                not_measured.push(NotMeasured { rule: rule.name.into(), why: missing.0.into() });
            }
        }
    }
    let findings = findings(&hits, &q);
    let verdict = verdict::verdict(&findings);
    let headline = verdict::headline(verdict, &findings, &q);
    Diagnosis { verdict, headline, findings, not_measured }
}

/// Leaves of what is no fault by itself a note: of units that hardly do anything where nothing explains
/// them; and of dead units and a plateau where the harm, which alone makes them a warning, has another root.
fn settle(hits: &mut [RuleMatch], captured: &[u64]) {
    let explained_by = causes(hits, captured);
    let is_root = |i: usize| explained_by[i].is_none() && hits[i].severity > Severity::Info;
    let otherwise_harmed = (0..hits.len()).any(|i| is_root(i) && hits[i].kind < Kind::DeadUnits);
    for (hit, cause) in hits.iter_mut().zip(&explained_by) {
        let noted = match hit.kind {
            Kind::DormantUnits => true,
            Kind::DeadUnits | Kind::Plateau => otherwise_harmed,
            _ => false,
        };
        if noted && cause.is_none() {
            hit.severity = Severity::Info;
        }
    }
}

/// Puts hits in order and tells roots from consequences.
///
/// An info is never a root, even where nothing explains it: there is nothing to fix.
fn findings(hits: &[(&'static Rule, RuleMatch)], q: &Quantities) -> Vec<Finding> {
    let mut bare: Vec<RuleMatch> = hits.iter().map(|(_, hit)| hit.clone()).collect();
    let captured: Vec<u64> = q.captures.iter().map(|c| c.epoch).collect();
    settle(&mut bare, &captured);
    let explained_by = causes(&bare, &captured);
    let is_root = |i: usize| explained_by[i].is_none() && bare[i].severity > Severity::Info;
    let mut order: Vec<usize> = (0..bare.len()).collect();
    order.sort_by_key(|&i| (!is_root(i), Reverse(bare[i].severity), causes::order(&bare[i]), i));
    let place = |i: usize| order.iter().position(|j| *j == i);
    order
        .iter()
        .map(|&i| {
            let (rule, hit) = (hits[i].0, &bare[i]);
            let layers: Vec<String> = hit
                .layers
                .iter()
                .filter_map(|l| q.record.header.layers.get(*l))
                .map(|l| l.name.clone())
                .collect();
            Finding {
                rule: rule.name.into(),
                family: rule.family.into(),
                severity: hit.severity,
                layer: layers.first().cloned(),
                layers,
                first_epoch: hit.first_epoch,
                last_epoch: hit.last_epoch,
                first_step: hit.first_step,
                value: hit.value,
                threshold: hit.threshold,
                quantity: hit.quantity.into(),
                root: is_root(i),
                caused_by: explained_by[i].and_then(place),
                message: text::sentence(&hit.message, &q.record.header.layers),
                evidence: hit.evidence.clone(),
                // Flags of a training that nobody knows would help nobody.
                remedies: if is_root(i) && !q.record.header.has_weights_alone() {
                    remedy::remedies(hit, q)
                } else {
                    Vec::new()
                },
            }
        })
        .collect()
}
