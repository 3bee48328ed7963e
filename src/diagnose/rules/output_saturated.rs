//! An output whose sigmoid or tanh sits where its slope is all but zero.

use super::shared::saturation::{CAPTURES, SHARE, able_layers, describe, saturated_fraction};
use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::quantities::Capture;
use crate::diagnose::remedy::{Change, Plan};
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::record::Loss;

pub static RULE: Rule = Rule {
    name: "output-saturated",
    family: "saturation",
    summary: "The output's sigmoid or tanh sits in its flat ends, and nothing is being learned",
    scope: Scope::Output,
    params: &[SHARE, CAPTURES],
    measures: "The share of outputs whose slope is under 5% of the largest, over the captured batch.",
    fires: "Error above {share} without progress at {captures} captured epochs in a row. With binary \
            cross-entropy, whose own slope makes up for the sigmoid's, only where float32 no longer tells \
            the output from 0 or 1, at mean pre-activations of 17 and more.",
    false_alarms: "None known.",
    trials: "Smaller weights or bias at the output; a loss that takes logits; standardised targets and no \
             squashing for regression.",
    needs: &[Need::Epoch, Need::BaselineLoss],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::NotMeasured,
    remedies: Some(remedies),
};

/// From this pre-activation on 1 - sigmoid is 0 in float32, and with it the gradient of binary
/// cross-entropy.
const LOST_TO_FLOAT32: f64 = 17.0;

fn evaluate(cx: &RuleContext) -> Evaluation {
    let (limit, loss) = (cx.get(&SHARE), cx.q.record.header.run.loss);
    let layers = able_layers(cx, Scope::Output)?;
    if loss == Loss::Unknown && !layers.is_empty() {
        return Err(Unmeasured("the record does not say what is minimised (loss)"));
    }
    let mut found = Vec::new();
    for i in layers {
        let run = cx.trailing_run(cx.count(&CAPTURES), |c| {
            c.no_progress
                && saturated_fraction(c.layers, i).is_some_and(|f| f > limit)
                && (loss != Loss::Bce || is_lost_to_float32(c, i))
        });
        found.extend(run.map(|run| describe(cx, i, run, Kind::OutputSaturated, Severity::Error)));
    }
    Ok(found)
}

fn is_lost_to_float32(capture: &Capture, layer: usize) -> bool {
    let activations = capture.layers.get(layer).and_then(|l| l.activations.as_ref());
    activations.is_some_and(|a| a.pre.l1() / a.pre.finite().max(1) as f64 >= LOST_TO_FLOAT32)
}

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    if plan.has_odd_bias() {
        plan.add([Change::Bias(0.0)], "without the bias the output starts where its slope is steep");
    }
    plan.fit_init("smaller weights keep the output where its slope is steep");
    plan.lower_rate();
}

#[cfg(test)]
mod tests {
    use crate::diagnose::test_support::Fake;
    use crate::record::Loss;
    use crate::stats::Distribution;

    /// A stuck network whose output is saturated so far, at this pre-activation.
    fn output(share: f64, pre: f32, loss: Loss) -> Fake {
        let mut fake = Fake::stuck(6);
        fake.record.header.run.loss = loss;
        fake.each_capture(4, |_, l| {
            let a = l.activations.as_mut().unwrap();
            (a.saturated_fraction, a.pre) = (Some(share), Distribution::new(&[pre, pre]));
        });
        fake
    }

    #[test]
    fn a_saturated_output_counts_where_the_loss_does_not_make_up_for_it() {
        assert!(output(0.51, -8.0, Loss::Mse).finding("output-saturated").is_some());
        assert_eq!(output(0.5, -8.0, Loss::Mse).finding("output-saturated"), None);
        assert_eq!(output(0.9, -16.9, Loss::Bce).finding("output-saturated"), None);
        assert!(output(0.9, 17.1, Loss::Bce).finding("output-saturated").is_some());
        let mut learning = output(0.9, -8.0, Loss::Mse);
        learning.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(learning.finding("output-saturated"), None);
    }
}
