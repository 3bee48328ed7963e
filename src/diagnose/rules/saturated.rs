//! Hidden sigmoid and tanh layers that sit where their slope is all but zero.

use super::shared::saturation::{CAPTURES, SHARE, able_layers, describe, saturated_fraction};
use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::remedy::{Change, Plan, relu_with_he};
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope};

const PASSES: Param = Param::limit(
    "passes",
    3e-3,
    "share of the strongest layer's elasticity that must still reach the first: the limit of vanishing-depth",
)
.guessed();

pub static RULE: Rule = Rule {
    name: "saturated",
    family: "saturation",
    summary: "A sigmoid or tanh layer sits in its flat ends, where next to no gradient passes",
    scope: Scope::Layer,
    params: &[SHARE, CAPTURES, PASSES],
    measures: "The share of unit-samples of a hidden sigmoid or tanh layer whose slope is under 5% of the \
               largest slope, over the captured batch (the tails that Glorot and Bengio, 2010, show).",
    fires: "Above {share} at {captures} captured epochs in a row. Error with harm, warning where the first \
            layer receives less than {passes} of the strongest one's pull, else info. Born saturated if it \
            was so before the first step.",
    false_alarms: "A network may work with saturated units as switches; hence only a note while \
                   it learns, and none once there is nothing left to learn: a converged network is sure of \
                   itself.",
    trials: "Bias 0, Xavier or standardised inputs, whichever is off; BatchNorm; ReLU with He, which has \
             no flat upper end.",
    needs: &[Need::Epoch, Need::BaselineLoss],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::NotMeasured,
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let (limit, captures) = (cx.get(&SHARE), cx.count(&CAPTURES));
    let mut found = Vec::new();
    for i in able_layers(cx, Scope::Layer)? {
        let run = cx.trailing_run(captures, |c| {
            c.unconverged && saturated_fraction(c.layers, i).is_some_and(|f| f > limit)
        });
        let Some(run) = run else { continue };
        let at_start = cx.q.start.and_then(|layers| saturated_fraction(layers, i));
        let born = run.len() == cx.q.captures.len() && at_start.is_some_and(|f| f > limit);
        let kind = if born { Kind::BornSaturated } else { Kind::LaterSaturated };
        // After a single epoch a run may just have begun.
        let starves = run.len() >= captures
            && run.last().and_then(|c| c.depth_ratio()).is_some_and(|p| p < cx.get(&PASSES));
        let severity = cx.error_if_failing(if starves { Severity::Warning } else { Severity::Info });
        found.push(describe(cx, i, run, kind, severity));
    }
    Ok(found)
}

fn remedies(plan: &mut Plan, found: &RuleMatch) {
    plan.standardise();
    if plan.has_odd_bias() {
        let why = "without the bias pre-activations lie around zero, where slopes are steep";
        plan.add([Change::Bias(0.0)], why);
    }
    if found.kind == Kind::LaterSaturated {
        plan.lower_rate();
    }
    if !plan.has_odd_bias() {
        plan.fit_init("smaller weights keep pre-activations where slopes are steep");
    }
    plan.normalise("it moves pre-activations around zero, where slopes are steep");
    plan.add(relu_with_he(), "a ReLU has no flat upper end");
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::{Fake, Norms};
    use crate::record::Activation;

    /// A stuck tanh network whose second layer is saturated so far from an epoch on.
    fn tanh(share: f64, from: u64) -> Fake {
        let mut fake = Fake::run(
            &[2, 8, 8, 8, 1],
            Activation::Tanh,
            [6, 10],
            |_| 0.693,
            |_, _| Norms { w: 2.0, g: 0.05, u: 0.02 },
        );
        fake.each_capture(1, |epoch, l| {
            let a = l.activations.as_mut().unwrap();
            a.saturated_fraction = Some(if epoch >= from { share } else { 0.1 });
        });
        fake
    }

    #[test]
    fn more_than_half_of_a_layer_in_its_ends_is_saturated() {
        let f = tanh(0.51, 3).finding("saturated").unwrap();
        assert_eq!((f.layer.as_deref(), f.severity, f.first_epoch), (Some("fc2"), Severity::Error, 3));
        assert_eq!(tanh(0.5, 0).finding("saturated"), None);
        assert_eq!(tanh(0.9, 5).finding("saturated"), None);
    }

    #[test]
    fn born_saturated_is_told_from_saturated_later() {
        assert_eq!(tanh(0.9, 0).finding("saturated").unwrap().first_step, Some(0));
        assert_eq!(tanh(0.9, 1).finding("saturated").unwrap().first_step, None);
    }

    #[test]
    fn without_harm_it_is_a_note_and_nothing_after_convergence() {
        let mut fake = tanh(0.9, 0);
        fake.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(fake.finding("saturated").unwrap().severity, Severity::Info);
        fake.set_loss(|_| 0.05);
        assert_eq!(fake.finding("saturated"), None);
    }

    #[test]
    fn layers_that_starve_the_first_are_a_warning_and_explain_it() {
        fn starving(share: f64) -> Fake {
            let mut fake = tanh(0.9, 0);
            fake.set_norms(0, |_| Norms { w: 2.0, g: 0.05 * share, u: 0.02 });
            fake.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
            fake
        }
        assert_eq!(starving(3.1e-3).finding("saturated").unwrap().severity, Severity::Info);
        // A run that has just begun.
        let mut one = starving(2.9e-3);
        one.set_loss(|_| 0.6);
        one.record.steps[0].loss = 0.693.into();
        one.record.epochs.truncate(1);
        assert_eq!(one.finding("saturated").unwrap().severity, Severity::Info);
        let d = starving(2.9e-3).diagnose();
        assert_eq!(d.roots().map(|f| f.rule.as_str()).collect::<Vec<_>>(), ["saturated"]);
        assert!(d.findings.iter().any(|f| f.rule == "vanishing-depth"));
    }

    #[test]
    fn what_was_not_measured_is_not_passed() {
        let mut fake = tanh(0.9, 0);
        for i in 0..3 {
            fake.each_capture(i, |_, l| l.activations.as_mut().unwrap().saturated_fraction = None);
        }
        assert!(fake.diagnose().not_measured.iter().any(|n| n.rule == "saturated"));
    }
}
