//! Updates that are too large, or none.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::cause::Kind;
use super::super::quantities::{self, Capture, LEAST_PULL};
use super::super::rule::{Case, Hit, NO_STEPS, NO_UPDATES, Rule, Unmeasured};
use super::super::series::{self, Point};
use super::super::settings::Param;
use super::super::text::{self, percent};
use crate::record::{LayerCapture, Step};
use crate::text::number;

const LIMIT: Param = Param::limit(
    "limit",
    0.3,
    "update over weight of the median layer, several times what is healthy in the first epoch, with SGD and \
     Adam alike. Does not bear a factor of 2",
);
const COUNT: Param = Param::count("count", 3, "steps that reach it; does not bear a factor of 2");
const WINDOW: Param = Param::count("window", 20, "steps among which they are counted");
const BEFORE: Param = Param::count(
    "before-non-finite",
    10,
    "steps before a NaN or infinity, or before a layer's last gradient, in which one such update is enough",
);
const WORSE: Param = Param::limit(
    "worse",
    1.5,
    "times the loss before, over the next 10 steps: large steps that help are no fault",
);
const MUCH_WORSE: Param = Param::limit("much-worse", 2.0, "times the loss before, over any 5 later steps");
const LOSS_SHARE: Param = Param::limit(
    "loss-share",
    0.5,
    "share of the loss of guessing above which, without harm, it is still a warning",
);
const MILD: Param =
    Param::limit("mild", 0.1, "median over the steps of an epoch, more than twice what is healthy");
const MILD_CAPTURES: Param = Param::count("mild-captures", 2, "captured epochs in a row (or all there are)");

pub static UPDATE_HIGH: Rule = Rule {
    name: "update-high",
    family: "update",
    summary: "The optimizer's steps are too large for the weights that they change",
    params: &[LIMIT, COUNT, WINDOW, BEFORE, WORSE, MUCH_WORSE, LOSS_SHARE, MILD, MILD_CAPTURES],
    measures: "Every step, the norm of the update that was made over the norm of the weights (at least a \
               tenth of what unit rows would have), median over the layers.",
    fires: "At {limit} or more on {count} of {window} steps, or once in the {before-non-finite} steps \
            before a NaN or infinity or before a layer's gradient is zero for good, if the run is worse for it: the loss is {worse} times what it was \
            over the next 10 steps or {much-worse} times over any 5 later, there is no progress, or \
            something is not finite. Error with harm, warning if the loss is above {loss-share} of \
            guessing, else info. Milder: a median over the epoch above {mild} at {mild-captures} captured \
            epochs in a row; warning with harm, else info.",
    false_alarms: "Weights that start near zero grow quickly by right. Bursts that the run gets over are \
                   only noted. TheDeepChecker's range for log10 of the ratio, -4 to -1, alarms at these.",
    remedies: "SGD: learning rate / 100 4 of 4, Adam 1e-3 3 of 4, clipping with learning rate / 10 3 of 4; \
               learning rate / 10 1 of 4; clipping or warm-up alone 0 of 4. Adam: learning rate / 100 4 of \
               4, / 10 2 of 4; clipping, warm-up, BatchNorm 0. Best single prescription: the rate at which \
               this run's first update would have been 0.01, 25 of 31.",
    evaluate: high,
};

/// Steps whose losses say what the loss was before.
const LOSS_BEFORE: usize = 10;
/// Steps whose losses say what it is next.
const LOSS_NEXT: usize = 10;
/// Steps over which a later loss is taken.
const LOSS_LATER: usize = 5;

fn high(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    if case.q.points.is_empty() && case.q.captures.is_empty() {
        return Err(NO_STEPS);
    }
    if case.q.points.iter().all(|p| p.update.is_none()) && !case.q.has_updates() {
        return Err(NO_UPDATES);
    }
    Ok(burst(case).or_else(|| mild(case)).into_iter().collect())
}

fn burst(case: &Case) -> Option<Hit> {
    let (q, limit) = (case.q, case.get(&LIMIT));
    let points = &q.points;
    if points.iter().all(|p| p.updates_from(limit) == 0) {
        return None;
    }
    let stuck = q.captures.last().is_some_and(|c| c.noprog);
    let later = largest_later_loss(points);
    let silenced = silenced(case);
    let first = points.iter().enumerate().position(|(i, point)| {
        if point.updates_from(limit) == 0 {
            return false;
        }
        let end = point.step + case.count(&WINDOW) as u64;
        let often =
            points[i..].iter().take_while(|p| p.step < end).map(|p| p.updates_from(limit)).sum::<u64>()
                >= case.count(&COUNT) as u64;
        let reach = point.last_step() + case.count(&BEFORE) as u64;
        let breaks =
            q.broken.as_ref().and_then(|b| b.step).is_some_and(|s| (point.step..=reach).contains(&s));
        let kills = || stuck && silenced.iter().any(|s| *s > i && points[*s].step <= reach);
        breaks || kills() || often && (q.broken.is_some() || stuck || worse(case, i, &later))
    })?;
    let point = &points[first];
    let later_high = points[first..].iter().filter(|p| p.updates_from(limit) > 0);
    let last = later_high.clone().next_back().unwrap_or(point);
    let count: u64 = later_high.clone().map(|p| p.updates_from(limit)).sum();
    let value = later_high.filter_map(|p| p.update).map(|u| u.1).fold(0.0, f64::max);
    let loss = q.captures.last().map(|c| c.loss).or(points.last().map(|p| p.loss.last));
    let open = q.chance.is_some_and(|ch| !loss.is_some_and(|l| l <= case.get(&LOSS_SHARE) * ch));
    let severity = case.with_harm(if open { Severity::Warning } else { Severity::Info });
    let message = format!(
        "the optimizer's steps were too large: from step {} (epoch {}) on, {} moved the median layer by {} \
         of its size or more (at worst {}; healthy is {}). The loss was {} before and is {} at the end.",
        point.step,
        point.epoch,
        text::count(count, "step"),
        percent(limit),
        percent(value),
        healthy(),
        number(loss_before(points, first)),
        number(loss.unwrap_or(f64::NAN)),
    );
    Some(Hit {
        kind: Kind::UpdateHigh,
        severity,
        layers: Vec::new(),
        first_epoch: point.epoch,
        last_epoch: last.epoch,
        first_step: Some(point.step),
        value,
        threshold: limit,
        quantity: "update over weight, median over layers, of one step",
        message,
        evidence: BTreeMap::from([("steps_at_or_above".to_owned(), count.into())]),
    })
}

fn mild(case: &Case) -> Option<Hit> {
    let limit = case.get(&MILD);
    let above = |c: &Capture| c.median_update().is_some_and(|u| u > limit);
    let run = case.held(case.count(&MILD_CAPTURES), above)?;
    let value = run.iter().filter_map(Capture::median_update).fold(0.0, f64::max);
    let message = format!(
        "the optimizer's steps are large: the median step of an epoch moves the median layer by {} of its \
         size since epoch {} (limit {}; healthy is {})",
        percent(value),
        run.first()?.epoch,
        percent(limit),
        healthy(),
    );
    Some(Hit {
        kind: Kind::UpdateHigh,
        severity: if case.q.harm { Severity::Warning } else { Severity::Info },
        layers: Vec::new(),
        first_epoch: run.first()?.epoch,
        last_epoch: run.last()?.epoch,
        first_step: None,
        value,
        threshold: limit,
        quantity: "update over weight, median over layers and over the steps of an epoch",
        message,
        evidence: BTreeMap::new(),
    })
}

/// The healthy range in a sentence.
fn healthy() -> String {
    let [low, high] = quantities::HEALTHY_UPDATE.map(percent);
    format!("{low} to {high}")
}

fn loss_before(points: &[Point], at: usize) -> f64 {
    let from = (at + 1).saturating_sub(LOSS_BEFORE);
    let mut losses: Vec<f64> = points[from..=at].iter().map(|p| p.loss.last).collect();
    series::median(&mut losses).unwrap_or(f64::NAN)
}

fn worse(case: &Case, at: usize, later: &[f64]) -> bool {
    let (points, before) = (&case.q.points, loss_before(&case.q.points, at));
    let next = points.get(at + 1..at + 1 + LOSS_NEXT).unwrap_or_default();
    let next = series::median(&mut next.iter().map(|p| p.loss.last).collect::<Vec<_>>());
    next.is_some_and(|l| l > case.get(&WORSE) * before)
        || later.get(at + 1).is_some_and(|l| *l > case.get(&MUCH_WORSE) * before)
}

/// The points from which on a layer that had a gradient has none, to the end: a step that silences it
/// ends all steps, so that there are no three of them.
fn silenced(case: &Case) -> Vec<usize> {
    let steps = &case.q.record.steps;
    let silent = |step: &Step, i: usize| step.layer(i).is_some_and(|l| l.grad_l2.max == 0.0);
    let from = |i: &usize| steps.iter().rposition(|s| !silent(s, *i)).map(|last| last + 1);
    case.q.matrices.iter().filter_map(from).filter(|from| *from < steps.len()).collect()
}

/// For every point, the largest loss over a few steps from there to the end.
fn largest_later_loss(points: &[Point]) -> Vec<f64> {
    let mut later: Vec<f64> = series::rolling_loss(points, LOSS_LATER)
        .into_iter()
        .map(|l| l.unwrap_or(f64::NEG_INFINITY))
        .collect();
    for i in (1..later.len()).rev() {
        later[i - 1] = later[i - 1].max(later[i]);
    }
    later
}

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

fn stalled(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    let q = case.q;
    let captures = case.captures()?;
    if q.matrices.is_empty() {
        return Ok(Vec::new());
    }
    if !q.has_updates() {
        return Err(NO_UPDATES);
    }
    let top_lr = captures.iter().map(|c| c.lr).chain([q.record.header.run.lr]).fold(0.0, f64::max);
    let free = |c: &Capture| c.lr >= case.get(&SCHEDULE) * top_lr;
    if never_updated(case) && captures.last().is_some_and(free) {
        return Ok(vec![never_hit(case, captures)]);
    }
    let limit = case.get(&SMALL);
    let still = |c: &Capture| c.noprog && free(c) && c.largest_update().is_some_and(|u| u < limit);
    let Some(run) = case.held(case.count(&CAPTURES), still) else { return Ok(Vec::new()) };
    let value = run.iter().filter_map(Capture::largest_update).fold(0.0, f64::max);
    let epoch = |c: Option<&Capture>| c.map_or(0, |c| c.epoch);
    let message = format!(
        "the weights have all but stopped moving since epoch {}: no layer's step is more than {} of its \
         size (limit {}), and there is no progress",
        epoch(run.first()),
        number(value),
        number(limit),
    );
    Ok(vec![Hit {
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

fn never_updated(case: &Case) -> bool {
    let q = case.q;
    let largest = |c: &Capture, i: usize| c.layers.get(i).and_then(LayerCapture::update_norm).map(|u| u.max);
    let zero = |c: &Capture| q.matrices.iter().all(|&i| largest(c, i).is_none_or(|u| u == 0.0));
    let points_zero = q.points.iter().all(|p| p.update.is_none_or(|u| u.1 == 0.0));
    q.captures.iter().all(zero) && points_zero
}

fn never_hit(case: &Case, captures: &[Capture]) -> Hit {
    let no_gradient = case.q.all_gradients_zero();
    let faint = captures.iter().all(|c| c.strongest().is_none_or(|(_, e)| e < LEAST_PULL));
    let why = if no_gradient {
        "because every gradient of a weight was exactly 0"
    } else if faint {
        "because every gradient of a weight was too faint"
    } else {
        "although gradients arrived"
    };
    Hit {
        // With gradients it is the optimizer's fault; without, a consequence of what keeps them away.
        kind: if no_gradient || faint { Kind::Stalled } else { Kind::NeverUpdated },
        severity: Severity::Error,
        layers: case.q.matrices.clone(),
        first_epoch: captures.first().map_or(0, |c| c.epoch),
        last_epoch: captures.last().map_or(0, |c| c.epoch),
        first_step: Some(0),
        value: 0.0,
        threshold: case.get(&SMALL),
        quantity: "largest update over weight of any layer",
        message: format!(
            "no weight matrix has ever changed: every update of {} was exactly 0, {why}",
            case.names(&case.q.matrices)
        ),
        evidence: BTreeMap::from([("gradients_zero".to_owned(), no_gradient.into())]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Severity;
    use super::super::super::test_support::{Fake, Norms, set_step};
    use crate::record::NonFinite;

    /// A learning run with these steps (of weights of norm 2), after which the loss is so much.
    fn large(steps: &[u64], u: f64, loss: f64) -> Fake {
        let mut fake = Fake::healthy(6);
        (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 0.06 }));
        fake.set_loss(|e| if e == 0 { 0.693 } else { 0.4 });
        for &step in steps {
            set_step(&mut fake, step, |s| s.layers.iter_mut().for_each(|l| l.update_l2 = (2.0 * u).into()));
        }
        for s in fake.record.steps.iter_mut().filter(|s| s.step > steps[0]) {
            s.loss = loss.into();
        }
        fake
    }

    #[test]
    fn three_large_steps_of_twenty_count_if_the_loss_is_worse() {
        let f = large(&[20, 25, 39], 0.31, 0.61).finding("update-high").unwrap();
        assert_eq!((f.first_step, f.first_epoch, f.last_epoch), (Some(20), 2, 3));
        for nearly in [
            large(&[20, 25, 40], 0.31, 0.61),
            large(&[20, 25], 0.31, 0.61),
            large(&[20, 25, 39], 0.29, 0.61),
            large(&[20, 25, 39], 0.31, 0.59),
        ] {
            assert_eq!(nearly.finding("update-high"), None);
        }
    }

    #[test]
    fn severity_follows_the_harm() {
        let mut fake = large(&[20, 21, 22], 0.5, 0.7);
        assert_eq!(fake.finding("update-high").unwrap().severity, Severity::Warning);
        fake.record.epochs[5].train_loss = 0.3;
        assert_eq!(fake.finding("update-high").unwrap().severity, Severity::Info);
        fake.record.epochs[4..].iter_mut().for_each(|e| e.train_loss = 0.7);
        assert_eq!(fake.finding("update-high").unwrap().severity, Severity::Error);
    }

    #[test]
    fn one_large_step_before_a_nan_is_enough() {
        let broken = |at: u64| {
            let mut fake = large(&[20], 0.5, 0.4);
            set_step(&mut fake, at, |s| s.non_finite = Some(NonFinite { stage: "loss".into(), layer: None }));
            fake
        };
        assert_eq!(broken(31).finding("update-high"), None);
        let d = broken(30).diagnose();
        let roots: Vec<_> = d.roots().map(|f| f.rule.as_str()).collect();
        assert_eq!(roots, ["update-high"]);
    }

    #[test]
    fn one_large_step_that_silences_a_layer_is_enough() {
        let killed = |at: u64, until: u64| {
            let mut fake = large(&[20], 0.5, 0.7);
            fake.set_loss(|_| 0.7);
            for s in &mut fake.record.steps[at as usize..until as usize] {
                s.layers[1].grad_l2 = 0.0.into();
            }
            fake
        };
        let f = killed(30, 60).finding("update-high").unwrap();
        assert_eq!((f.first_step, f.severity), (Some(20), Severity::Error));
        assert_eq!(killed(31, 60).finding("update-high"), None);
        // It comes back; it was silent before; the run learns all the same.
        assert_eq!(killed(21, 59).finding("update-high"), None);
        assert_eq!(killed(20, 60).finding("update-high"), None);
        let mut learning = killed(21, 60);
        learning.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(learning.finding("update-high"), None);
    }

    #[test]
    fn a_median_update_somewhat_too_large_is_the_milder_form() {
        let mild = |u: f64, harm: bool| {
            let mut fake = if harm { Fake::stuck(6) } else { Fake::healthy(6) };
            (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 2.0 * u }));
            fake.finding("update-high").map(|f| f.severity)
        };
        assert_eq!(mild(0.11, true), Some(Severity::Warning));
        assert_eq!(mild(0.11, false), Some(Severity::Info));
        assert_eq!(mild(0.09, true), None);
    }

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
