//! Clipping that holds the run.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::{Capture, HEALTHY_UPDATE, span};
use crate::diagnose::remedy::{Change, Plan};
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::diagnose::series;
use crate::diagnose::text::{percent, two_digits};
use crate::text::number;

const FACTOR: Param = Param::limit(
    "factor",
    0.01,
    "share of the gradient that clipping leaves: clipping is for the rare burst, not for a hundredth of every \
     step",
);

const CAPTURES: Param = Param::count("captures", 2, "captured epochs in a row (or all there are)");

const EXPLODED: Param = Param::limit(
    "exploded",
    100.0,
    "elasticity of the strongest layer from which it is the gradient that is too large, not the clip too \
     small",
)
.bracketed();

pub static RULE: Rule = Rule {
    name: "clip-dominated",
    family: "update",
    summary: "Clipping takes nearly all of the gradient away at every step",
    scope: Scope::Run,
    params: &[FACTOR, CAPTURES, EXPLODED],
    measures: "What clipping leaves of the gradient, median over the steps of an epoch (Pascanu and others, \
               2013, clip at half to ten times the usual norm). Of clipping by value, the most that it can \
               leave.",
    fires: "Error below {factor} without progress at {captures} captured epochs in a row, while the median \
            layer's steps are smaller than healthy ones (Adam and its kin divide a constant factor out \
            again); unless the strongest layer has an elasticity of {exploded} or more: then the gradient is \
            to blame.",
    false_alarms: "None known.",
    trials: "Clip at 1, or not at all 3 of 3; learning rate x 100 0 of 3.",
    needs: &[Need::Epoch, Need::BaselineLoss],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let run = &cx.q.record.header.run;
    if run.training.clip_norm.is_some_and(f64::is_nan) {
        return Err(Unmeasured("the record does not say whether gradients were clipped (clip_norm)"));
    }
    if run.training.clip_norm.is_none() && run.training.clip_value.is_none() {
        return Ok(Vec::new());
    }
    let limit = cx.get(&FACTOR);
    let factors: BTreeMap<u64, f64> =
        cx.q.captures.iter().filter_map(|c| Some((c.epoch, factor(cx, c)?))).collect();
    let captures = cx.trailing_run(cx.count(&CAPTURES), |c| {
        let clipped = factors.get(&c.epoch).is_some_and(|f| *f < limit);
        let exploded = c.strongest().is_some_and(|(_, e)| e >= cx.get(&EXPLODED));
        c.no_progress && clipped && is_held_back(c) && !exploded
    });
    let Some(captures) = captures else { return Ok(Vec::new()) };
    let (first_epoch, last_epoch) = span(captures);
    let value = captures.iter().filter_map(|c| factors.get(&c.epoch)).copied().fold(f64::INFINITY, f64::min);
    let flag = match (run.training.clip_norm, run.training.clip_value) {
        (Some(c), _) => format!("--clip-norm {}", number(c)),
        (None, value) => format!("--clip-value {}", number(value.unwrap_or(f64::NAN))),
    };
    let message = format!(
        "clipping ({flag}) leaves {} of the gradient at the median step since epoch {first_epoch} (limit {}), \
         and there is no progress",
        percent(value),
        percent(limit),
    );
    Ok(vec![RuleMatch {
        kind: Kind::ClipDominated,
        severity: Severity::Error,
        layers: Vec::new(),
        first_epoch,
        last_epoch,
        first_step: None,
        value,
        threshold: limit,
        quantity: "share of the gradient that clipping leaves, median of the epoch",
        message,
        evidence: BTreeMap::new(),
    }])
}

/// Whether steps are smaller than healthy ones: Adam and its kin divide a constant factor out again.
fn is_held_back(capture: &Capture) -> bool {
    capture.median_update().is_none_or(|u| u < HEALTHY_UPDATE[0])
}

/// The share of the median gradient of an epoch that clipping leaves.
fn factor(cx: &RuleContext, capture: &Capture) -> Option<f64> {
    let header = &cx.q.record.header;
    let of_epoch = cx.q.points.iter().filter(|p| p.epoch == capture.epoch);
    let norm = series::median(&mut of_epoch.map(|p| p.grad.last).collect()).or_else(|| {
        let epoch = cx.q.record.epochs.iter().find(|e| e.epoch == capture.epoch)?;
        Some(epoch.grad_l2)
    });
    let norm = norm.filter(|n| n.is_finite() && *n > 0.0)?;
    let parameters: u64 = header.layers.iter().map(|l| l.parameters).sum();
    let by_norm = header.run.training.clip_norm.map(|c| c / norm);
    // No value larger than this leaves a norm no larger than that.
    let by_value = header.run.training.clip_value.map(|v| v * (parameters as f64).sqrt() / norm);
    by_norm.into_iter().chain(by_value).reduce(f64::min).map(|f| f.min(1.0))
}

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    let why = "it then cuts only what sticks out";
    if let Some(norm) = plan.run.training.clip_norm {
        plan.add([Change::ClipNorm(two_digits(usual(norm)))], why);
    }
    if let Some(value) = plan.run.training.clip_value {
        plan.add([Change::ClipValue(two_digits(usual(value)))], why);
    }
}

/// The usual limit in place of one that takes nearly everything.
fn usual(clip: f64) -> f64 {
    if clip < 1.0 { 1.0 } else { clip * 1000.0 }
}

#[cfg(test)]
mod tests {
    use crate::diagnose::test_support::{Fake, Norms};

    /// A stuck run that clips; its gradient has a norm of 0.05·√5.
    fn clipped(norm: Option<f64>, value: Option<f64>) -> Fake {
        let mut fake = Fake::stuck(6);
        (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 0.0019 * 2.0 }));
        (fake.record.header.run.training.clip_norm, fake.record.header.run.training.clip_value) =
            (norm, value);
        fake
    }

    #[test]
    fn clipping_to_less_than_a_hundredth_dominates() {
        let norm = 0.05 * 5f64.sqrt();
        assert!(clipped(Some(0.0099 * norm), None).finding("clip-dominated").is_some());
        assert_eq!(clipped(Some(0.0101 * norm), None).finding("clip-dominated"), None);
        let mut learning = clipped(Some(1e-6), None);
        learning.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(learning.finding("clip-dominated"), None);
    }

    #[test]
    fn steps_of_a_healthy_size_are_not_held_back() {
        let mut fake = clipped(Some(1e-6), None);
        (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 0.0021 * 2.0 }));
        assert_eq!(fake.finding("clip-dominated"), None);
    }

    #[test]
    fn clipping_by_value_leaves_no_more_than_all_values_at_their_limit() {
        let parameters: u64 = Fake::stuck(1).record.header.layers.iter().map(|l| l.parameters).sum();
        let whole = 0.05 * 5f64.sqrt() / (parameters as f64).sqrt();
        assert!(clipped(None, Some(0.0099 * whole)).finding("clip-dominated").is_some());
        assert_eq!(clipped(None, Some(0.0101 * whole)).finding("clip-dominated"), None);
    }

    #[test]
    fn clipping_is_not_to_blame_for_an_exploded_gradient() {
        let mut fake = clipped(Some(1e-3), None);
        (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 100.0, u: 0.002 }));
        assert_eq!(fake.finding("clip-dominated"), None);
    }
}
