//! Weights that no longer move, or never did.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::causes::Kind;
use super::super::quantities::{Capture, MIN_ELASTICITY};
use super::super::rule::{NO_UPDATES, Rule, RuleContext, RuleMatch, Unmeasured};
use super::super::settings::Param;
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

pub static STALLED: Rule = Rule {
    name: "stalled",
    family: "update",
    summary: "The weights no longer move, or never did",
    params: &[SMALL, CAPTURES, SCHEDULE],
    measures: "The norm of the update that was made over the norm of the weights, median of the epoch, of \
               the layer where it is largest.",
    fires: "Error where no weight matrix was ever updated, or below {limit} without progress at {captures} \
            captured epochs in a row; not while a schedule holds the learning rate under {schedule} of its \
            maximum.",
    false_alarms: "A learning rate too small where one layer still moves is missed.",
    remedies: "Learning rate x 1000 or Adam with 1e-3; learning rate x 10 is not enough. Where gradients \
               are zero, the remedy belongs to what makes them so.",
    evaluate: stalled,
};

fn stalled(cx: &RuleContext) -> Result<Vec<RuleMatch>, Unmeasured> {
    let q = cx.q;
    let captures = cx.captures()?;
    if q.matrices.is_empty() {
        return Ok(Vec::new());
    }
    if !q.has_updates() {
        return Err(NO_UPDATES);
    }
    let top_lr = captures.iter().map(|c| c.lr).chain([q.record.header.run.lr]).fold(0.0, f64::max);
    // A rate that is unknown is not known to be low.
    let free = |c: &Capture| c.lr.is_nan() || c.lr >= cx.get(&SCHEDULE) * top_lr;
    if never_updated(cx) && captures.last().is_some_and(free) {
        return Ok(vec![never_hit(cx, captures)]);
    }
    let limit = cx.get(&SMALL);
    let still = |c: &Capture| c.no_progress && free(c) && c.largest_update().is_some_and(|u| u < limit);
    let Some(run) = cx.trailing_run(cx.count(&CAPTURES), still) else { return Ok(Vec::new()) };
    let value = run.iter().filter_map(Capture::largest_update).fold(0.0, f64::max);
    let epoch = |c: Option<&Capture>| c.map_or(0, |c| c.epoch);
    let message = format!(
        "the weights have all but stopped moving since epoch {}: no layer's step is more than {} of its \
         size (limit {}), and there is no progress",
        epoch(run.first()),
        number(value),
        number(limit),
    );
    Ok(vec![RuleMatch {
        kind: Kind::Stalled,
        severity: Severity::Error,
        layers: q.matrices.clone(),
        first_epoch: epoch(run.first()),
        last_epoch: epoch(run.last()),
        first_step: None,
        value,
        threshold: limit,
        quantity: "largest update over weight of any layer, median of the epoch",
        message,
        evidence: BTreeMap::new(),
    }])
}

fn never_updated(cx: &RuleContext) -> bool {
    let q = cx.q;
    let largest = |c: &Capture, i: usize| c.layers.get(i).and_then(LayerCapture::update_norm).map(|u| u.max);
    let zero = |c: &Capture| q.matrices.iter().all(|&i| largest(c, i).is_none_or(|u| u == 0.0));
    let points_zero = q.points.iter().all(|p| p.update.is_none_or(|u| u.1 == 0.0));
    q.captures.iter().all(zero) && points_zero
}

fn never_hit(cx: &RuleContext, captures: &[Capture]) -> RuleMatch {
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
        first_epoch: captures.first().map_or(0, |c| c.epoch),
        last_epoch: captures.last().map_or(0, |c| c.epoch),
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

#[cfg(test)]
mod tests {
    use super::super::super::Severity;
    use super::super::super::test_support::{Fake, Norms, set_step};

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
        fake.record.header.run.lr = f64::NAN;
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
        let faint = |share: f64| {
            let mut fake = still(0.0);
            // The elasticity w * g / L at the limit of 1e-3.
            let g = share * 1e-3 * 0.693 / 2.0;
            (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g, u: 0.0 }));
            fake.finding("stalled").unwrap().message
        };
        assert!(faint(0.99).ends_with("too faint") && faint(1.01).ends_with("although gradients arrived"));
    }

    #[test]
    fn weights_that_never_moved_are_a_cause_where_gradients_arrived() {
        let d = still(0.0).diagnose();
        assert!(d.findings[0].root && d.findings[0].message.ends_with("although gradients arrived"));
        assert_eq!(d.findings[0].remedies[0].flag, "--lr 10");
        let mut once = still(0.0);
        once.record.header.run.lr = 0.0;
        once.record.epochs.iter_mut().for_each(|e| e.lr = 0.0);
        assert_eq!(once.finding("stalled").unwrap().remedies[0].flag, "--lr 0.01");
        let mut learning = still(0.0);
        learning.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert!(learning.finding("stalled").is_some());
        set_step(&mut learning, 7, |s| s.layers.iter_mut().for_each(|l| l.update_l2 = 1e-9.into()));
        assert_eq!(learning.finding("stalled"), None);
    }
}
