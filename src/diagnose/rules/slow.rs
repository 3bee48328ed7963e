//! A run that creeps.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::cause::Kind;
use super::super::rule::{Case, Hit, NO_STEPS, NO_UPDATES, Rule, Unmeasured, span};
use super::super::series;
use super::super::settings::Param;
use super::super::text::{self, percent};
use crate::text::number;

const STEPS: Param = Param::count("steps", 30, "steps before a sum of them means anything");
const MEDIAN: Param = Param::limit(
    "median",
    0.02,
    "way that the median layer has gone, in sizes of its weights; a healthy run goes as far in ten steps",
);
const LARGEST: Param = Param::limit("largest", 0.1, "way that the layer which went furthest has gone");

pub static SLOW: Rule = Rule {
    name: "slow",
    family: "update",
    summary: "The steps are so small that the weights have hardly gone anywhere",
    params: &[STEPS, MEDIAN, LARGEST],
    measures: "Update over weight, summed over all steps so far, of every matrix: the longest way that a \
               layer can have gone, in sizes of its weights.",
    fires: "Warning without progress after at least {steps} steps where the median over the layers is under \
            {median} and the largest under {largest}.",
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
    let steps: u64 = q.points.iter().map(|p| p.steps).sum();
    let Some(run) = case.held(1, |c| c.noprog).filter(|_| steps >= case.count(&STEPS) as u64) else {
        return Ok(Vec::new());
    };
    let ways: Vec<f64> = q.matrices.iter().map(|&i| way(case, i)).collect();
    let largest = ways.iter().copied().fold(0.0, f64::max);
    let Some(median) = series::median(&mut ways.clone()) else { return Ok(Vec::new()) };
    // Where nothing moved at all, the run has stalled.
    if largest == 0.0 || ways.iter().any(|w| w.is_nan()) {
        return Ok(Vec::new());
    }
    if median >= case.get(&MEDIAN) || largest >= case.get(&LARGEST) {
        return Ok(Vec::new());
    }
    let (first_epoch, last_epoch) = span(run);
    let message = format!(
        "the run creeps: all {} together moved the median layer by at most {} of its size (limit {}), the one \
         that went furthest by {} (limit {}), and there is no progress",
        text::count(steps, "step"),
        percent(median),
        percent(case.get(&MEDIAN)),
        percent(largest),
        percent(case.get(&LARGEST)),
    );
    Ok(vec![Hit {
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
            ("steps".to_owned(), number(steps as f64).into()),
        ]),
    }])
}

/// The sum of a layer's updates over its weights; of several steps in one point, the middle between the
/// smallest and the largest for each.
fn way(case: &Case, index: usize) -> f64 {
    let floor = case.q.layer(index).map_or(f64::MIN_POSITIVE, |l| l.least_weight_norm());
    let points = case.q.record.steps.iter().filter_map(|s| Some((s.steps, s.layer(index)?)));
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
