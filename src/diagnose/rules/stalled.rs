//! Weights that no longer move, or never did.

use std::collections::BTreeMap;

use super::shared::weights::{match_in_files, nothing_changes, two_files};
use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::{Capture, MIN_ELASTICITY, span};
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope};
use crate::record::LayerCapture;
use crate::text::number;

const SMALL: Param = Param::limit(
    "limit",
    1e-6,
    "largest update over weight of any layer; float32 weights no longer change at 6e-8",
);

const CAPTURES: Param = Param::count("captures", 2, "captured epochs in a row (or all there are)");

const SCHEDULE: Param = Param::limit(
    "schedule",
    0.1,
    "share of the largest learning rate below which a schedule is holding it down by intent",
);

pub static RULE: Rule = Rule {
    name: "stalled",
    family: "update",
    summary: "The weights no longer move, or never did",
    scope: Scope::Layer,
    params: &[SMALL, CAPTURES, SCHEDULE],
    measures: "The norm of the update that was made over the norm of the weights, median of the epoch, of \
               the layer where it is largest.",
    fires: "Error where no weight matrix was ever updated, or below {limit} without progress at {captures} \
            captured epochs in a row; not while a schedule holds the learning rate under {schedule} of its \
            maximum.",
    false_alarms: "A learning rate too small where one layer still moves is missed.",
    trials: "Learning rate x 1000 or Adam with 1e-3; learning rate x 10 is not enough. Where gradients \
             are zero, the remedy belongs to what makes them so.",
    needs: &[Need::Epoch],
    evaluate,
    on_weights: Some(on_weights),
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let (q, captures) = (cx.q, &cx.q.captures);
    if q.matrices.is_empty() {
        return Ok(Vec::new());
    }
    Need::Updates.check(q)?;
    let top_rate = captures.iter().map(|c| c.lr).chain([q.record.header.run.training.lr]).fold(0.0, f64::max);
    let low_rate = cx.get(&SCHEDULE) * top_rate;
    if never_updated(cx) && captures.last().is_some_and(|c| is_free(c, low_rate)) {
        return Ok(vec![describe_never(cx)]);
    }
    let limit = cx.get(&SMALL);
    let run = cx.trailing_run(cx.count(&CAPTURES), |c| {
        c.no_progress && is_free(c, low_rate) && c.largest_update().is_some_and(|u| u < limit)
    });
    Ok(run.map(|run| describe(cx, run, limit)).into_iter().collect())
}

/// Whether no schedule holds the learning rate below this. A rate that is unknown is not known to be low.
fn is_free(capture: &Capture, low_rate: f64) -> bool {
    capture.lr.is_nan() || capture.lr >= low_rate
}

fn describe(cx: &RuleContext, run: &[Capture], limit: f64) -> RuleMatch {
    let value = run.iter().filter_map(Capture::largest_update).fold(0.0, f64::max);
    let (first_epoch, last_epoch) = span(run);
    let message = format!(
        "the weights have all but stopped moving since epoch {first_epoch}: no layer's step is more than {} of its \
         size (limit {}), and there is no progress",
        number(value),
        number(limit),
    );
    RuleMatch {
        kind: Kind::Stalled,
        severity: Severity::Error,
        layers: cx.q.matrices.clone(),
        first_epoch,
        last_epoch,
        first_step: None,
        value,
        threshold: limit,
        quantity: "largest update over weight of any layer, median of the epoch",
        message,
        evidence: BTreeMap::new(),
    }
}

fn never_updated(cx: &RuleContext) -> bool {
    let layers = cx.q.captures.iter().flat_map(|c| cx.q.matrices.iter().filter_map(|&i| c.layers.get(i)));
    let mut updates = layers.filter_map(LayerCapture::update_norm);
    updates.all(|u| u.max == 0.0) && cx.q.points.iter().all(|p| p.update.is_none_or(|u| u.1 == 0.0))
}

fn describe_never(cx: &RuleContext) -> RuleMatch {
    let captures = &cx.q.captures;
    let (first_epoch, last_epoch) = span(captures);
    let no_gradient = cx.q.all_gradients_zero();
    let faint = captures.iter().all(|c| c.strongest().is_none_or(|(_, e)| e < MIN_ELASTICITY));
    let why = if no_gradient {
        "because every gradient of a weight was exactly 0"
    } else if faint {
        "because every gradient of a weight was too faint"
    } else {
        "although gradients arrived"
    };
    RuleMatch {
        // With gradients it is the optimizer's fault; without, a consequence of what keeps them away.
        kind: if no_gradient || faint { Kind::Stalled } else { Kind::NeverUpdated },
        severity: Severity::Error,
        layers: cx.q.matrices.clone(),
        first_epoch,
        last_epoch,
        first_step: Some(0),
        value: 0.0,
        threshold: cx.get(&SMALL),
        quantity: "largest update over weight of any layer",
        message: format!(
            "no weight matrix has ever changed: every update of {} was exactly 0, {why}",
            cx.names(&cx.q.matrices)
        ),
        evidence: BTreeMap::from([("gradients_zero".to_owned(), no_gradient.into())]),
    }
}

/// Whether nothing changed at all from file to file.
fn on_weights(cx: &RuleContext) -> Evaluation {
    two_files(cx)?;
    let q = cx.q;
    if !nothing_changes(q) {
        return Ok(Vec::new());
    }
    let found = match_in_files(cx, Kind::NeverUpdated, Severity::Error, q.matrices.clone());
    let message = format!(
        "no weight differs between {} and {}: whatever happened between them, no step changed a weight. Look \
         whether the optimizer was given these parameters, and whether the files are of different moments.",
        q.record.file_of(found.first_epoch),
        q.record.file_of(found.last_epoch),
    );
    Ok(vec![RuleMatch {
        quantity: "change between files over weight, largest of all layers",
        message,
        ..found
    }])
}

fn remedies(plan: &mut Plan, found: &RuleMatch) {
    if found.kind == Kind::Stalled && plan.q.all_gradients_zero() {
        plan.initialise("weights of the right size let gradients through");
    } else {
        plan.too_small_steps();
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::remedy::Change;
    use crate::diagnose::test_support::{Fake, Norms, set_step};

    /// A stuck run whose updates over weights are this.
    fn still(u: f64) -> Fake {
        let mut fake = Fake::stuck(6);
        (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 2.0 * u }));
        fake
    }

    #[test]
    fn updates_below_the_limit_stall_a_run() {
        assert_eq!(still(0.9e-6).finding("stalled").unwrap().severity, Severity::Error);
        assert_eq!(still(1.1e-6).finding("stalled"), None);
        let mut learning = still(0.9e-6);
        learning.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(learning.finding("stalled"), None);
    }

    #[test]
    fn a_learning_rate_that_nobody_told_is_not_taken_for_a_schedule() {
        let mut fake = still(0.9e-6);
        fake.record.epochs.iter_mut().for_each(|e| e.lr = f64::NAN);
        fake.record.header.run.training.lr = f64::NAN;
        assert!(fake.finding("stalled").is_some());
    }

    #[test]
    fn a_schedule_may_hold_the_weights_still() {
        let mut fake = still(0.9e-6);
        fake.record.epochs.iter_mut().for_each(|e| e.lr = 0.0009);
        assert_eq!(fake.finding("stalled"), None);
        fake.record.epochs.iter_mut().for_each(|e| e.lr = 0.001);
        assert!(fake.finding("stalled").is_some());
    }

    #[test]
    fn where_gradients_are_too_faint_to_move_anything_the_optimizer_is_not_to_blame() {
        fn faint(share: f64) -> String {
            let mut fake = still(0.0);
            // The elasticity w * g / L at the limit of 1e-3.
            let g = share * 1e-3 * 0.693 / 2.0;
            (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g, u: 0.0 }));
            fake.finding("stalled").unwrap().message
        }
        assert!(faint(0.99).ends_with("too faint") && faint(1.01).ends_with("although gradients arrived"));
    }

    #[test]
    fn weights_that_never_moved_are_a_cause_where_gradients_arrived() {
        let d = still(0.0).diagnose();
        assert!(d.findings[0].root && d.findings[0].message.ends_with("although gradients arrived"));
        assert_eq!(d.findings[0].remedies[0].changes, [Change::LearningRate(10.0)]);
        let mut once = still(0.0);
        once.record.header.run.training.lr = 0.0;
        once.record.epochs.iter_mut().for_each(|e| e.lr = 0.0);
        assert_eq!(once.finding("stalled").unwrap().remedies[0].changes, [Change::LearningRate(0.01)]);
        let mut learning = still(0.0);
        learning.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert!(learning.finding("stalled").is_some());
        set_step(&mut learning, 7, |s| s.layers.iter_mut().for_each(|l| l.update_l2 = 1e-9.into()));
        assert_eq!(learning.finding("stalled"), None);
    }
}
