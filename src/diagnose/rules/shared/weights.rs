//! Checkpoints, weights alone: one file, or several in the order of training. Each epoch of such a record is a
//! file. Most rules cannot be answered by them, and are listed as not measured: never the same as passed.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::quantities::{Capture, Quantities, span};
use crate::diagnose::rule::{RuleContext, Unmeasured};

const ONE_FILE: Unmeasured =
    Unmeasured("one file tells nothing of change: give an earlier checkpoint of the same run before it");

/// Checks that there are files to compare.
///
/// # Errors
/// Where there is but one file.
pub fn two_files(cx: &RuleContext) -> Result<(), Unmeasured> {
    if cx.q.captures.len() < 2 { Err(ONE_FILE) } else { Ok(()) }
}

/// A fault of these layers in all files, before it is put into words.
pub fn match_in_files(cx: &RuleContext, kind: Kind, severity: Severity, layers: Vec<usize>) -> RuleMatch {
    let (first_epoch, last_epoch) = span(&cx.q.captures);
    RuleMatch {
        kind,
        severity,
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

/// ‖ΔW‖ of a layer since the file before.
pub fn change_of(capture: &Capture, index: usize) -> Option<f64> {
    Some(capture.layers.get(index)?.update.as_ref()?.l2())
}

/// Whether a layer is the same in all files.
pub fn never_changes(q: &Quantities, index: usize) -> bool {
    q.captures.iter().all(|c| change_of(c, index).is_none_or(|u| u == 0.0))
}

/// Whether all layers are the same in all files.
pub fn nothing_changes(q: &Quantities) -> bool {
    let count = q.record.header.layers.len();
    count > 0 && (0..count).all(|i| never_changes(q, i))
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::{Finding, Severity};
    use crate::diagnose::test_support::Fake;
    use crate::diagnose::{Settings, diagnose, rules};
    use crate::record::WEIGHTS_ALONE;
    use crate::stats::Distribution;

    /// The remains of a healthy run in its checkpoints: five matrices, each changed by ΔW.
    fn files(n: usize) -> Fake {
        let mut fake = Fake::healthy(n as u64);
        let record = &mut fake.record;
        record.header.run.capture = Some(WEIGHTS_ALONE.into());
        record.header.data.baseline_loss = f64::NAN;
        record.steps.clear();
        for (k, epoch) in record.epochs.iter_mut().enumerate() {
            epoch.source = Some(format!("{k}.pt"));
            epoch.train_loss = f64::NAN;
            for layer in &mut epoch.layers {
                let update = (k > 0).then(|| Distribution::new(&[0.01, -0.01]));
                let (weight, bias) = (layer.weight.clone(), layer.bias.clone());
                (layer.weight_grad, layer.bias_grad, layer.steps, layer.activations) =
                    (None, None, None, None);
                (layer.weight, layer.bias, layer.update) = (weight, bias, update);
                (layer.weight_row_deviation, layer.grad_row_deviation) = (Some(1.0), None);
            }
        }
        fake
    }

    fn only(fake: &Fake) -> Finding {
        let findings = diagnose(&fake.record, &Settings::default()).findings;
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.into_iter().next().unwrap()
    }

    #[test]
    fn what_weights_do_not_tell_is_not_measured() {
        for (n, told) in [(1, 2), (2, 4)] {
            let diagnosis = diagnose(&files(n).record, &Settings::default());
            let unknown = rules().count() - told;
            assert_eq!((diagnosis.findings.len(), diagnosis.not_measured.len()), (0, unknown));
            assert!(diagnosis.headline.contains("are finite"));
        }
    }

    #[test]
    fn a_number_that_is_none_is_named_with_its_file() {
        let mut fake = files(3);
        fake.record.epochs[1].layers[2].bias = Some(Distribution::new(&[f32::NAN, 1.0]));
        let f = only(&fake);
        assert_eq!(
            (f.rule.as_str(), f.layer.as_deref(), f.first_epoch, f.value),
            ("non-finite", Some("fc3"), 1, 1.0)
        );
        assert!(f.message.contains(" parameters of fc3 is NaN or infinite in 1.pt"), "{}", f.message);
    }

    #[test]
    fn equal_rows_are_an_error_once_training_has_moved_them() {
        fn equal(n: usize, deviation: f64) -> Fake {
            let mut fake = files(n);
            fake.record.epochs.iter_mut().for_each(|e| e.layers[1].weight_row_deviation = Some(deviation));
            fake
        }
        let f = only(&equal(1, 0.9e-3));
        assert_eq!((f.rule.as_str(), f.severity, f.root), ("symmetric", Severity::Warning, true));
        assert!(f.remedies.is_empty());
        assert_eq!(only(&equal(2, 0.9e-3)).severity, Severity::Error);
        assert!(diagnose(&equal(2, 1.1e-3).record, &Settings::default()).findings.is_empty());
    }

    #[test]
    fn zeros_are_equal_rows_only_where_most_layers_are_zero() {
        fn zeros(layers: usize) -> Vec<Finding> {
            let mut fake = files(1);
            fake.record.epochs[0].layers[..layers]
                .iter_mut()
                .for_each(|l| l.weight = Distribution::new(&[0.0; 4]));
            diagnose(&fake.record, &Settings::default()).findings
        }
        assert!(zeros(2).is_empty());
        assert_eq!(zeros(3)[0].layers.len(), 3);
    }

    #[test]
    fn a_layer_that_never_changes_is_a_warning_and_many_are_intent() {
        fn still(layers: usize) -> Finding {
            let mut fake = files(3);
            for epoch in &mut fake.record.epochs[1..] {
                epoch.layers[..layers].iter_mut().for_each(|l| l.update = Some(Distribution::new(&[0.0; 2])));
            }
            only(&fake)
        }
        for (layers, rule, severity, root) in [
            (1, "layer-frozen", Severity::Warning, true),
            (3, "layer-frozen", Severity::Info, false),
            (5, "stalled", Severity::Error, true),
        ] {
            let f = still(layers);
            assert_eq!((f.rule.as_str(), f.severity, f.root), (rule, severity, root));
        }
    }
}
