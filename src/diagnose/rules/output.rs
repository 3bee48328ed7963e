//! What the network puts out.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::causes::Kind;
use super::super::quantities::Capture;
use super::super::rule::{Rule, RuleContext, RuleMatch, Unmeasured};
use super::super::settings::Param;
use super::super::text;
use crate::text::number;

const LIMIT: Param = Param::limit(
    "limit",
    1e-5,
    "spread of the outputs over their size; float32 resolves 1e-7, a network that has learned anything \
     spreads far more",
);

pub static CONSTANT: Rule = Rule {
    name: "constant-output",
    family: "output",
    summary: "The network answers every input with the same output",
    params: &[LIMIT],
    measures: "The standard deviation of the outputs over the samples of the captured batch, over their \
               mean magnitude.",
    fires: "Warning below {limit} while the loss is no better than guessing.",
    false_alarms: "None known; it is nearly always a consequence, of dead layers or of vanishing gradients.",
    remedies: "Belong to its cause.",
    evaluate,
};

fn evaluate(cx: &RuleContext) -> Result<Vec<RuleMatch>, Unmeasured> {
    let q = cx.q;
    let captures = cx.captures()?;
    cx.baseline_loss()?;
    let output = q.record.header.layers.iter().rposition(|l| l.output);
    let seen = |c: &Capture, i: usize| c.layers.get(i)?.activations.as_ref().map(|a| a.post_sample_std);
    let Some(output) = output.filter(|&i| captures.iter().any(|c| seen(c, i).is_some())) else {
        return Err(Unmeasured("the record does not hold what the network puts out"));
    };
    if !captures.iter().any(|c| seen(c, output).is_some_and(|std| !std.is_nan())) {
        return Err(Unmeasured("how outputs spread takes two samples at a capture, and finite ones"));
    }
    let limit = cx.get(&LIMIT);
    let constant = |c: &Capture| c.at_baseline && spread(c, output).is_some_and(|s| s < limit);
    let Some(run) = cx.trailing_run(1, constant) else { return Ok(Vec::new()) };
    let value = run.iter().filter_map(|c| spread(c, output)).fold(f64::INFINITY, f64::min);
    let epoch = |c: Option<&Capture>| c.map_or(0, |c| c.epoch);
    let mean = run.last().and_then(|c| c.layers.get(output)?.activations.as_ref()?.post.mean());
    let message = format!(
        "the network answers every input with the same output{} since epoch {}: the outputs spread by {} of \
         their size (limit {}), and the loss is no better than guessing",
        mean.map_or(String::new(), |m| format!(" ({} on average)", number(m))),
        epoch(run.first()),
        number(value),
        number(limit),
    );
    Ok(vec![RuleMatch {
        kind: Kind::ConstantOutput,
        severity: Severity::Warning,
        layers: vec![output],
        first_epoch: epoch(run.first()),
        last_epoch: epoch(run.last()),
        first_step: None,
        value,
        threshold: limit,
        quantity: "standard deviation of the outputs over samples, over their mean magnitude",
        message,
        evidence: mean
            .map(|m| ("mean_output".to_owned(), text::value(m)))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
    }])
}

fn spread(capture: &Capture, output: usize) -> Option<f64> {
    let activations = capture.layers.get(output)?.activations.as_ref()?;
    let std = activations.post_sample_std;
    let size = activations.post.l1() / activations.post.finite().max(1) as f64;
    if std == 0.0 { Some(0.0) } else { Some(std / size).filter(|s| s.is_finite()) }
}

#[cfg(test)]
mod tests {
    use super::super::super::test_support::Fake;

    #[test]
    fn outputs_that_spread_by_less_than_the_limit_are_constant() {
        // The mean output is 0.5.
        let spread = |std: f64| {
            let mut fake = Fake::stuck(6);
            fake.each_capture(4, |_, l| l.activations.as_mut().unwrap().post_sample_std = std);
            fake
        };
        assert_eq!(spread(4.9e-6).finding("constant-output").unwrap().layer.as_deref(), Some("fc5"));
        assert_eq!(spread(5.1e-6).finding("constant-output"), None);
        // A last batch of one row tells nothing.
        let alone = spread(f64::NAN).diagnose();
        assert!(alone.not_measured.iter().any(|n| n.rule == "constant-output"), "{:?}", alone.not_measured);
        let mut learning = spread(0.0);
        learning.set_loss(|_| 0.6);
        assert_eq!(learning.finding("constant-output"), None);
    }
}
