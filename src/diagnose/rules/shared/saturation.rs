//! Sigmoid and tanh layers that sit where their slope is all but zero.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::{Capture, span};
use crate::diagnose::rule::{RuleContext, Scope, Unmeasured};
use crate::diagnose::text::{self, percent};
use crate::record::{Activation, LayerCapture};
use crate::stats::Distribution;
use crate::text::number;

const NO_SATURATION: Unmeasured =
    Unmeasured("the record does not say how far sigmoid and tanh units are saturated");

pub const SHARE: Param = Param::limit(
    "share",
    0.5,
    "share of a layer's unit-samples whose slope is under 5% of the largest; half passes next to nothing on",
);

pub const CAPTURES: Param = Param::count("captures", 2, "captured epochs in a row (or all there are)");

/// The share of unit-samples of a layer that are saturated, where that was measured.
pub fn saturated_fraction(layers: &[LayerCapture], index: usize) -> Option<f64> {
    layers.get(index)?.activations.as_ref()?.saturated_fraction.filter(|f| f.is_finite())
}

/// The layers that can saturate among those of a scope, if that was measured of any.
pub fn able_layers(cx: &RuleContext, scope: Scope) -> Result<Vec<usize>, Unmeasured> {
    let output = scope == Scope::Output;
    let mut able = Vec::new();
    for (i, layer) in cx.q.record.header.layers.iter().enumerate() {
        if layer.output == output && matches!(layer.activation, Activation::Sigmoid | Activation::Tanh) {
            able.push(i);
        }
    }
    let measured =
        able.iter().any(|&i| cx.q.captures.iter().any(|c| saturated_fraction(c.layers, i).is_some()));
    if able.is_empty() || measured { Ok(able) } else { Err(NO_SATURATION) }
}

/// The finding that a layer is saturated in these captures, as a fault of this kind.
pub fn describe(
    cx: &RuleContext,
    layer: usize,
    run: &[Capture],
    kind: Kind,
    severity: Severity,
) -> RuleMatch {
    let (limit, born) = (cx.get(&SHARE), kind == Kind::BornSaturated);
    let value = run.iter().filter_map(|c| saturated_fraction(c.layers, layer)).fold(0.0, f64::max);
    let (first_epoch, last_epoch) = span(run);
    let layers = born.then_some(cx.q.start).flatten().or(run.last().map(|c| c.layers));
    let shown = layers.and_then(|l| l.get(layer));
    let bias = shown.and_then(|l| l.bias.as_ref()).and_then(|b| b.mean());
    let pre = shown.and_then(|l| l.activations.as_ref()).map(|a| &a.pre);
    let message = format!(
        "{} {}: {} of its unit-samples sit where the slope is under 5% of the largest (limit {}){}. \
         Next to no gradient passes it.",
        cx.names(&[layer]),
        if born {
            "was born saturated".to_owned()
        } else {
            format!("is saturated since epoch {first_epoch}")
        },
        percent(value),
        percent(limit),
        pre.map_or(String::new(), |pre| why(pre, bias)),
    );
    let mut evidence: BTreeMap<String, Value> = BTreeMap::new();
    evidence.extend(bias.map(|b| ("bias_mean".to_owned(), text::value(b))));
    let mean = pre.and_then(Distribution::mean);
    evidence.extend(mean.map(|m| ("mean_pre_activation".to_owned(), text::value(m))));
    RuleMatch {
        kind,
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

/// The reason in words: where pre-activations lie, and whether the bias holds them there.
fn why(pre: &Distribution, bias: Option<f64>) -> String {
    let (Some(min), Some(max)) = (pre.min(), pre.max()) else { return String::new() };
    let (min, max) = (number(min), number(max));
    match (pre.mean(), bias) {
        (Some(mean), Some(bias)) if by_bias(mean, bias) => {
            let bias = number(bias);
            format!(": its bias ({bias} on average) holds pre-activations between {min} and {max}")
        }
        _ => format!(": pre-activations lie between {min} and {max}"),
    }
}

/// Whether the bias makes up most of the mean pre-activation.
fn by_bias(mean: f64, bias: f64) -> bool {
    bias.abs() > 1.0 && (mean - bias).abs() < 0.5 * bias.abs()
}
