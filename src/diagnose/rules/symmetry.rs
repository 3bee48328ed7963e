//! Units that are copies of each other.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::causes::Kind;
use super::super::rule::{NO_EPOCH, Rule, RuleContext, RuleMatch, Unmeasured};
use super::super::settings::Param;
use crate::record::LayerCapture;
use crate::text::number;

pub(super) const TOLERANCE: Param = Param::limit(
    "tolerance",
    1e-3,
    "distance of a row from the mean of the rows, over the norm of the mean; rounding leaves far less, any \
     random initialiser far more",
);
pub(super) const ZERO_SHARE: Param = Param::limit(
    "zero-share",
    0.5,
    "share of the matrices that must qualify where gradients are exactly zero: a zero-initialised residual \
     branch has none at first, by intent",
);

pub static SYMMETRIC: Rule = Rule {
    name: "symmetric",
    family: "symmetry",
    summary: "The units of a layer start equal and receive equal gradients, so that they stay copies",
    params: &[TOLERANCE, ZERO_SHARE],
    measures: "At the first two captures, how far the rows of a layer's weights, and the rows of their \
               gradient, are from their mean. Layers of at least two units.",
    fires: "Error where both are within {tolerance}, unless the rows have come apart since and the run \
            makes progress. Layers whose gradient is exactly zero count only where {zero-share} of the \
            matrices qualify.",
    false_alarms: "None known. Layers that are dead are told apart by their rows, which differ.",
    remedies: "Constant or zero weights: He or Xavier 4 of 4; Adam, BatchNorm, dropout 0 of 4.",
    evaluate,
};

fn evaluate(cx: &RuleContext) -> Result<Vec<RuleMatch>, Unmeasured> {
    let q = cx.q;
    // The start of a full-batch run is its first captured epoch: not to be counted twice.
    let apart = q.record.epochs.first().is_none_or(|e| e.step > 0);
    let start = q.start.filter(|_| apart);
    let captures: Vec<&[LayerCapture]> =
        start.into_iter().chain(q.captures.iter().map(|c| c.layers)).collect();
    let Some(last) = captures.last() else { return Err(NO_EPOCH) };
    let wide: Vec<usize> =
        q.matrices.iter().copied().filter(|&i| q.layer(i).is_some_and(|l| l.units >= 2)).collect();
    let measured = |i: &usize| {
        captures[0].get(*i).is_some_and(|l| l.weight_row_deviation.is_some() && l.weight_grad.is_some())
    };
    if !wide.is_empty() && !wide.iter().any(measured) {
        return Err(Unmeasured("the record does not say how far the rows of weights are from each other"));
    }
    let tolerance = cx.get(&TOLERANCE);
    let mut deviations: Vec<(usize, f64, bool)> = Vec::new();
    for &i in &wide {
        let rows: Option<Vec<Rows>> = captures.iter().take(2).map(|c| Rows::of(c.get(i)?)).collect();
        let Some(rows) = rows else { continue };
        let largest = rows.iter().map(|r| r.weight.max(r.grad)).fold(0.0, f64::max);
        if largest <= tolerance {
            deviations.push((i, largest, rows.iter().all(|r| r.no_gradient)));
        }
    }
    let enough = deviations.len() as f64 >= cx.get(&ZERO_SHARE) * q.matrices.len() as f64;
    deviations.retain(|(_, _, no_gradient)| !no_gradient || enough);
    // Dropout, say, may tell units apart after all.
    let still = |i: usize| last.get(i).and_then(Rows::of).is_some_and(|r| r.weight <= tolerance);
    deviations.retain(|(i, _, _)| q.failing || still(*i));
    let layers: Vec<usize> = deviations.iter().map(|(i, _, _)| *i).collect();
    if layers.is_empty() {
        return Ok(Vec::new());
    }
    let value = deviations.iter().map(|d| d.1).fold(0.0, f64::max);
    let message = format!(
        "the units of {} are copies of each other from the first step: their weights and their gradients \
         differ by no more than {} (limit {}), so that each layer does the work of a single unit",
        cx.names(&layers),
        number(value),
        number(tolerance),
    );
    let last_epoch = q.captures.last().map_or(0, |c| c.epoch);
    Ok(vec![RuleMatch {
        kind: Kind::Symmetric,
        severity: Severity::Error,
        layers,
        first_epoch: q.captures.first().map_or(0, |c| c.epoch),
        last_epoch,
        first_step: Some(0),
        value,
        threshold: tolerance,
        quantity: "largest distance of a row of weights or gradients from the rows' mean, over its norm",
        message,
        evidence: BTreeMap::from([(
            "rows_differ_at_the_end".to_owned(),
            (!layers_still(&deviations, still)).into(),
        )]),
    }])
}

fn layers_still(deviations: &[(usize, f64, bool)], still: impl Fn(usize) -> bool) -> bool {
    deviations.iter().all(|(i, _, _)| still(*i))
}

/// How far the rows of a layer are from each other; all zero is all equal.
struct Rows {
    weight: f64,
    grad: f64,
    no_gradient: bool,
}

impl Rows {
    fn of(layer: &LayerCapture) -> Option<Self> {
        let gradient = layer.weight_grad.as_ref()?.l2();
        let deviation = |of: Option<f64>, norm: f64| {
            if norm == 0.0 { Some(0.0) } else { of.filter(|d| !d.is_nan()) }
        };
        Some(Self {
            weight: deviation(layer.weight_row_deviation, layer.weight.l2())?,
            grad: deviation(layer.grad_row_deviation, gradient)?,
            no_gradient: gradient == 0.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::test_support::{Fake, Norms};

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
        let zeros = |layers: usize| {
            let mut fake = Fake::stuck(6);
            (0..layers).for_each(|i| fake.set_norms(i, |_| Norms { w: 0.0, g: 0.0, u: 0.0 }));
            fake.finding("symmetric")
        };
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
