//! Sigmoid and tanh layers that sit where their slope is all but zero.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::cause::Kind;
use super::super::quantities::Capture;
use super::super::rule::{Case, Hit, Rule, Unmeasured, span};
use super::super::settings::Param;
use super::super::text::{self, percent};
use crate::record::{Activation, LayerCapture, Loss};
use crate::text::number;

const NO_SATURATION: Unmeasured =
    Unmeasured("the record does not say how far sigmoid and tanh units are saturated");

const SHARE: Param = Param::limit(
    "share",
    0.5,
    "share of a layer's unit-samples whose slope is under 5% of the largest; half passes next to nothing on",
);
const CAPTURES: Param = Param::count("captures", 2, "captured epochs in a row (or all there are)");

const PASSES: Param = Param::limit(
    "passes",
    3e-3,
    "share of the strongest layer's elasticity that must still reach the first: the limit of vanishing-depth",
)
.guessed();

pub static SATURATED: Rule = Rule {
    name: "saturated",
    family: "saturation",
    summary: "A sigmoid or tanh layer sits in its flat ends, where next to no gradient passes",
    params: &[SHARE, CAPTURES, PASSES],
    measures: "The share of unit-samples of a hidden sigmoid or tanh layer whose slope is under 5% of the \
               largest slope, over the captured batch (the tails that Glorot and Bengio, 2010, show).",
    fires: "Above {share} at {captures} captured epochs in a row. Error with harm, warning where the first \
            layer receives less than {passes} of the strongest one's pull, else info. Born saturated if it \
            was so before the first step.",
    false_alarms: "A network may work with saturated units as switches; hence only a note while \
                   it learns, and none once there is nothing left to learn: a converged network is sure of \
                   itself.",
    remedies: "Bias 0, Xavier or standardised inputs, whichever is off; BatchNorm; ReLU with He, which has \
               no flat upper end.",
    evaluate: hidden,
};

fn can_saturate(activation: Activation) -> bool {
    matches!(activation, Activation::Sigmoid | Activation::Tanh)
}

fn fraction(layers: &[LayerCapture], index: usize) -> Option<f64> {
    layers.get(index)?.activations.as_ref()?.saturated_fraction.filter(|f| f.is_finite())
}

/// The layers that can saturate, of the kind asked for, if that was measured of any.
fn layers(case: &Case, output: bool) -> Result<Vec<usize>, Unmeasured> {
    let all = case.q.record.header.layers.iter().enumerate();
    let able: Vec<usize> =
        all.filter(|(_, l)| l.output == output && can_saturate(l.activation)).map(|(i, _)| i).collect();
    let measured = |i: &usize| case.q.captures.iter().any(|c| fraction(c.layers, *i).is_some());
    if able.is_empty() || able.iter().any(measured) { Ok(able) } else { Err(NO_SATURATION) }
}

fn hidden(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    case.captures()?;
    case.chance()?;
    let limit = case.get(&SHARE);
    let mut hits = Vec::new();
    for i in layers(case, false)? {
        let over = |c: &Capture| c.left && fraction(c.layers, i).is_some_and(|f| f > limit);
        let Some(run) = case.held(case.count(&CAPTURES), over) else { continue };
        let start = case.q.start.and_then(|s| fraction(s, i));
        let born = run.len() == case.q.captures.len() && start.is_some_and(|f| f > limit);
        hits.push(hit(case, i, run, limit, born));
    }
    Ok(hits)
}

fn hit(case: &Case, layer: usize, run: &[Capture], limit: f64, born: bool) -> Hit {
    let value = run.iter().filter_map(|c| fraction(c.layers, layer)).fold(0.0, f64::max);
    let (first_epoch, last_epoch) = span(run);
    let of = born.then_some(case.q.start).flatten().or(run.last().map(|c| c.layers));
    let now = of.and_then(|l| l.get(layer));
    let pre = now.and_then(|l| l.activations.as_ref()).map(|a| (a.pre.min(), a.pre.mean(), a.pre.max()));
    let bias = now.and_then(|l| l.bias.as_ref()).and_then(|b| b.mean());
    let name = case.names(&[layer]);
    let why = match (pre, bias) {
        (Some((Some(min), Some(mean), Some(max))), Some(bias)) if by_bias(mean, bias) => format!(
            ": its bias ({} on average) holds pre-activations between {} and {}",
            number(bias),
            number(min),
            number(max)
        ),
        (Some((Some(min), _, Some(max))), _) => {
            format!(": pre-activations lie between {} and {}", number(min), number(max))
        }
        _ => String::new(),
    };
    let message = format!(
        "{name} {}: {} of its unit-samples sit where the slope is under 5% of the largest (limit {}){why}. \
         Next to no gradient passes it.",
        if born {
            "was born saturated".to_owned()
        } else {
            format!("is saturated since epoch {first_epoch}")
        },
        percent(value),
        percent(limit),
    );
    // After a single epoch a run may just have begun.
    let held = run.len() >= case.count(&CAPTURES);
    let starves = held && run.last().and_then(|c| c.depth_ratio()).is_some_and(|p| p < case.get(&PASSES));
    let severity = case.with_harm(if starves { Severity::Warning } else { Severity::Info });
    let mut evidence: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    evidence.extend(bias.map(|b| ("bias_mean".to_owned(), text::value(b))));
    evidence.extend(
        pre.and_then(|(_, mean, _)| mean).map(|m| ("mean_pre_activation".to_owned(), text::value(m))),
    );
    Hit {
        kind: if born { Kind::BornSaturated } else { Kind::LaterSaturated },
        severity,
        layers: vec![layer],
        first_epoch,
        last_epoch,
        first_step: born.then_some(0),
        value,
        threshold: limit,
        quantity: "share of unit-samples with a slope under 5% of the largest",
        message,
        evidence,
    }
}

/// Whether the bias makes up most of the mean pre-activation.
fn by_bias(mean: f64, bias: f64) -> bool {
    bias.abs() > 1.0 && (mean - bias).abs() < 0.5 * bias.abs()
}

pub static OUTPUT_SATURATED: Rule = Rule {
    name: "output-saturated",
    family: "saturation",
    summary: "The output's sigmoid or tanh sits in its flat ends, and nothing is being learned",
    params: &[SHARE, CAPTURES],
    measures: "The share of outputs whose slope is under 5% of the largest, over the captured batch.",
    fires: "Error above {share} without progress at {captures} captured epochs in a row. With binary \
            cross-entropy, whose own slope makes up for the sigmoid's, only where float32 no longer tells \
            the output from 0 or 1, at mean pre-activations of 17 and more.",
    false_alarms: "None known.",
    remedies: "Smaller weights or bias at the output; a loss that takes logits; standardised targets and no \
               squashing for regression.",
    evaluate: output,
};

/// From this pre-activation on 1 - sigmoid is 0 in float32, and with it the gradient of binary
/// cross-entropy.
const LOST_TO_FLOAT32: f64 = 17.0;

fn output(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    case.captures()?;
    case.chance()?;
    let limit = case.get(&SHARE);
    let loss = case.q.record.header.run.loss;
    let bce = loss == Loss::Bce;
    let mut hits = Vec::new();
    let layers = layers(case, true)?;
    if loss == Loss::Unknown && !layers.is_empty() {
        return Err(Unmeasured("the record does not say what is minimised (loss)"));
    }
    for i in layers {
        let lost = |c: &Capture| {
            let activations = c.layers.get(i).and_then(|l| l.activations.as_ref());
            activations.is_some_and(|a| a.pre.l1() / a.pre.finite().max(1) as f64 >= LOST_TO_FLOAT32)
        };
        let over =
            |c: &Capture| c.noprog && fraction(c.layers, i).is_some_and(|f| f > limit) && (!bce || lost(c));
        let Some(run) = case.held(case.count(&CAPTURES), over) else { continue };
        let hit = hit(case, i, run, limit, false);
        hits.push(Hit { kind: Kind::OutputSaturated, severity: Severity::Error, ..hit });
    }
    Ok(hits)
}

#[cfg(test)]
mod tests {
    use super::super::super::Severity;
    use super::super::super::test_support::{Fake, Norms};
    use crate::record::{Activation, Loss};
    use crate::stats::Distribution;

    /// A stuck tanh network whose second layer is saturated so far from an epoch on.
    fn tanh(share: f64, from: u64) -> Fake {
        let mut fake = Fake::run(
            &[2, 8, 8, 8, 1],
            Activation::Tanh,
            6,
            10,
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
        let starving = |share: f64| {
            let mut fake = tanh(0.9, 0);
            fake.set_norms(0, |_| Norms { w: 2.0, g: 0.05 * share, u: 0.02 });
            fake.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
            fake
        };
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
