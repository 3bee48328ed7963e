//! A run that creeps.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::cause::Kind;
use super::super::quantities::Capture;
use super::super::rule::{Case, Hit, NO_STEPS, NO_UPDATES, Rule, Unmeasured, span};
use super::super::series;
use super::super::settings::Param;
use super::super::text::{self, percent};
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

pub static SLOW: Rule = Rule {
    name: "slow",
    family: "update",
    summary: "The steps are so small that the weights have hardly gone anywhere",
    params: &[STEPS, MEDIAN, LARGEST, SCHEDULE],
    measures: "Update over weight, summed over all steps so far, of every matrix: the longest way that a \
               layer can have gone, in sizes of its weights.",
    fires: "Warning without progress after at least {steps} steps where the median over the layers is under \
            {median} and the largest under {largest}; or, with a loss no better than guessing, where that holds of the steps since a \
            schedule took the learning rate below {schedule} of what it was, if that is half of the captured \
            epochs or more.",
    false_alarms: "A run that is watched too early: it says that it needs larger steps or more of them.",
    remedies: "Learning rate x 1000 or Adam with 1e-3; learning rate x 10 is not enough.",
    evaluate,
};

fn evaluate(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    let q = case.q;
    case.captures()?;
    case.chance()?;
    if q.points.is_empty() {
        return Err(NO_STEPS);
    }
    if q.points.iter().all(|p| p.update.is_none()) {
        return Err(NO_UPDATES);
    }
    let run = case.held(1, |c| c.noprog);
    let whole = || Some(hit(case, &stretch(case, 0)?, run?));
    let end = || ended(case).and_then(|(from, run)| Some(hit(case, &stretch(case, from)?, run)));
    Ok(whole().or_else(end).into_iter().collect())
}

/// Steps in which the weights hardly went anywhere.
struct Stretch {
    from: u64,
    steps: u64,
    median: f64,
    largest: f64,
}

/// The steps from this one on, where they are enough and their ways too short.
fn stretch(case: &Case, from: u64) -> Option<Stretch> {
    let q = case.q;
    let steps: u64 = q.record.steps.iter().filter(|s| s.step >= from).map(|s| s.steps).sum();
    let ways: Vec<f64> = q.matrices.iter().map(|&i| way(case, i, from)).collect();
    let largest = ways.iter().copied().fold(0.0, f64::max);
    let median = series::median(&mut ways.clone())?;
    // Where nothing moved at all, the run has stalled.
    let short = largest > 0.0 && median < case.get(&MEDIAN) && largest < case.get(&LARGEST);
    let enough = steps >= case.count(&STEPS) as u64;
    (enough && short && ways.iter().all(|w| !w.is_nan())).then_some(Stretch { from, steps, median, largest })
}

/// The step since which a schedule has held the rate far below what it was, and its captured epochs, where
/// they are half of all or more.
fn ended<'c>(case: &'c Case) -> Option<(u64, &'c [Capture<'c>])> {
    let all = &case.q.captures;
    let low = case.get(&SCHEDULE) * case.q.record.header.run.lr;
    let run = case.held(all.len().div_ceil(2), |c| c.near && c.lr < low)?;
    let before = all[..all.len() - run.len()].last()?;
    Some((before.step + 1, run))
}

fn hit(case: &Case, stretch: &Stretch, run: &[Capture]) -> Hit {
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
        percent(case.get(&MEDIAN)),
        percent(largest),
        percent(case.get(&LARGEST)),
        if from == 0 { "there is no progress" } else { "the loss is no better than guessing" },
    );
    Hit {
        kind: Kind::Slow,
        severity: Severity::Warning,
        layers: Vec::new(),
        first_epoch,
        last_epoch,
        first_step: None,
        value: median,
        threshold: case.get(&MEDIAN),
        quantity: "update over weight, summed over all steps, median over layers",
        message,
        evidence: BTreeMap::from([
            ("largest".to_owned(), text::value(largest)),
            ("steps".to_owned(), literal(steps as f64).into()),
        ]),
    }
}

/// The sum of a layer's updates over its weights, from this step on; of several steps in one point, the middle between the
/// smallest and the largest for each.
fn way(case: &Case, index: usize, from: u64) -> f64 {
    let floor = case.q.layer(index).map_or(f64::MIN_POSITIVE, |l| l.least_weight_norm());
    let steps = case.q.record.steps.iter().filter(|s| s.step >= from);
    let points = steps.filter_map(|s| Some((s.steps, s.layer(index)?)));
    let ratio = |u: f64, w: f64| u / w.max(floor);
    points
        .map(|(steps, l)| {
            let (low, high) =
                (ratio(l.update_l2.min, l.weight_l2.max), ratio(l.update_l2.max, l.weight_l2.min));
            steps as f64 * f64::midpoint(low, high)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::super::test_support::{Fake, Norms};

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
        let one = |u: f64| {
            let mut fake = creeping(1e-5, 5);
            fake.set_norms(4, |_| Norms { w: 2.0, g: 0.05, u: 2.0 * u });
            fake.finding("slow").is_some()
        };
        assert!(one(1.9e-3) && !one(2.1e-3));
    }

    #[test]
    fn slow_steps_are_the_root_of_what_comes_of_them() {
        let d = creeping(1e-5, 8).diagnose();
        let roots: Vec<_> = d.roots().map(|f| f.rule.as_str()).collect();
        assert_eq!(roots, ["slow"]);
        assert_eq!(d.findings[0].remedies[0].flag, "--lr 10");
        assert!(d.findings.iter().any(|f| f.rule == "plateau"));
    }

    #[test]
    fn a_schedule_may_end_a_run_that_has_moved() {
        let ended = |at: usize, share: f64| {
            let mut fake = creeping(1e-5, 8);
            (0..5).for_each(|i| {
                fake.set_norms(i, |e| Norms {
                    w: 2.0,
                    g: 0.05,
                    u: if (e as usize) < at { 0.02 } else { 2e-5 },
                })
            });
            let lr = fake.record.header.run.lr;
            fake.record.epochs[at..].iter_mut().for_each(|e| e.lr = share * lr);
            fake.finding("slow").map(|f| f.first_epoch)
        };
        assert_eq!(ended(4, 0.9e-2), Some(4));
        assert_eq!((ended(4, 1.1e-2), ended(5, 0.9e-2)), (None, None));
    }

    #[test]
    fn a_schedule_that_has_ended_the_run_is_to_be_changed_first() {
        let remedy = |decay: &str, left: f64| {
            let mut fake = creeping(1e-5, 8);
            fake.record.header.run.lr_decay = Some(decay.into());
            fake.record.epochs[7].lr = left * fake.record.header.run.lr;
            fake.finding("slow").unwrap().remedies[0].flag.clone()
        };
        assert_eq!(remedy("exponential:0.5", 0.9e-2), "--lr-decay cosine --lr 10");
        assert_eq!(remedy("exponential:0.5", 1.1e-2), "--lr 10");
        assert_eq!(remedy("cosine", 0.0), "--lr 10");
    }
}
