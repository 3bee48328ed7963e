//! Zeros that look like faults and are none.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::cause::Kind;
use super::super::quantities::Capture;
use super::super::rule::{Case, Hit, Rule, Unmeasured, span};
use super::super::settings::Param;
use super::super::text;
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

pub static EXPECTED_ZERO: Rule = Rule {
    name: "expected-zero",
    family: "note",
    summary: "A gradient that is zero or tiny for a good reason",
    params: &[BIAS, SMALL],
    measures: "The gradient of every bias in front of batch normalisation over that of its weights; which \
               layers are not to be trained; and, once there is nothing left to learn, the elasticity of the \
               first layer over the strongest.",
    fires: "Info: a bias with less than {bias} in front of batch normalisation; a layer frozen by intent; \
            gradients under {small} of a converged run.",
    false_alarms: "It is no alarm: it says why there is none.",
    remedies: "None are needed. A bias in front of batch normalisation may be left out.",
    evaluate,
};

fn evaluate(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    case.captures()?;
    Ok([biases(case), frozen(case), converged(case)].into_iter().flatten().collect())
}

fn note(
    layers: Vec<usize>,
    run: &[Capture],
    value: f64,
    limit: f64,
    quantity: &'static str,
    message: String,
) -> Hit {
    let (first_epoch, last_epoch) = span(run);
    Hit {
        kind: Kind::Note,
        severity: Severity::Info,
        layers,
        first_epoch,
        last_epoch,
        first_step: None,
        value,
        threshold: limit,
        quantity,
        message,
        evidence: BTreeMap::new(),
    }
}

fn biases(case: &Case) -> Option<Hit> {
    let layers = &case.q.record.header.layers;
    let before = |i: &usize| layers.get(i + 1).is_some_and(|l| l.kind == LayerKind::BatchNorm);
    let ratio = |c: &Capture, i: usize| {
        let layer = c.layers.get(i)?;
        let ratio = layer.bias_grad.as_ref()?.l2() / layer.weight_grad.as_ref()?.l2();
        Some(ratio).filter(|r| r.is_finite())
    };
    let limit = case.get(&BIAS);
    let last = case.q.captures.last()?;
    let tiny: Vec<(usize, f64)> = case
        .q
        .matrices
        .iter()
        .copied()
        .filter(before)
        .filter_map(|i| Some((i, ratio(last, i)?)))
        .filter(|(_, r)| *r < limit)
        .collect();
    let value = tiny.iter().map(|t| t.1).reduce(f64::max)?;
    let layers: Vec<usize> = tiny.into_iter().map(|t| t.0).collect();
    let message = format!(
        "the bias of {} receives next to no gradient ({} of what its weights do), as it should: batch \
         normalisation takes any shift away again",
        case.names(&layers),
        number(value),
    );
    Some(note(
        layers,
        std::slice::from_ref(last),
        value,
        limit,
        "gradient of the bias over that of the weights",
        message,
    ))
}

fn frozen(case: &Case) -> Option<Hit> {
    let layers = case.q.record.header.layers.iter().enumerate();
    let frozen: Vec<usize> =
        layers.filter(|(_, l)| l.kind.is_matrix() && !l.trainable).map(|(i, _)| i).collect();
    if frozen.is_empty() {
        return None;
    }
    let names = text::names(&case.q.record.header.layers, &frozen, &frozen);
    let rest = if frozen.len() == 1 {
        "is not to be trained, and stays as it is"
    } else {
        "are not to be trained, and stay as they are"
    };
    let message = format!("{names} {rest}");
    // Named, but not listed: a finding about a layer would point pictures and readers at it.
    Some(note(Vec::new(), &case.q.captures, 0.0, 0.0, "update over weight", message))
}

fn converged(case: &Case) -> Option<Hit> {
    case.q.chance?;
    let limit = case.get(&SMALL);
    let small = |c: &Capture| !c.left && c.depth_ratio().is_some_and(|p| p < limit);
    let run = case.held(1, small)?;
    let last = run.last()?;
    let value = last.depth_ratio()?;
    let (first, _) = last.pulled().next()?;
    let message = format!(
        "the gradient of {} is small ({} of the pull on the strongest layer) because there is next to nothing \
         left to learn: the loss is {}",
        case.names(&[first]),
        number(value),
        number(last.loss),
    );
    Some(note(
        vec![first],
        run,
        value,
        limit,
        "elasticity of the first layer over that of the strongest",
        message,
    ))
}

#[cfg(test)]
mod tests {
    use super::super::super::Severity;
    use super::super::super::test_support::{Fake, Norms};
    use crate::record::LayerKind;
    use crate::stats::Distribution;

    #[test]
    fn a_bias_before_batch_normalisation_has_no_gradient_by_right() {
        let with = |ratio: f32, kind: LayerKind| {
            let mut fake = Fake::healthy(6);
            fake.record.header.layers[1].kind = kind;
            fake.each_capture(0, |_, l| l.bias_grad = Some(Distribution::new(&[0.05 * ratio])));
            fake.finding("expected-zero")
        };
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
        let converged = |share: f64, loss: f64| {
            let mut fake = Fake::healthy(6);
            fake.set_norms(0, |_| Norms { w: 2.0, g: 0.05 * share, u: 0.02 });
            fake.set_loss(|_| loss);
            fake.finding("expected-zero").is_some()
        };
        assert!(converged(2.9e-3, 0.06) && !converged(3.1e-3, 0.06) && !converged(2.9e-3, 0.08));
    }
}
