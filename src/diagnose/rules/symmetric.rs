//! Units that are copies of each other.

use std::collections::BTreeMap;

use super::shared::weights::{change_of, match_in_files};
use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::Capture;
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, NO_EPOCH, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::record::LayerCapture;
use crate::text::number;

const TOLERANCE: Param = Param::limit(
    "tolerance",
    1e-3,
    "distance of a row from the mean of the rows, over the norm of the mean; rounding leaves far less, any \
     random initialiser far more",
);

const ZERO_SHARE: Param = Param::limit(
    "zero-share",
    0.5,
    "share of the matrices that must qualify where gradients are exactly zero: a zero-initialised residual \
     branch has none at first, by intent",
);

pub static RULE: Rule = Rule {
    name: "symmetric",
    family: "symmetry",
    summary: "The units of a layer start equal and receive equal gradients, so that they stay copies",
    scope: Scope::Layer,
    params: &[TOLERANCE, ZERO_SHARE],
    measures: "At the first two captures, how far the rows of a layer's weights, and the rows of their \
               gradient, are from their mean. Layers of at least two units.",
    fires: "Error where both are within {tolerance}, unless the rows have come apart since and the run \
            makes progress. Layers whose gradient is exactly zero count only where {zero-share} of the \
            matrices qualify.",
    false_alarms: "None known. Layers that are dead are told apart by their rows, which differ.",
    trials: "Constant or zero weights: He or Xavier 4 of 4; Adam, BatchNorm, dropout 0 of 4.",
    needs: &[],
    evaluate,
    on_weights: Some(on_weights),
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let q = cx.q;
    // The start of a full-batch run is its first captured epoch: not to be counted twice.
    let apart = q.record.epochs.first().is_none_or(|e| e.step > 0);
    let start = q.start.filter(|_| apart);
    let captures: Vec<&[LayerCapture]> =
        start.into_iter().chain(q.captures.iter().map(|c| c.layers)).collect();
    let Some(last) = captures.last() else { return Err(NO_EPOCH) };
    let mut layers = q.matrices.clone();
    layers.retain(|&i| q.layer(i).is_some_and(|l| l.units >= 2));
    let mut first = layers.iter().filter_map(|&i| captures[0].get(i));
    if !layers.is_empty() && !first.any(|l| l.weight_row_deviation.is_some() && l.weight_grad.is_some()) {
        return Err(Unmeasured("the record does not say how far the rows of weights are from each other"));
    }
    let tolerance = cx.get(&TOLERANCE);
    let mut alike: Vec<Alike> =
        layers.iter().filter_map(|&i| Alike::from_captures(i, &captures, tolerance)).collect();
    let enough = alike.len() as f64 >= cx.get(&ZERO_SHARE) * q.matrices.len() as f64;
    alike.retain(|layer| !layer.without_gradient || enough);
    // Dropout, say, may tell units apart after all.
    alike.retain(|layer| q.failing || layer.stays_so(last, tolerance));
    if alike.is_empty() {
        return Ok(Vec::new());
    }
    let come_apart = !alike.iter().all(|layer| layer.stays_so(last, tolerance));
    Ok(vec![describe(cx, &alike, come_apart)])
}

fn describe(cx: &RuleContext, alike: &[Alike], come_apart: bool) -> RuleMatch {
    let (captures, tolerance) = (&cx.q.captures, cx.get(&TOLERANCE));
    let layers: Vec<usize> = alike.iter().map(|layer| layer.index).collect();
    let value = alike.iter().map(|layer| layer.deviation).fold(0.0, f64::max);
    let message = format!(
        "the units of {} are copies of each other from the first step: their weights and their gradients \
         differ by no more than {} (limit {}), so that each layer does the work of a single unit",
        cx.names(&layers),
        number(value),
        number(tolerance),
    );
    RuleMatch {
        kind: Kind::Symmetric,
        severity: Severity::Error,
        layers,
        first_epoch: captures.first().map_or(0, |c| c.epoch),
        last_epoch: captures.last().map_or(0, |c| c.epoch),
        first_step: Some(0),
        value,
        threshold: tolerance,
        quantity: "largest distance of a row of weights or gradients from the rows' mean, over its norm",
        message,
        evidence: BTreeMap::from([("rows_differ_at_the_end".to_owned(), come_apart.into())]),
    }
}

/// A layer whose units begin as copies of each other.
struct Alike {
    index: usize,
    /// The largest distance of a row from the mean of the rows, over its norm.
    deviation: f64,
    /// Whether its gradient is exactly zero.
    without_gradient: bool,
}

impl Alike {
    /// The layer, if its rows are as good as equal at the first two captures.
    fn from_captures(index: usize, captures: &[&[LayerCapture]], tolerance: f64) -> Option<Self> {
        let rows: Option<Vec<Rows>> =
            captures.iter().take(2).map(|layers| Rows::from_layer(layers.get(index)?)).collect();
        let rows = rows?;
        let deviation = rows.iter().map(|r| r.weight.max(r.grad)).fold(0.0, f64::max);
        let without_gradient = rows.iter().all(|r| r.no_gradient);
        (deviation <= tolerance).then_some(Self { index, deviation, without_gradient })
    }

    /// Whether the rows of its weights are still equal at the last capture.
    fn stays_so(&self, last: &[LayerCapture], tolerance: f64) -> bool {
        last.get(self.index).and_then(Rows::from_layer).is_some_and(|r| r.weight <= tolerance)
    }
}

/// How far the rows of a layer are from each other; all zero is all equal.
struct Rows {
    weight: f64,
    grad: f64,
    no_gradient: bool,
}

impl Rows {
    fn from_layer(layer: &LayerCapture) -> Option<Self> {
        let gradient = layer.weight_grad.as_ref()?.l2();
        Some(Self {
            weight: deviation(layer.weight_row_deviation, layer.weight.l2())?,
            grad: deviation(layer.grad_row_deviation, gradient)?,
            no_gradient: gradient == 0.0,
        })
    }
}

/// How far rows of this norm in all are from each other.
fn deviation(measured: Option<f64>, norm: f64) -> Option<f64> {
    if norm == 0.0 { Some(0.0) } else { measured.filter(|d| !d.is_nan()) }
}

/// Layers whose rows are equal in the last file. Their gradients might still take them apart, unless
/// training has moved them before and did not.
fn on_weights(cx: &RuleContext) -> Evaluation {
    let q = cx.q;
    let tolerance = cx.get(&TOLERANCE);
    let (Some(first), Some(last)) = (q.captures.first(), q.captures.last()) else { return Err(NO_EPOCH) };
    let mut layers = q.matrices.clone();
    layers.retain(|&i| {
        q.layer(i).is_some_and(|l| l.units >= 2) && weight_deviation(last, i).is_some_and(|d| d <= tolerance)
    });
    // Zeros may be meant so: the last layer of a residual branch, half of the matrices of an adapter.
    let zeros = layers.iter().filter(|&&i| is_zero(last, i)).count();
    if zeros as f64 <= cx.get(&ZERO_SHARE) * q.matrices.len() as f64 {
        layers.retain(|&i| !is_zero(last, i));
    }
    if layers.is_empty() {
        return Ok(Vec::new());
    }
    let kept = layers.iter().all(|&i| {
        weight_deviation(first, i).is_some_and(|d| d <= tolerance)
            && q.captures.iter().any(|c| change_of(c, i).is_some_and(|u| u > 0.0))
    });
    let value = layers.iter().filter_map(|&i| weight_deviation(last, i)).fold(0.0, f64::max);
    let more = if kept {
        "Training has moved them, and did not take them apart: draw new weights at random."
    } else {
        "Whether gradients will take them apart, weights alone do not tell; weights that are drawn at random \
         need no such luck."
    };
    let message = format!(
        "the units of {} are copies of each other in {}: their rows of weights differ by no more than {} \
         (limit {}). {more}",
        cx.names(&layers),
        q.record.file_of(last.epoch),
        number(value),
        number(tolerance),
    );
    let severity = if kept { Severity::Error } else { Severity::Warning };
    Ok(vec![RuleMatch {
        value,
        threshold: tolerance,
        quantity: "largest distance of a row of weights from the rows' mean, over its norm",
        message,
        ..match_in_files(cx, Kind::Symmetric, severity, layers)
    }])
}

fn weight_deviation(capture: &Capture, index: usize) -> Option<f64> {
    let layer = capture.layers.get(index)?;
    deviation(layer.weight_row_deviation, layer.weight.l2())
}

fn is_zero(capture: &Capture, index: usize) -> bool {
    capture.layers.get(index).is_some_and(|l| l.weight.l2() == 0.0)
}

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    plan.initialise("random weights tell the units apart");
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Finding;
    use crate::diagnose::test_support::{Fake, Norms};

    /// A stuck run whose rows of weights and gradients are this far from each other in every layer.
    fn rows(weight: f64, grad: f64) -> Fake {
        let mut fake = Fake::stuck(6);
        for i in 0..4 {
            fake.each_capture(i, |_, l| {
                (l.weight_row_deviation, l.grad_row_deviation) = (Some(weight), Some(grad));
            });
        }
        fake
    }

    #[test]
    fn rows_of_weights_and_of_gradients_must_both_be_equal() {
        let f = rows(0.9e-3, 0.9e-3).finding("symmetric").unwrap();
        assert_eq!((f.layers.len(), f.first_step, f.root), (4, Some(0), true));
        for (weight, grad) in [(1.1e-3, 0.0), (0.0, 1.1e-3), (f64::NAN, 0.0)] {
            assert_eq!(rows(weight, grad).finding("symmetric"), None);
        }
    }

    #[test]
    fn zeros_are_equal_but_where_few_layers_are_zero_they_may_be_meant_so() {
        fn zeros(layers: usize) -> Option<Finding> {
            let mut fake = Fake::stuck(6);
            (0..layers).for_each(|i| fake.set_norms(i, |_| Norms { w: 0.0, g: 0.0, u: 0.0 }));
            fake.finding("symmetric")
        }
        assert_eq!(zeros(2), None);
        assert_eq!(zeros(3).unwrap().layers.len(), 3);
    }

    #[test]
    fn units_that_came_apart_are_no_fault_of_a_run_that_learns() {
        let mut fake = rows(0.0, 0.0);
        fake.record.epochs[2..].iter_mut().flat_map(|e| &mut e.layers).for_each(|l| {
            l.weight_row_deviation = Some(0.5);
        });
        assert!(fake.finding("symmetric").is_some());
        fake.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(fake.finding("symmetric"), None);
    }
}
