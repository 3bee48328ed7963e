//! Gradients that grow from layer to layer, before the first step.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::diagnose::series;
use crate::diagnose::text;
use crate::record::LayerCapture;
use crate::text::number;

const RATIO: Param = Param::limit(
    "ratio",
    10.0,
    "growth from the last hidden layer to the first that matters at all; a short network may have a large \
     gain a layer and come to no harm",
);

const GAIN: Param = Param::limit("gain", 1.5, "growth a layer");

const GAIN_NORMALIZED: Param = Param::limit(
    "gain-normalized",
    2.0,
    "with normalisation, whose own gain at the start is 1.2 a layer and no fault",
)
.guessed();

const TOTAL: Param = Param::limit(
    "total",
    1e4,
    "growth over all layers together: what a normalisation's own 1.2 a layer comes to in a network of fifty",
)
.guessed();

pub static RULE: Rule = Rule {
    name: "exploding-depth",
    family: "exploding",
    summary: "Before the first step, the gradient grows from layer to layer on its way back",
    scope: Scope::Layer,
    params: &[RATIO, GAIN, GAIN_NORMALIZED, TOTAL],
    measures: "The norm of the gradient of the first hidden layer's output over that of the last hidden \
               layer's, before the first step, and its root by the number of layers between: the growth a \
               layer. Where the record holds no gradients of outputs, they are estimated as the gradient of \
               the weights over the RMS of the layer's input (r = 0.95 with the measured growth over 1,286 \
               runs).",
    fires: "At a ratio of {ratio} or more and a growth of {gain} a layer ({gain-normalized} with \
            normalisation), or at a ratio of {total} whatever a layer's share. Error with harm, else info.",
    false_alarms: "Without harm it is only noted: Adam often rescues weights drawn from N(0, 1).",
    trials: "Huge initial weights: He 3 of 3, Xavier, BatchNorm, LayerNorm 2 of 3; clipping or learning \
             rate / 100 1 of 3.",
    needs: &[Need::Start],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::NotMeasured,
    remedies: Some(remedies),
};

/// The gradient that reaches the hidden layers on the way back: that of their outputs, or an estimate.
struct Backward {
    first: usize,
    last: usize,
    ratio: f64,
    gain: f64,
    estimated: bool,
}

fn evaluate(cx: &RuleContext) -> Evaluation {
    let start = cx.q.start.unwrap_or_default();
    let hidden: Vec<usize> = cx.q.trunk().collect();
    if hidden.len() < 2 {
        return Ok(Vec::new());
    }
    let measured = backward(&hidden, |i| start.get(i).and_then(|l| l.output_gradient_l2), false);
    let backward = match measured {
        Some(measured) => Some(measured),
        None if hidden.iter().all(|&i| start.get(i).is_some_and(|l| l.weight_grad.is_some())) => {
            backward(&hidden, |i| estimate(cx, start, i), true)
        }
        None => return Err(Unmeasured("the record holds no gradients before the first step")),
    };
    let normalized = cx.q.record.header.layers.iter().any(|l| l.normalized);
    let limit = cx.get(if normalized { &GAIN_NORMALIZED } else { &GAIN });
    let total = cx.get(&TOTAL);
    let grows = backward.filter(|b| b.ratio >= total || (b.ratio >= cx.get(&RATIO) && b.gain >= limit));
    let Some(b) = grows else { return Ok(Vec::new()) };
    let a_layer = b.gain >= limit;
    let severity = cx.error_if_failing(Severity::Info);
    let [front, back] = [b.first, b.last].map(|l| cx.names(&[l]));
    let growth = if a_layer {
        let (gain, limit, ratio) = (number(b.gain), number(limit), number(b.ratio));
        format!(
            "{gain}-fold a layer on its way back (limit {limit}): {front} receives {ratio} times what {back} does"
        )
    } else {
        let (gain, limit, ratio) = (number(b.gain), number(total), number(b.ratio));
        format!(
            "{gain}-fold a layer on its way back, and {front} receives {ratio} times what {back} does (limit {limit})"
        )
    };
    let message = format!(
        "before the first step the gradient grows {growth}. Steps that suit the last layers are too large \
         for the first."
    );
    Ok(vec![RuleMatch {
        kind: Kind::ExplodingDepth,
        severity,
        layers: vec![b.first],
        first_epoch: 0,
        last_epoch: 0,
        first_step: Some(0),
        value: if a_layer { b.gain } else { b.ratio },
        threshold: if a_layer { limit } else { total },
        quantity: if a_layer {
            "growth of the gradient a layer, backward, before the first step"
        } else {
            "growth of the gradient over all layers, backward, before the first step"
        },
        message,
        evidence: BTreeMap::from([
            ("ratio".to_owned(), text::value(b.ratio)),
            ("estimated".to_owned(), b.estimated.into()),
        ]),
    }])
}

fn backward(hidden: &[usize], signal: impl Fn(usize) -> Option<f64>, estimated: bool) -> Option<Backward> {
    let signals: Option<Vec<f64>> = hidden.iter().map(|&i| signal(i)).collect();
    let signals = signals?;
    let (&[first, .., last], [a, .., z]) = (hidden, signals.as_slice()) else { return None };
    let gaps = (hidden.len() - 1) as f64;
    // An exact zero or a value that is not finite makes a ratio that no limit is meant for.
    let ratio = Some(a / z).filter(|r| r.is_finite() && *r > 0.0)?;
    let gain = if estimated { theil_sen(&signals)? } else { ratio.powf(1.0 / gaps) };
    Some(Backward { first, last, ratio, gain, estimated })
}

/// ‖g‖ over the RMS of what comes in: what the gradient of the output must have been.
fn estimate(cx: &RuleContext, start: &[LayerCapture], index: usize) -> Option<f64> {
    let gradient = start.get(index)?.weight_grad.as_ref()?.l2();
    let before = start.get(..index)?.iter().rev().find_map(|l| l.activations.as_ref());
    let input = match before {
        Some(a) => a.post.l2() / (a.post.count().max(1) as f64).sqrt(),
        None => cx.q.record.header.data.input_rms,
    };
    Some(gradient / input).filter(|d| d.is_finite() && *d > 0.0)
}

/// exp(−slope) of log δ over depth, the slope being the median of those of all pairs (Theil, 1950;
/// Sen, 1968): one odd layer does not tilt it.
fn theil_sen(signals: &[f64]) -> Option<f64> {
    let logs: Vec<f64> = signals.iter().map(|s| s.ln()).collect();
    let mut slopes = Vec::new();
    for (i, a) in logs.iter().enumerate() {
        slopes.extend((i + 1..).zip(&logs[i + 1..]).map(|(j, b)| (b - a) / (j - i) as f64));
    }
    series::median(&mut slopes).map(|slope| (-slope).exp())
}

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    plan.growing_with_depth();
}

#[cfg(test)]
mod tests {
    use super::theil_sen;
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::Fake;

    /// Four hidden layers through which the gradient grows so many times a layer on its way back.
    fn growing(gain: f64) -> Fake {
        let mut fake = Fake::stuck(6);
        (0..5)
            .for_each(|i| fake.each_capture(i, |_, l| l.output_gradient_l2 = Some(gain.powi(4 - i as i32))));
        fake
    }

    #[test]
    fn growth_a_layer_and_in_all_must_both_be_large() {
        assert!((growing(2.2).finding("exploding-depth").unwrap().value - 2.2).abs() < 1e-12);
        // 2.1 cubed is below 10.
        assert_eq!(growing(2.1).finding("exploding-depth"), None);
        let mut settings = crate::diagnose::Settings::default();
        settings.set("exploding-depth.ratio=1").unwrap();
        for (gain, fires) in [(1.51, true), (1.49, false)] {
            let d = crate::diagnose::diagnose(&growing(gain).record, &settings);
            assert_eq!(d.findings.iter().any(|f| f.rule == "exploding-depth"), fires, "{gain}");
        }
    }

    #[test]
    fn normalisation_has_a_growth_of_its_own() {
        let mut fake = growing(2.2);
        fake.record.header.layers[0].normalized = true;
        assert!(fake.finding("exploding-depth").is_some());
        let mut settings = crate::diagnose::Settings::default();
        settings.set("exploding-depth.gain-normalized=2.3").unwrap();
        let d = crate::diagnose::diagnose(&fake.record, &settings);
        assert!(d.findings.iter().all(|f| f.rule != "exploding-depth"));
    }

    #[test]
    fn growth_without_harm_is_only_noted() {
        let mut fake = growing(10.0);
        fake.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(fake.finding("exploding-depth").unwrap().severity, Severity::Info);
    }

    #[test]
    fn without_gradients_of_outputs_growth_is_estimated_from_those_of_weights() {
        let mut fake = Fake::stuck(6);
        for i in 0..5 {
            let g = 10f64.powi(4 - i as i32);
            fake.each_capture(i, |_, l| {
                l.output_gradient_l2 = None;
                l.weight_grad = Some(crate::stats::Distribution::new(&[g as f32]));
            });
        }
        let f = fake.finding("exploding-depth").unwrap();
        assert_eq!(f.evidence["estimated"], true);
        assert!((9.0..11.0).contains(&f.value), "{}", f.value);
    }

    #[test]
    fn the_slope_of_theil_and_sen_shrugs_off_one_odd_layer() {
        assert!((theil_sen(&[16.0, 8.0, 4.0, 900.0, 1.0]).unwrap() - 2.0).abs() < 1e-12);
    }
}
