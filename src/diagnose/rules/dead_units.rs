//! ReLU units that no sample makes fire, in layers of which some do.

use std::collections::BTreeMap;

use super::shared::relu::relu_layers;
use super::shared::torchscript::{self, UnitTest};
use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::{Capture, span};
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, OnPrograms, Rule, RuleContext, Scope};
use crate::diagnose::text::percent;

const SHARE: Param = Param::limit(
    "share",
    0.5,
    "share of a layer's units; a healthy network often has a quarter dead, so half, and only with harm",
);

const UNITS: Param =
    Param::count("units", 8, "least units of a layer for a warning: half of three is an accident");

const CAPTURES: Param = Param::count(
    "captures",
    2,
    "captured epochs in a row for a warning: after one a run may just have begun",
);

const NOTE: Param = Param::limit("note", 0.1, "share of a layer's units that is worth a note");

pub static RULE: Rule = Rule {
    name: "dead-units",
    family: "dead-relu",
    summary: "Many units of a ReLU layer are silent on every sample",
    scope: Scope::Layer,
    params: &[SHARE, UNITS, CAPTURES, NOTE],
    measures: "The share of a layer's units whose pre-activation is above zero on no sample of the whole \
               training set, in evaluation mode; of a TorchScript program, indirectly, whose gradient is exactly 0 in \
               every batch of an epoch. Layers that are dead altogether are left to dead-layer.",
    fires: "Warning at {share} of a layer of at least {units} units, at {captures} captured epochs in a \
            row, with harm that has no other root. Info at {note}.",
    false_alarms: "None above info without harm. Earlier tools alarm at shares of silent units or zeros \
                   alone, harm or not (SageMaker Debugger, DeepDiagnosis), which flags healthy layers.",
    trials: "As dead-layer: bias 0 or BatchNorm; smaller steps where units died in training.",
    needs: &[],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::By(on_programs),
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let test = UnitTest {
        layers: relu_layers(cx)?,
        share: |c, i| c.firing(i).map(|f| f.dead_units() as f64 / f.rate.len() as f64),
        are: "are silent on every sample",
        like: "",
        aside: None,
        quantity: "share of a layer's units that never fired",
    };
    Ok(find(cx, &test))
}

fn on_programs(cx: &RuleContext) -> Evaluation {
    Ok(find(cx, &torchscript::dead_units(cx)?))
}

/// Layers of which some units are dead: many for some time, which is a warning where the run is failing, or
/// enough for a note.
fn find(cx: &RuleContext, test: &UnitTest) -> Vec<RuleMatch> {
    let (limit, note, captures) = (cx.get(&SHARE), cx.get(&NOTE), cx.count(&CAPTURES));
    let (mut warned, mut noted) = (Vec::new(), Vec::new());
    for &i in &test.layers {
        let large = cx.q.layer(i).is_some_and(|l| l.units >= cx.count(&UNITS) as u64);
        let warning = cx.trailing_run(captures, |c| share(test, c, i) >= limit);
        if let Some(run) = warning.filter(|run| run.len() >= captures && cx.q.failing && large) {
            warned.push((i, run));
        } else if let Some(run) = cx.trailing_run(1, |c| share(test, c, i) >= note) {
            noted.push((i, run));
        }
    }
    let warning = describe(cx, test, &warned, limit).map(|f| RuleMatch { severity: Severity::Warning, ..f });
    warning.into_iter().chain(describe(cx, test, &noted, note)).collect()
}

/// The share of a layer's units that are dead; NaN where it is not known, and of a layer of which all are dead or
/// none is, which is no matter of single units.
fn share(test: &UnitTest, capture: &Capture, layer: usize) -> f64 {
    (test.share)(capture, layer).filter(|s| *s > 0.0 && *s < 1.0).unwrap_or(f64::NAN)
}

/// A note on these layers, if there are any.
fn describe(
    cx: &RuleContext,
    test: &UnitTest,
    found: &[(usize, &[Capture])],
    threshold: f64,
) -> Option<RuleMatch> {
    let shares = found.iter().filter_map(|(i, run)| Some((*i, share(test, run.last()?, *i))));
    let (worst, value) = shares.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let layers: Vec<usize> = found.iter().map(|(i, _)| *i).collect();
    let first_epoch = found.iter().map(|(_, run)| span(run).0).min()?;
    let message = format!(
        "units of {} {} since epoch {first_epoch}{}: {} of them{} (limit {}){}",
        cx.names(&layers),
        test.are,
        test.like,
        percent(value),
        if layers.len() > 1 { format!(" in {}, the worst", cx.names(&[worst])) } else { String::new() },
        percent(threshold),
        test.aside.map_or(String::new(), |aside| format!(". {aside}")),
    );
    let mut evidence = BTreeMap::from([("worst_layer".to_owned(), cx.names(&[worst]).into())]);
    evidence.extend(test.aside.map(|_| ("indirect".to_owned(), true.into())));
    Some(RuleMatch {
        kind: Kind::DeadUnits,
        severity: Severity::Info,
        layers,
        first_epoch,
        last_epoch: found.iter().map(|(_, run)| span(run).1).max()?,
        first_step: None,
        value,
        threshold,
        quantity: test.quantity,
        message,
        evidence,
    })
}

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    plan.dead_by_weights();
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::{Fake, Norms};

    #[test]
    fn half_of_the_units_with_harm_are_a_warning_and_fewer_a_note() {
        fn units(dead: usize, from: u64, fake: Fake) -> Option<Severity> {
            let mut fake = fake;
            fake.silence(2, dead, from, 0.1, -0.2);
            fake.finding("dead-units").map(|f| f.severity)
        }
        assert_eq!(units(4, 0, Fake::stuck(6)), Some(Severity::Warning));
        assert_eq!(units(3, 0, Fake::stuck(6)), Some(Severity::Info));
        assert_eq!(units(4, 5, Fake::stuck(6)), Some(Severity::Info));
        assert_eq!(units(7, 0, Fake::healthy(6)), Some(Severity::Info));
        assert_eq!(units(0, 0, Fake::stuck(6)), None);
        assert_eq!(units(8, 0, Fake::stuck(6)), None);
    }

    #[test]
    fn after_one_epoch_or_beside_another_root_dead_units_are_a_note() {
        fn units(mut fake: Fake) -> Severity {
            fake.silence(2, 4, 0, 0.1, -0.2);
            fake.finding("dead-units").unwrap().severity
        }
        assert_eq!(units(Fake::stuck(1)), Severity::Info);
        assert_eq!(units(Fake::stuck(2)), Severity::Warning);
        let mut vanishing = Fake::stuck(6);
        vanishing.set_norms(0, |_| Norms { w: 2.0, g: 1e-6, u: 0.02 });
        assert_eq!(units(vanishing), Severity::Info);
    }
}
