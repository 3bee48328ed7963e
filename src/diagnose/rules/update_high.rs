//! Updates that are too large.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::{Capture, HEALTHY_UPDATE};
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, NO_UPDATES, Need, OnPrograms, Rule, RuleContext, Scope};
use crate::diagnose::series::{self, Point};
use crate::diagnose::text::{self, percent};
use crate::record::Step;
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

const WAY: Param = Param::limit(
    "way",
    1.0,
    "sizes of its weights that the median layer goes in so many steps (window), where a layer's gradient is then \
     zero for good: momentum adds up what no single step shows",
)
.guessed();

const AFTER: Param = Param::count(
    "after",
    200,
    "steps from there to the last gradient, at most: momentum carries on, twice its usual hundred steps",
)
.guessed();

pub static RULE: Rule = Rule {
    name: "update-high",
    family: "update",
    summary: "The optimizer's steps are too large for the weights that they change",
    scope: Scope::Run,
    params: &[LIMIT, COUNT, WINDOW, BEFORE, WORSE, MUCH_WORSE, LOSS_SHARE, WAY, AFTER, MILD, MILD_CAPTURES],
    measures: "Every step, the norm of the update that was made over the norm of the weights (at least a \
               tenth of what unit rows would have), median over the layers.",
    fires: "At {limit} or more on {count} of {window} steps, or once by {way} times their size, or once in \
            the {before-non-finite} steps before a NaN or infinity or before a layer's gradient is zero for \
            good, if the run is worse for it: the loss is {worse} times what it was over the next 10 steps \
            or {much-worse} times over any 5 later, there is no progress, or something is not finite. Error \
            with harm, warning if the loss is above {loss-share} of guessing, else info. As well where {window} \
            steps together went {way} times the weights' size without progress and, at most {after} steps on, \
            a layer gets no gradient or takes no step to the end. Milder: a median over the epoch above {mild} \
            at {mild-captures} captured epochs in a row; warning with harm, else info.",
    false_alarms: "Weights that start near zero grow quickly by right. Bursts that the run gets over are \
                   only noted. TheDeepChecker's range for log10 of the ratio, -4 to -1, alarms at these.",
    trials: "SGD: learning rate / 100 4 of 4, Adam 1e-3 3 of 4, clipping with learning rate / 10 3 of 4; \
             learning rate / 10 1 of 4; clipping or warm-up alone 0 of 4. Adam: learning rate / 100 4 of \
             4, / 10 2 of 4; clipping, warm-up, BatchNorm 0. Best single prescription: the rate at which \
             this run's first update would have been 0.01, 25 of 31.",
    needs: &[Need::StepsOrEpoch],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

/// Steps whose losses say what the loss was before.
const LOSS_BEFORE: usize = 10;

/// Steps whose losses say what it is next.
const LOSS_NEXT: usize = 10;

/// Steps over which a later loss is taken.
const LOSS_LATER: usize = 5;

fn evaluate(cx: &RuleContext) -> Evaluation {
    if cx.q.points.iter().all(|p| p.update.is_none()) && !cx.q.has_updates() {
        return Err(NO_UPDATES);
    }
    Ok(burst(cx).or_else(|| drift(cx)).or_else(|| mild(cx)).into_iter().collect())
}

/// The first step that is too large and that the run is worse for, and all that are too large from there.
fn burst(cx: &RuleContext) -> Option<RuleMatch> {
    let (points, limit) = (&cx.q.points, cx.get(&LIMIT));
    if points.iter().all(|p| p.updates_from(limit) == 0) {
        return None;
    }
    let later = largest_later_loss(points);
    let silenced = silenced(cx);
    let first =
        (0..points.len()).find(|&i| points[i].updates_from(limit) > 0 && harms(cx, i, &later, &silenced))?;
    let point = &points[first];
    let high: Vec<&Point> = points[first..].iter().filter(|p| p.updates_from(limit) > 0).collect();
    let last = high.last().copied().unwrap_or(point);
    let steps: u64 = high.iter().map(|p| p.updates_from(limit)).sum();
    let value = high.iter().filter_map(|p| p.update).map(|u| u.1).fold(0.0, f64::max);
    let loss = cx.q.captures.last().map(|c| c.loss).or(points.last().map(|p| p.loss.last));
    let open = cx.q.baseline_loss.is_some_and(|b| !loss.is_some_and(|l| l <= cx.get(&LOSS_SHARE) * b));
    let message = format!(
        "the optimizer's steps were too large: from step {} (epoch {}) on, {} moved the median layer by {} \
         of its size or more (at worst {}; healthy is {}). The loss was {} before and is {} at the end.",
        point.step,
        point.epoch,
        text::count(steps, "step"),
        percent(limit),
        percent(value),
        healthy(),
        number(loss_before(points, first)),
        number(loss.unwrap_or(f64::NAN)),
    );
    Some(RuleMatch {
        kind: Kind::UpdateHigh,
        severity: cx.error_if_failing(if open { Severity::Warning } else { Severity::Info }),
        layers: Vec::new(),
        first_epoch: point.epoch,
        last_epoch: last.epoch,
        first_step: Some(point.step),
        value,
        threshold: limit,
        quantity: "update over weight, median over layers, of one step",
        message,
        evidence: BTreeMap::from([("steps_at_or_above".to_owned(), steps.into())]),
    })
}

/// Whether the run is worse for the large update of this point: with it a number breaks, a layer falls silent, the
/// weights are replaced, or it is one of several.
fn harms(cx: &RuleContext, at: usize, later: &[f64], silenced: &[(usize, usize)]) -> bool {
    let (q, points, limit) = (cx.q, &cx.q.points, cx.get(&LIMIT));
    let point = &points[at];
    let stuck = q.captures.last().is_some_and(|c| c.no_progress);
    let reach = point.last_step() + cx.count(&BEFORE) as u64;
    if q.broken.as_ref().and_then(|b| b.step).is_some_and(|s| (point.step..=reach).contains(&s)) {
        return true;
    }
    if stuck && silenced.iter().any(|(s, _)| *s > at && points[*s].step <= reach) {
        return true;
    }
    // One step as large as the weights leaves nothing of what they were.
    let replaced = stuck && point.update.is_some_and(|u| u.1 >= cx.get(&WAY));
    let end = point.step + cx.count(&WINDOW) as u64;
    let within = points[at..].iter().take_while(|p| p.step < end);
    let often = within.map(|p| p.updates_from(limit)).sum::<u64>() >= cx.count(&COUNT) as u64;
    often && (q.broken.is_some() || stuck) || (often || replaced) && worse(cx, at, later)
}

fn mild(cx: &RuleContext) -> Option<RuleMatch> {
    let limit = cx.get(&MILD);
    let run = cx.trailing_run(cx.count(&MILD_CAPTURES), |c| c.median_update().is_some_and(|u| u > limit))?;
    let value = run.iter().filter_map(Capture::median_update).fold(0.0, f64::max);
    let message = format!(
        "the optimizer's steps are large: the median step of an epoch moves the median layer by {} of its \
         size since epoch {} (limit {}; healthy is {})",
        percent(value),
        run.first()?.epoch,
        percent(limit),
        healthy(),
    );
    Some(RuleMatch {
        kind: Kind::UpdateHigh,
        severity: if cx.q.failing { Severity::Warning } else { Severity::Info },
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
    let [low, high] = HEALTHY_UPDATE.map(percent);
    format!("{low} to {high}")
}

fn loss_before(points: &[Point], at: usize) -> f64 {
    let from = (at + 1).saturating_sub(LOSS_BEFORE);
    let mut losses: Vec<f64> = points[from..=at].iter().map(|p| p.loss.last).collect();
    series::median(&mut losses).unwrap_or(f64::NAN)
}

fn worse(cx: &RuleContext, at: usize, later: &[f64]) -> bool {
    let (points, before) = (&cx.q.points, loss_before(&cx.q.points, at));
    let next = points.get(at + 1..at + 1 + LOSS_NEXT).unwrap_or_default();
    let next = series::median(&mut next.iter().map(|p| p.loss.last).collect::<Vec<_>>());
    next.is_some_and(|l| l > cx.get(&WORSE) * before)
        || later.get(at + 1).is_some_and(|l| *l > cx.get(&MUCH_WORSE) * before)
}

/// The points from which on a layer that had a gradient has none, or takes no step, to the end; with the
/// layer. A step that silences it ends all steps, so that there are no three of them.
fn silenced(cx: &RuleContext) -> Vec<(usize, usize)> {
    let steps = &cx.q.record.steps;
    let mut silenced = Vec::new();
    for &i in &cx.q.matrices {
        let last = steps.iter().rposition(|s| !is_silent(s, i));
        silenced.extend(last.filter(|last| last + 1 < steps.len()).map(|last| (last + 1, i)));
    }
    silenced.sort_unstable();
    silenced
}

fn is_silent(step: &Step, layer: usize) -> bool {
    step.layer(layer).is_some_and(|l| l.grad_l2.max == 0.0 || l.update_l2.max == 0.0)
}

/// Steps none of which is large by itself, and which together have carried the network to where no gradient
/// reaches it.
fn drift(cx: &RuleContext) -> Option<RuleMatch> {
    let (points, limit) = (&cx.q.points, cx.get(&WAY));
    cx.q.captures.last().filter(|c| c.no_progress)?;
    let (end, layer) = silenced(cx).into_iter().next()?;
    let (window, after) = (cx.count(&WINDOW) as u64, cx.count(&AFTER) as u64);
    let (first, value) = (0..end)
        .filter(|i| points[*i].step + window + after >= points[end].step)
        .map(|i| (i, way(&points[i..end], window)))
        .find(|(_, way)| *way >= limit)?;
    let (point, last) = (&points[first], &points[end]);
    let message = format!(
        "the optimizer's steps were too large: the {window} steps from step {} (epoch {}) on moved the median \
         layer by {} of its size (limit {}; a healthy step is {}), and from step {} on no gradient moves {} any \
         more.",
        point.step,
        point.epoch,
        percent(value),
        percent(limit),
        healthy(),
        last.step,
        cx.names(&[layer]),
    );
    Some(RuleMatch {
        kind: Kind::UpdateHigh,
        severity: cx.error_if_failing(Severity::Warning),
        layers: Vec::new(),
        first_epoch: point.epoch,
        last_epoch: last.epoch,
        first_step: Some(point.step),
        value,
        threshold: limit,
        quantity: "update over weight, median over layers, summed over some steps",
        message,
        evidence: BTreeMap::from([("silent_from_step".to_owned(), last.step.into())]),
    })
}

/// The way that the median layer goes in so many steps from the first point on, in sizes of its weights.
fn way(points: &[Point], window: u64) -> f64 {
    let within = points.iter().take_while(|p| p.step < points[0].step + window);
    within.filter_map(|p| Some(p.steps as f64 * f64::midpoint(p.update?.0, p.update?.1))).sum()
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

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    plan.too_large_steps();
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::{Fake, Norms, set_step};
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
        fn broken(at: u64) -> Fake {
            let mut fake = large(&[20], 0.5, 0.4);
            set_step(&mut fake, at, |s| s.non_finite = Some(NonFinite { stage: "loss".into(), layer: None }));
            fake
        }
        assert_eq!(broken(31).finding("update-high"), None);
        let d = broken(30).diagnose();
        let roots: Vec<_> = d.roots().map(|f| f.rule.as_str()).collect();
        assert_eq!(roots, ["update-high"]);
    }

    #[test]
    fn one_large_step_that_silences_a_layer_is_enough() {
        fn killed(at: u64, until: u64) -> Fake {
            let mut fake = large(&[20], 0.31, 0.7);
            fake.set_loss(|_| 0.7);
            for s in &mut fake.record.steps[at as usize..until as usize] {
                s.layers[1].grad_l2 = 0.0.into();
            }
            fake
        }
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
        fn mild(u: f64, mut fake: Fake) -> Option<Severity> {
            (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 2.0 * u }));
            fake.finding("update-high").map(|f| f.severity)
        }
        assert_eq!(mild(0.11, Fake::stuck(6)), Some(Severity::Warning));
        assert_eq!(mild(0.11, Fake::healthy(6)), Some(Severity::Info));
        assert_eq!(mild(0.09, Fake::stuck(6)), None);
    }

    #[test]
    fn one_step_as_large_as_the_weights_is_enough_if_the_run_never_gets_over_it() {
        fn replaced(u: f64, loss: f64) -> Option<Severity> {
            let mut fake = large(&[20], u, loss);
            fake.record.epochs[2..].iter_mut().for_each(|e| e.train_loss = loss);
            fake.finding("update-high").map(|f| f.severity)
        }
        assert_eq!(replaced(1.01, 0.7), Some(Severity::Error));
        assert_eq!(replaced(0.99, 0.7), None);
        // Hardly worse than before, or better than guessing.
        assert_eq!(replaced(1.01, 0.59), None);
    }

    #[test]
    fn many_steps_that_add_up_and_silence_a_layer_are_too_large() {
        fn drifting(u: f64, silent_from: usize) -> Fake {
            let mut fake = Fake::stuck(24);
            (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 2.0 * u }));
            for s in &mut fake.record.steps[20..] {
                s.layers.iter_mut().for_each(|l| l.update_l2 = 0.001.into());
            }
            for s in &mut fake.record.steps[silent_from..] {
                s.layers[1].grad_l2 = 0.0.into();
            }
            fake
        }
        let f = drifting(0.051, 40).finding("update-high").unwrap();
        assert_eq!((f.first_step, f.severity), (Some(0), Severity::Error));
        assert!(f.message.contains("from step 40 on no gradient moves fc2"), "{}", f.message);
        assert_eq!(drifting(0.049, 40).finding("update-high"), None);
        assert!(drifting(0.051, 220).finding("update-high").is_some());
        assert_eq!(drifting(0.051, 221).finding("update-high"), None);
        let mut learning = drifting(0.051, 40);
        learning.set_loss(|e| 0.693 * 0.9f64.powi(e as i32));
        assert_eq!(learning.finding("update-high"), None);
    }
}
