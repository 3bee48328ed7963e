//! What the rules can say of weights alone: those of one checkpoint, or of several in the order of
//! training. Each epoch of such a record is a file. Everything else a checkpoint cannot answer, and it is
//! listed as not measured: never the same as passed.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::cause::Kind;
use super::super::quantities::{Capture, Quantities};
use super::super::rule::{Case, Hit, NO_EPOCH, Unmeasured};
use super::super::text;
use super::symmetry::{TOLERANCE, ZERO_SHARE};
use crate::record::LayerCapture;
use crate::stats::Distribution;
use crate::text::{count, counted, number};

/// What most rules say.
const NOT_IN_WEIGHTS: Unmeasured = Unmeasured(
    "a checkpoint holds weights alone: record the training for it (gradscope run, or the PyTorch recorder)",
);
const ONE_FILE: Unmeasured =
    Unmeasured("one file tells nothing of change: give an earlier checkpoint of the same run before it");

/// Share of the matrices above which those that never change are taken to be frozen by intent, as in
/// fine-tuning. A guess: a layer that was forgotten is one among many.
const INTENDED: f64 = 0.5;

/// What a rule says of a record with weights alone.
pub fn evaluate(rule: &str, case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    if case.q.captures.is_empty() {
        return Err(NO_EPOCH);
    }
    match rule {
        "non-finite" => Ok(non_finite(case).into_iter().collect()),
        "symmetric" => Ok(symmetric(case).into_iter().collect()),
        "stalled" | "layer-frozen" if case.q.captures.len() < 2 => Err(ONE_FILE),
        "stalled" => Ok(stalled(case).into_iter().collect()),
        "layer-frozen" => Ok(frozen(case).into_iter().collect()),
        _ => Err(NOT_IN_WEIGHTS),
    }
}

fn hit(case: &Case, kind: Kind, severity: Severity, layers: Vec<usize>) -> Hit {
    let captures = &case.q.captures;
    let epoch = |c: Option<&Capture>| c.map_or(0, |c| c.epoch);
    Hit {
        kind,
        severity,
        layers,
        first_epoch: epoch(captures.first()),
        last_epoch: epoch(captures.last()),
        first_step: None,
        value: 0.0,
        threshold: 0.0,
        quantity: "",
        message: String::new(),
        evidence: BTreeMap::new(),
    }
}

/// The first file in which a weight or bias is not a number.
fn non_finite(case: &Case) -> Option<Hit> {
    let odd = |d: &Distribution| d.nan() + d.infinities();
    let of_layer = |l: &LayerCapture| odd(&l.weight) + l.bias.as_ref().map_or(0, odd);
    let broken = |c: &&Capture| c.layers.iter().any(|l| of_layer(l) > 0);
    let capture = case.q.captures.iter().find(broken)?;
    let layers: Vec<usize> =
        (0..capture.layers.len()).filter(|i| of_layer(&capture.layers[*i]) > 0).collect();
    let values: u64 = capture.layers.iter().map(of_layer).sum();
    let all = |l: &LayerCapture| l.weight.count() + l.bias.as_ref().map_or(0, Distribution::count);
    let of: u64 = layers.iter().map(|i| all(&capture.layers[*i])).sum();
    let message = format!(
        "{} of the {} of {} {} NaN or infinite in {}. Nothing that is computed from them means anything: go \
         back to a checkpoint before it, and record the training from there.",
        count(values),
        counted(of, "parameter"),
        case.names(&layers),
        if values == 1 { "is" } else { "are" },
        case.q.record.file_of(capture.epoch),
    );
    Some(Hit {
        first_epoch: capture.epoch,
        value: values as f64,
        quantity: "weights and biases that are NaN or infinite",
        message,
        ..hit(case, Kind::NonFinite, Severity::Error, layers)
    })
}

/// Layers whose rows are equal in the last file. Their gradients might still take them apart, unless
/// training has moved them before and did not.
fn symmetric(case: &Case) -> Option<Hit> {
    let q = case.q;
    let tolerance = case.get(&TOLERANCE);
    let deviation = |l: &LayerCapture| {
        if l.weight.l2() == 0.0 { Some(0.0) } else { l.weight_row_deviation.filter(|d| !d.is_nan()) }
    };
    let (first, last) = (q.captures.first()?, q.captures.last()?);
    let equal =
        |layers: &[LayerCapture], i: usize| layers.get(i).and_then(deviation).is_some_and(|d| d <= tolerance);
    let mut layers: Vec<usize> = q.matrices.clone();
    layers.retain(|&i| q.layer(i).is_some_and(|l| l.units >= 2) && equal(last.layers, i));
    // Zeros may be meant so: the last layer of a residual branch, half of the matrices of an adapter.
    let is_zero = |i: &usize| last.layers.get(*i).is_some_and(|l| l.weight.l2() == 0.0);
    let zeros = layers.iter().filter(|i| is_zero(i)).count();
    if zeros as f64 <= case.get(&ZERO_SHARE) * q.matrices.len() as f64 {
        layers.retain(|i| !is_zero(i));
    }
    if layers.is_empty() {
        return None;
    }
    let moved =
        |i: usize| q.captures.iter().any(|c| c.layers.get(i).and_then(change).is_some_and(|u| u > 0.0));
    let kept = layers.iter().all(|&i| equal(first.layers, i) && moved(i));
    let value = layers.iter().filter_map(|i| deviation(&last.layers[*i])).fold(0.0, f64::max);
    let more = if kept {
        "Training has moved them, and did not take them apart: draw new weights at random."
    } else {
        "Whether gradients will take them apart, weights alone do not tell; weights that are drawn at random \
         need no such luck."
    };
    let message = format!(
        "the units of {} are copies of each other in {}: their rows of weights differ by no more than {} \
         (limit {}). {more}",
        case.names(&layers),
        q.record.file_of(last.epoch),
        number(value),
        number(tolerance),
    );
    let severity = if kept { Severity::Error } else { Severity::Warning };
    Some(Hit {
        value,
        threshold: tolerance,
        quantity: "largest distance of a row of weights from the rows' mean, over its norm",
        message,
        ..hit(case, Kind::Symmetric, severity, layers)
    })
}

/// ‖ΔW‖ since the file before.
fn change(layer: &LayerCapture) -> Option<f64> {
    Some(layer.update.as_ref()?.l2())
}

/// Whether a layer is the same in all files.
fn never_changes(q: &Quantities, index: usize) -> bool {
    q.captures.iter().all(|c| c.layers.get(index).and_then(change).is_none_or(|u| u == 0.0))
}

/// That nothing changed at all.
fn stalled(case: &Case) -> Option<Hit> {
    let q = case.q;
    let count = q.record.header.layers.len();
    if count == 0 || !(0..count).all(|i| never_changes(q, i)) {
        return None;
    }
    let hit = hit(case, Kind::NeverUpdated, Severity::Error, q.matrices.clone());
    let message = format!(
        "no weight differs between {} and {}: whatever happened between them, no step changed a weight. Look \
         whether the optimizer was given these parameters, and whether the files are of different moments.",
        q.record.file_of(hit.first_epoch),
        q.record.file_of(hit.last_epoch),
    );
    Some(Hit { quantity: "change between files over weight, largest of all layers", message, ..hit })
}

/// Matrices that stay as they are while other layers change.
fn frozen(case: &Case) -> Option<Hit> {
    let q = case.q;
    let layers: Vec<usize> = q.matrices.iter().copied().filter(|&i| never_changes(q, i)).collect();
    if layers.is_empty() || stalled(case).is_some() {
        return None;
    }
    let intended = layers.len() as f64 > INTENDED * q.matrices.len() as f64;
    let severity = if intended { Severity::Info } else { Severity::Warning };
    let hit = hit(case, Kind::Frozen, severity, layers);
    let message = format!(
        "{} {} to the last bit in all {} files, while other layers change. {}",
        case.names(&hit.layers),
        if hit.layers.len() == 1 { "is the same" } else { "are the same" },
        q.captures.len(),
        if intended {
            "So many are hardly forgotten: frozen by intent, as in fine-tuning."
        } else {
            "Frozen by intent, or never given to the optimizer; a checkpoint does not tell which."
        }
    );
    Some(Hit { quantity: "change between files over weight", message, ..hit })
}

/// In words, where nothing is wrong: what was looked at, and how far it changed.
pub fn progress(q: &Quantities) -> String {
    let header = &q.record.header;
    let Some(last) = q.captures.last() else { return "no data yet: nothing has been measured".into() };
    let parameters = header.layers.iter().map(|l| l.parameters).fold(0, u64::saturating_add);
    let what = format!(
        "the {} of {} are finite, and no layer's units are copies of each other",
        counted(parameters, "parameter"),
        counted(header.layers.len() as u64, "layer"),
    );
    let before = q.captures.iter().rev().nth(1).map(|c| c.epoch);
    let (Some(before), Some(change)) = (before, last.median_update()) else {
        return format!("{what}; whether they learn, one file does not tell");
    };
    format!(
        "{what}; from {} to {} the median layer changed by {} of its size",
        q.record.file_of(before),
        q.record.file_of(last.epoch),
        text::percent(change)
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::test_support::Fake;
    use super::super::super::{Finding, Settings, Severity, diagnose};
    use crate::record::WEIGHTS_ALONE;
    use crate::stats::Distribution;

    /// What is left of a healthy run in its checkpoints: five matrices, each changed by ΔW.
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
        for (n, unknown) in [(1, 25), (2, 23)] {
            let diagnosis = diagnose(&files(n).record, &Settings::default());
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
        let equal = |n: usize, deviation: f64| {
            let mut fake = files(n);
            fake.record.epochs.iter_mut().for_each(|e| e.layers[1].weight_row_deviation = Some(deviation));
            fake
        };
        let f = only(&equal(1, 0.9e-3));
        assert_eq!((f.rule.as_str(), f.severity, f.root), ("symmetric", Severity::Warning, true));
        assert!(f.remedies.is_empty());
        assert_eq!(only(&equal(2, 0.9e-3)).severity, Severity::Error);
        assert!(diagnose(&equal(2, 1.1e-3).record, &Settings::default()).findings.is_empty());
    }

    #[test]
    fn zeros_are_equal_rows_only_where_most_layers_are_zero() {
        let zeros = |layers: usize| {
            let mut fake = files(1);
            fake.record.epochs[0].layers[..layers]
                .iter_mut()
                .for_each(|l| l.weight = Distribution::new(&[0.0; 4]));
            diagnose(&fake.record, &Settings::default()).findings
        };
        assert!(zeros(2).is_empty());
        assert_eq!(zeros(3)[0].layers.len(), 3);
    }

    #[test]
    fn a_layer_that_never_changes_is_a_warning_and_many_are_intent() {
        let still = |layers: usize| {
            let mut fake = files(3);
            for epoch in &mut fake.record.epochs[1..] {
                epoch.layers[..layers].iter_mut().for_each(|l| l.update = Some(Distribution::new(&[0.0; 2])));
            }
            only(&fake)
        };
        let told = |layers| {
            let f = still(layers);
            (f.rule.clone(), f.severity, f.root)
        };
        assert_eq!(told(1), ("layer-frozen".into(), Severity::Warning, true));
        assert_eq!(told(3), ("layer-frozen".into(), Severity::Info, false));
        assert_eq!(told(5), ("stalled".into(), Severity::Error, true));
    }
}
