//! A run that creeps.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::{Capture, span};
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, NO_UPDATES, Need, OnPrograms, Rule, RuleContext, Scope};
use crate::diagnose::series;
use crate::diagnose::text::{self, percent};
use crate::text::{literal, number};

const STEPS: Param = Param::count("steps", 30, "steps before a sum of them means anything");

const MEDIAN: Param = Param::limit(
    "median",
    0.02,
    "way that the median layer has gone, in sizes of its weights; a healthy run goes as far in ten steps",
);

const LARGEST: Param = Param::limit("largest", 0.1, "way that the layer which went furthest has gone");

const SCHEDULE: Param =
    Param::limit("schedule", 1e-2, "share of the learning rate from which on a schedule has ended the run");

pub static RULE: Rule = Rule {
    name: "slow",
    family: "update",
    summary: "The steps are so small that the weights have hardly gone anywhere",
    scope: Scope::Run,
    params: &[STEPS, MEDIAN, LARGEST, SCHEDULE],
    measures: "Update over weight, summed over all steps so far, of every matrix: the longest way that a \
               layer can have gone, in sizes of its weights.",
    fires: "Warning without progress after at least {steps} steps where the median over the layers is under \
            {median} and the largest under {largest}; or, with a loss no better than guessing, where that holds of the steps since a \
            schedule took the learning rate below {schedule} of what it was, if that is half of the captured \
            epochs or more.",
    false_alarms: "A run that is watched too early: it says that it needs larger steps or more of them.",
    trials: "Learning rate x 1000 or Adam with 1e-3; learning rate x 10 is not enough.",
    needs: &[Need::Epoch, Need::BaselineLoss, Need::Steps],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    if cx.q.points.iter().all(|p| p.update.is_none()) {
        return Err(NO_UPDATES);
    }
    let found = whole_run(cx).or_else(|| ended(cx)).map(|(stretch, run)| describe(cx, &stretch, run));
    Ok(found.into_iter().collect())
}

/// All steps, where they are too short and there is no progress.
fn whole_run<'c>(cx: &'c RuleContext) -> Option<(Stretch, &'c [Capture<'c>])> {
    Some((stretch(cx, 0)?, cx.trailing_run(1, |c| c.no_progress)?))
}

/// Steps in which the weights hardly went anywhere.
struct Stretch {
    from: u64,
    steps: u64,
    median: f64,
    largest: f64,
}

/// The steps from this one on, where they are enough and their ways too short.
fn stretch(cx: &RuleContext, from: u64) -> Option<Stretch> {
    let q = cx.q;
    let steps: u64 = q.record.steps.iter().filter(|s| s.step >= from).map(|s| s.steps).sum();
    let ways: Vec<f64> = q.matrices.iter().map(|&i| way(cx, i, from)).collect();
    let largest = ways.iter().copied().fold(0.0, f64::max);
    let median = series::median(&mut ways.clone())?;
    // Where nothing moved at all, the run has stalled.
    let short = largest > 0.0 && median < cx.get(&MEDIAN) && largest < cx.get(&LARGEST);
    let enough = steps >= cx.count(&STEPS) as u64;
    (enough && short && ways.iter().all(|w| !w.is_nan())).then_some(Stretch { from, steps, median, largest })
}

/// The steps since which a schedule has held the rate far below what it was, where they are too short and their
/// captured epochs are half of all or more.
fn ended<'c>(cx: &'c RuleContext) -> Option<(Stretch, &'c [Capture<'c>])> {
    let all = &cx.q.captures;
    let low = cx.get(&SCHEDULE) * cx.q.record.header.run.training.lr;
    let run = cx.trailing_run(all.len().div_ceil(2), |c| c.at_baseline && c.lr < low)?;
    let before = all[..all.len() - run.len()].last()?;
    Some((stretch(cx, before.step + 1)?, run))
}

fn describe(cx: &RuleContext, stretch: &Stretch, run: &[Capture]) -> RuleMatch {
    let Stretch { from, steps, median, largest } = *stretch;
    let (first_epoch, last_epoch) = span(run);
    let steps_meant = match (from, run.last()) {
        (0, _) | (_, None) => format!("all {}", text::count(steps, "step")),
        (_, Some(last)) => format!(
            "the schedule has taken the learning rate to {}, and the last {}",
            number(last.lr),
            text::count(steps, "step")
        ),
    };
    let message = format!(
        "the run creeps: {steps_meant} together moved the median layer by at most {} of its size (limit {}), \
         the one that went furthest by {} (limit {}), and {}",
        percent(median),
        percent(cx.get(&MEDIAN)),
        percent(largest),
        percent(cx.get(&LARGEST)),
        if from == 0 { "there is no progress" } else { "the loss is no better than guessing" },
    );
    RuleMatch {
        kind: Kind::Slow,
        severity: Severity::Warning,
        layers: Vec::new(),
        first_epoch,
        last_epoch,
        first_step: None,
        value: median,
        threshold: cx.get(&MEDIAN),
        quantity: "update over weight, summed over all steps, median over layers",
        message,
        evidence: BTreeMap::from([
            ("largest".to_owned(), text::value(largest)),
            ("steps".to_owned(), literal(steps as f64).into()),
        ]),
    }
}

/// The sum of a layer's updates over its weights, from this step on; of several steps in one point, the middle
/// between the smallest and the largest for each.
fn way(cx: &RuleContext, index: usize, from: u64) -> f64 {
    let floor = cx.q.layer(index).map_or(f64::MIN_POSITIVE, |l| l.min_weight_norm());
    let steps = cx.q.record.steps.iter().filter(|s| s.step >= from);
    let points = steps.filter_map(|s| Some((s.steps, s.layer(index)?)));
    points
        .map(|(steps, l)| {
            let low = l.update_l2.min / l.weight_l2.max.max(floor);
            let high = l.update_l2.max / l.weight_l2.min.max(floor);
            steps as f64 * f64::midpoint(low, high)
        })
        .sum()
}

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    plan.too_small_steps();
}

#[cfg(test)]
mod tests {
    use crate::diagnose::remedy::Change;
    use crate::diagnose::test_support::{Fake, Norms};

    /// A run of so many epochs of ten steps, each of this size over the weights.
    fn creeping(u: f64, epochs: u64) -> Fake {
        let mut fake = Fake::stuck(epochs);
        (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 2.0 * u }));
        fake
    }

    #[test]
    fn a_way_below_the_limit_is_slow() {
        // Fifty steps.
        assert!(creeping(3.9e-4, 5).finding("slow").is_some());
        assert_eq!(creeping(4.1e-4, 5).finding("slow"), None);
        // Not yet thirty.
        assert_eq!(creeping(1e-5, 2).finding("slow"), None);
        let mut learning = creeping(1e-5, 5);
        learning.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(learning.finding("slow"), None);
    }

    #[test]
    fn one_layer_may_go_its_way_alone() {
        fn one(u: f64) -> bool {
            let mut fake = creeping(1e-5, 5);
            fake.set_norms(4, |_| Norms { w: 2.0, g: 0.05, u: 2.0 * u });
            fake.finding("slow").is_some()
        }
        assert!(one(1.9e-3) && !one(2.1e-3));
    }

    #[test]
    fn slow_steps_are_the_root_of_what_comes_of_them() {
        let d = creeping(1e-5, 8).diagnose();
        let roots: Vec<_> = d.roots().map(|f| f.rule.as_str()).collect();
        assert_eq!(roots, ["slow"]);
        assert_eq!(d.findings[0].remedies[0].changes, [Change::LearningRate(10.0)]);
        assert!(d.findings.iter().any(|f| f.rule == "plateau"));
    }

    #[test]
    fn a_schedule_may_end_a_run_that_has_moved() {
        fn ended(at: usize, share: f64) -> Option<u64> {
            let mut fake = creeping(1e-5, 8);
            (0..5).for_each(|i| {
                fake.set_norms(i, |e| Norms {
                    w: 2.0,
                    g: 0.05,
                    u: if (e as usize) < at { 0.02 } else { 2e-5 },
                })
            });
            let lr = fake.record.header.run.training.lr;
            fake.record.epochs[at..].iter_mut().for_each(|e| e.lr = share * lr);
            fake.finding("slow").map(|f| f.first_epoch)
        }
        assert_eq!(ended(4, 0.9e-2), Some(4));
        assert_eq!((ended(4, 1.1e-2), ended(5, 0.9e-2)), (None, None));
    }

    #[test]
    fn a_schedule_that_has_ended_the_run_is_to_be_changed_first() {
        let rate = Change::LearningRate(10.0);
        let cosine = [Change::LearningRateDecay("cosine".into()), rate.clone()];
        for (decay, left, changes) in [
            ("exponential:0.5", 0.9e-2, cosine.as_slice()),
            ("exponential:0.5", 1.1e-2, std::slice::from_ref(&rate)),
            ("cosine", 0.0, std::slice::from_ref(&rate)),
        ] {
            let mut fake = creeping(1e-5, 8);
            fake.record.header.run.lr_decay = Some(decay.into());
            fake.record.epochs[7].lr = left * fake.record.header.run.training.lr;
            assert_eq!(fake.finding("slow").unwrap().remedies[0].changes, changes, "{decay} {left}");
        }
    }
}
