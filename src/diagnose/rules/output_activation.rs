//! Outputs that do not suit the loss.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::rule::{Evaluation, NO_EPOCH, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::diagnose::text;
use crate::record::{LayerCapture, Loss};
use crate::text::number;

const TOLERANCE: Param = Param::limit(
    "tolerance",
    1e-3,
    "distance of a sample's sum of outputs from 1; float32 keeps a softmax within 1e-6, and logits that all \
     add up to 1 are no accident",
);

pub static RULE: Rule = Rule {
    name: "output-activation",
    family: "output",
    summary: "Cross-entropy, which applies a softmax itself, is fed with outputs of a softmax",
    scope: Scope::Output,
    params: &[TOLERANCE],
    measures: "Whether the outputs that go into cross-entropy are all at least 0 and add up to 1 for every \
               sample of the captured batch.",
    fires: "Error where the sums are within {tolerance} of 1 at the first two captures. A second softmax \
            of K classes cannot give more than e/(e + K - 1) to any of them, and flattens the gradient.",
    false_alarms: "None known.",
    trials: "Remove the softmax 4 of 4; learning rate x 10 0 of 4. It is in the model, not in a flag.",
    needs: &[],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::NotMeasured,
    remedies: None,
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let q = cx.q;
    match q.record.header.run.loss {
        Loss::CrossEntropy => {}
        Loss::Unknown => return Err(Unmeasured("the record does not say what is minimised (loss)")),
        Loss::Bce | Loss::Mse => return Ok(Vec::new()),
    }
    let Some(output) = q.record.header.layers.iter().rposition(|l| l.output) else { return Ok(Vec::new()) };
    // The start of a full-batch run is its first captured epoch: not to be counted twice.
    let apart = q.record.epochs.first().is_none_or(|e| e.step > 0);
    let start = q.start.filter(|_| apart);
    let captures: Vec<&[LayerCapture]> =
        start.into_iter().chain(q.captures.iter().map(|c| c.layers)).take(2).collect();
    if captures.is_empty() {
        return Err(NO_EPOCH);
    }
    let mut furthest: f64 = 0.0;
    for layers in captures {
        let activations = layers.get(output).and_then(|l| l.activations.as_ref());
        let Some((a, sum)) = activations.and_then(|a| Some((a, a.output_sum?))) else {
            return Err(Unmeasured("the record does not say what the outputs of a sample add up to"));
        };
        let off = [sum.min, sum.max].map(|s| (s - 1.0).abs());
        let negative = a.post.min().is_none_or(|min| min < 0.0);
        if negative || !off.iter().all(|d| *d <= cx.get(&TOLERANCE)) {
            return Ok(Vec::new());
        }
        furthest = off.into_iter().fold(furthest, f64::max);
    }
    let units = q.layer(output).map_or(2, |l| l.units) as f64;
    let most = std::f64::consts::E / (std::f64::consts::E + units - 1.0);
    let message = format!(
        "{} puts out probabilities where cross-entropy wants logits: all outputs are at least 0 and add up to 1 \
         within {} (limit {}). Cross-entropy applies a softmax itself; after two of them no class can get more \
         than {}, so remove the one in the model.",
        cx.names(&[output]),
        number(furthest),
        number(cx.get(&TOLERANCE)),
        text::percent(most),
    );
    Ok(vec![RuleMatch {
        kind: Kind::OutputActivation,
        severity: Severity::Error,
        layers: vec![output],
        first_epoch: 0,
        last_epoch: q.captures.last().map_or(0, |c| c.epoch),
        first_step: Some(0),
        value: furthest,
        threshold: cx.get(&TOLERANCE),
        quantity: "distance of a sample's sum of outputs from 1",
        message,
        evidence: BTreeMap::from([("largest_probability".to_owned(), text::value(most))]),
    }])
}

#[cfg(test)]
mod tests {
    use crate::diagnose::test_support::Fake;
    use crate::record::{Loss, OutputSum};

    /// A stuck run whose outputs add up to 1 within so much; they lie between 0.3 and 0.7.
    fn sums(off: f64) -> Fake {
        let mut fake = Fake::stuck(6);
        fake.record.header.run.loss = Loss::CrossEntropy;
        fake.each_capture(4, |_, l| {
            let a = l.activations.as_mut().unwrap();
            a.output_sum = Some(OutputSum { min: 1.0 - off, max: 1.0 });
        });
        fake
    }

    #[test]
    fn outputs_that_add_up_to_one_are_probabilities() {
        let f = sums(0.9e-3).finding("output-activation").unwrap();
        assert_eq!((f.layer.as_deref(), f.root, f.first_step), (Some("fc5"), true, Some(0)));
        assert_eq!(sums(1.1e-3).finding("output-activation"), None);
        assert_eq!(sums(f64::NAN).finding("output-activation"), None);
        let mut mse = sums(0.0);
        mse.record.header.run.loss = Loss::Mse;
        assert_eq!(mse.finding("output-activation"), None);
    }

    #[test]
    fn negative_outputs_are_no_probabilities() {
        let mut fake = sums(0.0);
        fake.each_capture(4, |_, l| {
            l.activations.as_mut().unwrap().post = crate::stats::Distribution::new(&[-0.1, 1.1]);
        });
        assert_eq!(fake.finding("output-activation"), None);
    }

    #[test]
    fn without_the_sums_it_is_not_measured() {
        let mut fake = sums(0.0);
        fake.each_capture(4, |_, l| l.activations.as_mut().unwrap().output_sum = None);
        assert!(fake.diagnose().not_measured.iter().any(|n| n.rule == "output-activation"));
    }
}
