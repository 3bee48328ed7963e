//! NaN and infinity.

use super::shared::weights::match_in_files;
use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::quantities::Broken;
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope};
use crate::diagnose::text;
use crate::record::LayerCapture;
use crate::stats::Distribution;
use crate::text::{count, counted};

/// Evidence that a script or a file gave the values, before any training.
const GIVEN: &str = "before_training";

pub static RULE: Rule = Rule {
    name: "non-finite",
    family: "non-finite",
    summary: "A NaN or infinity appeared in the loss, an activation, a gradient or a weight",
    scope: Scope::Layer,
    params: &[],
    measures: "Every step, whether activations, loss, gradients and weights are finite: the first step, \
               stage and layer where one is not, and how large the update before it was.",
    fires: "Error at the first NaN or infinity. It is no threshold, so it has no parameters.",
    false_alarms: "None known. A loss scaler that skips overflowing steps by intent would be reported.",
    trials: "Belongs to what came before it: most often update-high or exploding-time. On its own: a \
             smaller learning rate, standardised inputs, He or Xavier weights.",
    needs: &[Need::StepsOrEpoch],
    evaluate,
    on_weights: Some(on_weights),
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let q = cx.q;
    let Some(broken) = &q.broken else { return Ok(Vec::new()) };
    let update = broken.step.and_then(|step| {
        let before = q.points.iter().take_while(|p| p.last_step() < step);
        before.last().and_then(|p| p.update).map(|(_, max)| max)
    });
    // A script or a file gave these, and no training has made them.
    let given = q
        .start
        .filter(|_| broken.step == Some(0))
        .and_then(|layers| layers.iter().position(|l| l.weight.nan() + l.weight.infinities() > 0));
    let mut message = format!("{} became NaN or infinite {}", place(cx, broken), time(broken));
    if let Some(layer) = given {
        message = format!(
            "the weight of {} holds NaN or infinite values before the first step: whatever made or loaded it \
             is to blame, and nothing that is computed from it means anything",
            cx.names(&[layer])
        );
    } else if let Some(u) = update {
        message +=
            &format!(". The update before it moved the median layer by {} of its size.", text::percent(u));
    } else {
        message += ". Nothing that is computed from it means anything any more.";
    }
    let last = q.record.epochs.last().map_or(broken.epoch, |e| e.epoch.max(broken.epoch));
    let mut evidence = [("stage".to_owned(), broken.stage.clone().into())]
        .into_iter()
        .collect::<std::collections::BTreeMap<_, _>>();
    if let Some(u) = update {
        evidence.insert("update_before".into(), text::value(u));
    }
    if given.is_some() {
        evidence.insert(GIVEN.into(), true.into());
    }
    Ok(vec![RuleMatch {
        kind: Kind::NonFinite,
        severity: Severity::Error,
        layers: given.or(broken.layer).into_iter().collect(),
        first_epoch: broken.epoch,
        last_epoch: last,
        first_step: broken.step,
        value: worst(cx),
        threshold: 0.0,
        quantity: "values of one tensor that are NaN or infinite, at least",
        message,
        evidence,
    }])
}

fn place(cx: &RuleContext, broken: &Broken) -> String {
    let layer = broken.layer.map(|l| cx.names(&[l]));
    match (broken.stage.as_str(), layer) {
        ("loss", _) => "the loss".into(),
        ("weight", Some(layer)) => format!("a weight of {layer}"),
        (stage @ ("gradient" | "activation"), Some(layer)) => format!("the {stage} of {layer}"),
        (stage, Some(layer)) => format!("the {stage} of {layer}"),
        (stage, None) => format!("the {stage}"),
    }
}

fn time(broken: &Broken) -> String {
    match broken.step {
        Some(step) => format!("at step {step} (epoch {})", broken.epoch),
        None => format!("in epoch {}", broken.epoch),
    }
}

/// The most bad values that any captured tensor held; one where only the step tells.
fn worst(cx: &RuleContext) -> f64 {
    let captures = cx.q.record.epochs.iter().flat_map(|e| &e.layers);
    let tensors = captures.flat_map(|l| [Some(&l.weight), l.weight_grad.as_ref(), l.bias_grad.as_ref()]);
    tensors.flatten().map(|d| d.nan() + d.infinities()).max().unwrap_or(0).max(1) as f64
}

/// The first file in which a weight or bias is not a number.
fn on_weights(cx: &RuleContext) -> Evaluation {
    let Some(capture) = cx.q.captures.iter().find(|c| c.layers.iter().any(|l| bad_values(l) > 0)) else {
        return Ok(Vec::new());
    };
    let layers: Vec<usize> =
        (0..capture.layers.len()).filter(|i| bad_values(&capture.layers[*i]) > 0).collect();
    let values: u64 = capture.layers.iter().map(bad_values).sum();
    let all: u64 = layers.iter().map(|i| all_values(&capture.layers[*i])).sum();
    let message = format!(
        "{} of the {} of {} {} NaN or infinite in {}. Nothing that is computed from them means anything: go \
         back to a checkpoint before it, and record the training from there.",
        count(values),
        counted(all, "parameter"),
        cx.names(&layers),
        if values == 1 { "is" } else { "are" },
        cx.q.record.file_of(capture.epoch),
    );
    Ok(vec![RuleMatch {
        first_epoch: capture.epoch,
        value: values as f64,
        quantity: "weights and biases that are NaN or infinite",
        message,
        ..match_in_files(cx, Kind::NonFinite, Severity::Error, layers)
    }])
}

/// The number of weights and biases of a layer that are not finite.
fn bad_values(layer: &LayerCapture) -> u64 {
    [Some(&layer.weight), layer.bias.as_ref()].into_iter().flatten().map(|d| d.nan() + d.infinities()).sum()
}

/// The number of weights and biases of a layer.
fn all_values(layer: &LayerCapture) -> u64 {
    layer.weight.count() + layer.bias.as_ref().map_or(0, Distribution::count)
}

fn remedies(plan: &mut Plan, found: &RuleMatch) {
    if found.evidence.contains_key(GIVEN) {
        return;
    }
    if found.first_step != Some(0) {
        return plan.too_large_steps();
    }
    // No update had been made: the rate cannot be the cause.
    plan.standardise();
    plan.initialise("no update had been made yet: the initial weights are too large");
    plan.normalise("it keeps the size of signals from layer to layer");
}

#[cfg(test)]
mod tests {
    use crate::diagnose::test_support::{Fake, set_step};
    use crate::record::NonFinite;
    use crate::stats::Distribution;

    #[test]
    fn the_first_nan_is_named_with_its_step_stage_and_layer() {
        let mut fake = Fake::healthy(6);
        set_step(&mut fake, 33, |s| {
            s.non_finite = Some(NonFinite { stage: "activation".into(), layer: Some("fc3".into()) });
        });
        let f = fake.finding("non-finite").unwrap();
        assert_eq!((f.first_epoch, f.first_step, f.layer.as_deref()), (3, Some(33), Some("fc3")));
        assert!(f.message.starts_with("The activation of fc3 became NaN or infinite at step 33 (epoch 3)"));
        assert_eq!(f.evidence["update_before"], 0.01);
    }

    #[test]
    fn a_weight_that_was_no_number_before_training_is_to_blame_for_all_that_follows() {
        let mut fake = Fake::healthy(6);
        set_step(&mut fake, 0, |s| {
            s.non_finite = Some(NonFinite { stage: "activation".into(), layer: Some("fc1".into()) });
            let capture = s.capture.as_mut().unwrap();
            capture[1].weight = Distribution::new(&[1.0, f32::NAN]);
        });
        let f = fake.finding("non-finite").unwrap();
        assert_eq!((f.layer.as_deref(), f.first_step, f.remedies.len()), (Some("fc2"), Some(0), 0));
        assert!(f.message.contains("holds NaN or infinite values before the first step"), "{}", f.message);
    }

    #[test]
    fn the_largest_finite_numbers_are_no_fault() {
        let mut fake = Fake::healthy(6);
        set_step(&mut fake, 33, |s| s.grad_l2 = f64::from(f32::MAX).into());
        assert_eq!(fake.finding("non-finite"), None);
    }

    #[test]
    fn a_record_without_the_place_is_read_from_its_numbers() {
        let mut fake = Fake::healthy(6);
        fake.record.epochs[4].layers[1].weight = Distribution::new(&[1.0, f32::INFINITY, f32::NAN]);
        let f = fake.finding("non-finite").unwrap();
        assert_eq!((f.first_epoch, f.first_step, f.layer.as_deref(), f.value), (4, None, Some("fc2"), 2.0));
    }
}
