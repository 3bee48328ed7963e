//! Zeros that look like faults and are none.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::{Capture, span};
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope};
use crate::diagnose::text;
use crate::record::LayerKind;
use crate::text::number;

const BIAS: Param = Param::limit(
    "bias",
    1e-4,
    "gradient of a bias over that of its weights; before batch normalisation, which takes any shift away \
     again, only rounding is left, about 1e-8",
)
.guessed();

const SMALL: Param = Param::limit(
    "small",
    3e-3,
    "share of the strongest layer's elasticity that would be reported as vanishing were there anything left \
     to learn",
)
.guessed();

pub static RULE: Rule = Rule {
    name: "expected-zero",
    family: "note",
    summary: "A gradient that is zero or tiny for a good reason",
    scope: Scope::Layer,
    params: &[BIAS, SMALL],
    measures: "The gradient of every bias in front of batch normalisation over that of its weights; which \
               layers are not to be trained; and, once there is nothing left to learn, the elasticity of the \
               first layer over the strongest.",
    fires: "Info: a bias with less than {bias} in front of batch normalisation; a layer frozen by intent; \
            gradients under {small} of a converged run.",
    false_alarms: "It is no alarm: it says why there is none.",
    trials: "None are needed. A bias in front of batch normalisation may be left out.",
    needs: &[Need::Epoch],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: None,
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    Ok([biases(cx), frozen(cx), converged(cx)].into_iter().flatten().collect())
}

/// A note on these layers and captures, before it is put into words.
fn note(layers: Vec<usize>, run: &[Capture]) -> RuleMatch {
    let (first_epoch, last_epoch) = span(run);
    RuleMatch {
        kind: Kind::Independent,
        severity: Severity::Info,
        layers,
        first_epoch,
        last_epoch,
        first_step: None,
        value: 0.0,
        threshold: 0.0,
        quantity: "",
        message: String::new(),
        evidence: BTreeMap::new(),
    }
}

fn biases(cx: &RuleContext) -> Option<RuleMatch> {
    let limit = cx.get(&BIAS);
    let last = cx.q.captures.last()?;
    let (mut layers, mut value) = (Vec::new(), 0.0);
    for &i in &cx.q.matrices {
        let normalised = cx.q.layer(i + 1).is_some_and(|l| l.kind == LayerKind::BatchNorm);
        if let Some(ratio) = bias_ratio(last, i).filter(|r| normalised && *r < limit) {
            layers.push(i);
            value = f64::max(value, ratio);
        }
    }
    if layers.is_empty() {
        return None;
    }
    let message = format!(
        "the bias of {} receives next to no gradient ({} of what its weights do), as it should: batch \
         normalisation takes any shift away again",
        cx.names(&layers),
        number(value),
    );
    let quantity = "gradient of the bias over that of the weights";
    let note = note(layers, std::slice::from_ref(last));
    Some(RuleMatch { value, threshold: limit, quantity, message, ..note })
}

/// The gradient of a layer's bias over that of its weights.
fn bias_ratio(capture: &Capture, index: usize) -> Option<f64> {
    let layer = capture.layers.get(index)?;
    let ratio = layer.bias_grad.as_ref()?.l2() / layer.weight_grad.as_ref()?.l2();
    Some(ratio).filter(|r| r.is_finite())
}

fn frozen(cx: &RuleContext) -> Option<RuleMatch> {
    let layers = cx.q.record.header.layers.iter().enumerate();
    let frozen: Vec<usize> =
        layers.filter(|(_, l)| l.kind.is_matrix() && !l.trainable).map(|(i, _)| i).collect();
    if frozen.is_empty() {
        return None;
    }
    let names = text::names(&cx.q.record.header.layers, &frozen, &frozen);
    let rest = if frozen.len() == 1 {
        "is not to be trained, and stays as it is"
    } else {
        "are not to be trained, and stay as they are"
    };
    let message = format!("{names} {rest}");
    // Named, but not listed: a finding about a layer would point pictures and readers at it.
    Some(RuleMatch { quantity: "update over weight", message, ..note(Vec::new(), &cx.q.captures) })
}

fn converged(cx: &RuleContext) -> Option<RuleMatch> {
    cx.q.baseline_loss?;
    let limit = cx.get(&SMALL);
    let run = cx.trailing_run(1, |c| !c.unconverged && c.depth_ratio().is_some_and(|p| p < limit))?;
    let last = run.last()?;
    let value = last.depth_ratio()?;
    let (first, _) = last.reached().next()?;
    let message = format!(
        "the gradient of {} is small ({} of the pull on the strongest layer) because there is next to nothing \
         left to learn: the loss is {}",
        cx.names(&[first]),
        number(value),
        number(last.loss),
    );
    let quantity = "elasticity of the first layer over that of the strongest";
    Some(RuleMatch { value, threshold: limit, quantity, message, ..note(vec![first], run) })
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::{Finding, Severity};
    use crate::diagnose::test_support::{Fake, Norms};
    use crate::record::LayerKind;
    use crate::stats::Distribution;

    #[test]
    fn a_bias_before_batch_normalisation_has_no_gradient_by_right() {
        fn with(ratio: f32, kind: LayerKind) -> Option<Finding> {
            let mut fake = Fake::healthy(6);
            fake.record.header.layers[1].kind = kind;
            fake.each_capture(0, |_, l| l.bias_grad = Some(Distribution::new(&[0.05 * ratio])));
            fake.finding("expected-zero")
        }
        let f = with(0.9e-4, LayerKind::BatchNorm).unwrap();
        assert_eq!((f.layer.as_deref(), f.severity, f.root), (Some("fc1"), Severity::Info, false));
        assert_eq!(with(1.1e-4, LayerKind::BatchNorm), None);
        assert_eq!(with(1e-8, LayerKind::Linear), None);
    }

    #[test]
    fn a_layer_frozen_by_intent_is_noted() {
        let mut fake = Fake::healthy(6);
        fake.record.header.layers[1].trainable = false;
        let f = fake.finding("expected-zero").unwrap();
        assert_eq!(f.message, "fc2 is not to be trained, and stays as it is");
    }

    #[test]
    fn small_gradients_of_a_converged_run_are_noted() {
        fn converged(share: f64, loss: f64) -> bool {
            let mut fake = Fake::healthy(6);
            fake.set_norms(0, |_| Norms { w: 2.0, g: 0.05 * share, u: 0.02 });
            fake.set_loss(|_| loss);
            fake.finding("expected-zero").is_some()
        }
        assert!(converged(2.9e-3, 0.06) && !converged(3.1e-3, 0.06) && !converged(2.9e-3, 0.08));
    }
}
