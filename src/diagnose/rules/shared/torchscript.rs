//! Dead layers and units of a program whose activations cannot be seen: rows of weights and biases whose
//! gradient is exactly zero in every batch of an epoch.
//!
//! A unit that is silent on every sample gets no gradient, but neither does one that is saturated for good, or
//! one whose output nothing looks at; and what stands in front of a silent layer gets none either. What is
//! said here is therefore said to be indirect.

use std::collections::BTreeMap;

use crate::diagnose::fault::{DeathCause, Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::quantities::{Capture, span};
use crate::diagnose::rule::{Evaluation, Need, RuleContext, Unmeasured};
use crate::record::{LayerCapture, ZeroGradientUnits};

const NO_ROWS: Unmeasured = Unmeasured(
    "inside of a TorchScript program it cannot be seen how often units fire, and the record does not say which \
     of them get a gradient",
);

/// The sentence that every message says of the test.
const INDIRECT: &str = "This is an indirect test, for activations were not measured: units that are saturated \
                        for good, or that nothing looks at, get no gradient either.";

/// Layers without a gradient in any unit, in front of or at a layer that lets none pass.
pub fn dead_layers(cx: &RuleContext) -> Evaluation {
    measured(cx)?;
    let dead: Vec<usize> =
        hidden(cx).into_iter().filter(|&i| cx.trailing_run(1, |c| is_dead(c, i)).is_some()).collect();
    let Some(run) = cx.trailing_run(1, |c| dead.iter().all(|&i| is_dead(c, i))).filter(|_| !dead.is_empty())
    else {
        return Ok(Vec::new());
    };
    // What was vanishing may have got below the smallest number; and where no gradient is left anywhere, the
    // loss is to blame.
    let faded = run.iter().any(|c| dead.iter().any(|&i| c.faded.get(i) == Some(&true)));
    if faded || !run.iter().all(|c| learns_elsewhere(c, &dead)) {
        return Ok(Vec::new());
    }
    let born = run.len() == cx.q.captures.len() && run.first().is_some_and(|c| c.epoch == 0);
    let (first_epoch, last_epoch) = span(run);
    let bias = bias_mean(cx, &dead);
    let batches = run.last().and_then(|c| zero_gradient_units(c, dead[0])).map_or(0, |rows| rows.batches);
    let message = message(&cx.names(&dead), &dead, (!born).then_some(first_epoch), batches, bias);
    let cause = if bias.is_some_and(|mean| mean < 0.0) { DeathCause::Bias } else { DeathCause::Weights };
    Ok(vec![RuleMatch {
        kind: if born { Kind::BornDead(cause) } else { Kind::LaterDead },
        severity: cx.error_if_failing(Severity::Warning),
        first_epoch,
        last_epoch,
        first_step: born.then_some(0),
        value: 1.0,
        threshold: 1.0,
        quantity: "share of units that got no gradient in any batch of an epoch",
        message,
        evidence: BTreeMap::from([
            ("indirect".to_owned(), true.into()),
            ("batches".to_owned(), batches.into()),
        ]),
        layers: dead,
    }])
}

/// The finding in words, of layers that were born dead or died in an epoch.
fn message(names: &str, dead: &[usize], died_in: Option<u64>, batches: u64, bias: Option<f64>) -> String {
    let (were, it) = if dead.len() == 1 { ("was", "it") } else { ("were", "they") };
    let since = match died_in {
        None => format!("{names} {were} born dead"),
        Some(epoch) => format!("{names} died in epoch {epoch}"),
    };
    let batches_of = match batches {
        1 => "the batch of every epoch".to_owned(),
        n => format!("all {n} batches of an epoch"),
    };
    let because = match bias {
        Some(mean) if mean < 0.0 => {
            format!(", the bias of the last being {} on average", crate::text::number(mean))
        }
        _ => String::new(),
    };
    format!(
        "{since}, as far as gradients tell: that of every weight and bias is exactly 0 in \
         {batches_of}{because}. {INDIRECT} The last layer of them lets nothing back, so that neither {it} nor what stands in \
         front can learn: its bias and initial weights are the first place to look."
    )
}

/// A way to know which units of a layer are dead, and to tell it.
pub struct UnitTest {
    /// The layers that it is known of.
    pub layers: Vec<usize>,
    /// The share of a layer's units that are.
    pub share: fn(&Capture, usize) -> Option<f64>,
    /// The words on what dead units do.
    pub are: &'static str,
    /// The words on what that is like.
    pub like: &'static str,
    /// A sentence more, on an indirect test.
    pub aside: Option<&'static str>,
    pub quantity: &'static str,
}

/// The test for units that are as good as dead, as far as gradients tell.
pub fn dead_units(cx: &RuleContext) -> Result<UnitTest, Unmeasured> {
    measured(cx)?;
    Ok(UnitTest {
        layers: hidden(cx),
        share: |c, i| zero_gradient_units(c, i).map(|rows| rows.zero as f64 / rows.units.max(1) as f64),
        are: "get no gradient in any batch",
        like: ", as dead units do",
        aside: Some(INDIRECT),
        quantity: "share of a layer's units that got no gradient in any batch of an epoch",
    })
}

fn measured(cx: &RuleContext) -> Result<(), Unmeasured> {
    Need::Epoch.check(cx.q)?;
    let any = cx.q.captures.iter().any(|c| c.layers.iter().any(|l| l.zero_gradient_units.is_some()));
    if any { Ok(()) } else { Err(NO_ROWS) }
}

/// The matrices in front of the last, which may well give the output: that has no nonlinearity to be silent.
fn hidden(cx: &RuleContext) -> Vec<usize> {
    let mut matrices = cx.q.matrices.clone();
    matrices.pop();
    matrices
}

fn zero_gradient_units(capture: &Capture, index: usize) -> Option<ZeroGradientUnits> {
    capture.layers.get(index)?.zero_gradient_units
}

fn is_dead(capture: &Capture, index: usize) -> bool {
    zero_gradient_units(capture, index).is_some_and(|rows| rows.zero == rows.units)
}

/// Whether a gradient of another layer was not zero at the captured batch or in the epoch.
fn learns_elsewhere(capture: &Capture, dead: &[usize]) -> bool {
    capture.layers.iter().enumerate().any(|(i, layer)| !dead.contains(&i) && has_gradient(layer))
}

fn has_gradient(layer: &LayerCapture) -> bool {
    layer.gradient_norm().is_some_and(|g| g.max != 0.0)
        || layer.bias_grad.as_ref().is_some_and(|g| g.l2() != 0.0)
}

/// Mean bias of the last of these layers, before the first step where that is known.
fn bias_mean(cx: &RuleContext, dead: &[usize]) -> Option<f64> {
    let layers = cx.q.start.or(cx.q.captures.first().map(|c| c.layers))?;
    layers.get(*dead.last()?)?.bias.as_ref()?.mean()
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::{Finding, Severity};
    use crate::diagnose::remedy::Change;
    use crate::diagnose::test_support::{Fake, Norms};
    use crate::record::{TORCHSCRIPT, ZeroGradientUnits};
    use crate::stats::Distribution;

    /// The record of a program: as many rows of each layer without a gradient as it is told to have, from an
    /// epoch on.
    fn program(mut fake: Fake, zero: [u64; 5], from: u64) -> Fake {
        fake.record.header.run.format = Some(TORCHSCRIPT.into());
        for (index, zero) in zero.into_iter().enumerate() {
            let units = fake.record.header.layers[index].units;
            if zero == units {
                fake.set_norms(index, |e| {
                    if e < from {
                        Norms { w: 2.0, g: 0.05, u: 0.02 }
                    } else {
                        Norms { w: 2.0, g: 0.0, u: 0.0 }
                    }
                });
            }
            fake.each_capture(index, |epoch, l| {
                l.activations = None;
                let zero = if epoch < from { 0 } else { zero };
                l.zero_gradient_units = Some(ZeroGradientUnits { zero, units, batches: 10 });
                l.bias_grad = Some(Distribution::new(&[if zero == units { 0.0 } else { 0.05 }]));
            });
        }
        fake
    }

    #[test]
    fn a_layer_without_a_gradient_in_any_unit_is_dead_and_so_is_what_stands_in_front() {
        let f = program(Fake::stuck(6), [8, 8, 0, 0, 0], 0).finding("dead-layer").unwrap();
        assert_eq!((f.layers.as_slice(), f.root), (["fc1".to_owned(), "fc2".to_owned()].as_slice(), true));
        assert_eq!((f.severity, f.first_step), (Severity::Error, Some(0)));
        assert!(f.message.contains("indirect test") && f.evidence["indirect"] == true, "{}", f.message);
        assert!(f.remedies.iter().all(|r| !r.changes.iter().any(Change::is_of_described_model)));
        let f = program(Fake::stuck(6), [8, 8, 0, 0, 0], 2).finding("dead-layer").unwrap();
        assert_eq!((f.first_epoch, f.first_step), (2, None));
        assert_eq!(
            program(Fake::stuck(6), [8, 7, 0, 0, 0], 0).finding("dead-layer").unwrap().layers,
            ["fc1"]
        );
        assert_eq!(program(Fake::stuck(6), [7, 7, 0, 0, 0], 0).finding("dead-layer"), None);
    }

    #[test]
    fn where_nothing_gets_a_gradient_the_layers_are_not_dead() {
        assert_eq!(program(Fake::stuck(6), [8, 8, 8, 8, 1], 0).finding("dead-layer"), None);
        // The last may give the output: zeros there are no silence.
        assert_eq!(program(Fake::stuck(6), [0, 0, 0, 0, 1], 0).finding("dead-layer"), None);
    }

    #[test]
    fn many_units_without_a_gradient_are_a_warning_with_harm_and_a_note_without() {
        fn with(fake: Fake, zero: u64) -> Option<Finding> {
            program(fake, [0, zero, 0, 0, 0], 0).finding("dead-units")
        }
        let f = with(Fake::stuck(6), 4).unwrap();
        assert_eq!((f.layer.as_deref(), f.severity), (Some("fc2"), Severity::Warning));
        assert!(f.message.contains("indirect test"), "{}", f.message);
        assert_eq!(with(Fake::stuck(6), 3).unwrap().severity, Severity::Info);
        assert_eq!(with(Fake::healthy(6), 4).unwrap().severity, Severity::Info);
        assert_eq!(with(Fake::healthy(6), 0), None);
    }

    #[test]
    fn without_rows_nothing_is_said_to_be_alive() {
        let mut fake = program(Fake::healthy(6), [0; 5], 0);
        (0..5).for_each(|i| fake.each_capture(i, |_, l| l.zero_gradient_units = None));
        let not = fake.diagnose().not_measured;
        for rule in
            ["dead-layer", "dead-units", "saturated", "output-saturated", "constant-output", "init-scale"]
        {
            assert!(not.iter().any(|n| n.rule == rule), "{rule}: {not:?}");
        }
    }
}
