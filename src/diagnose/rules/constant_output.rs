//! Outputs that are the same for every input.

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::{Capture, span};
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::diagnose::text;
use crate::text::number;

const LIMIT: Param = Param::limit(
    "limit",
    1e-5,
    "spread of the outputs over their size; float32 resolves 1e-7, a network that has learned anything \
     spreads far more",
);

pub static RULE: Rule = Rule {
    name: "constant-output",
    family: "output",
    summary: "The network answers every input with the same output",
    scope: Scope::Output,
    params: &[LIMIT],
    measures: "The standard deviation of the outputs over the samples of the captured batch, over their \
               mean magnitude.",
    fires: "Warning below {limit} while the loss is no better than guessing.",
    false_alarms: "None known; it is nearly always a consequence, of dead layers or of vanishing gradients.",
    trials: "Belong to its cause.",
    needs: &[Need::Epoch, Need::BaselineLoss],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::NotMeasured,
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let captures = &cx.q.captures;
    let output = cx.q.record.header.layers.iter().rposition(|l| l.output);
    let stds: Vec<f64> =
        output.map_or(Vec::new(), |i| captures.iter().filter_map(|c| sample_std(c, i)).collect());
    let Some(output) = output.filter(|_| !stds.is_empty()) else {
        return Err(Unmeasured("the record does not hold what the network puts out"));
    };
    if stds.iter().all(|std| std.is_nan()) {
        return Err(Unmeasured("how outputs spread takes two samples at a capture, and finite ones"));
    }
    let limit = cx.get(&LIMIT);
    let run = cx.trailing_run(1, |c| c.at_baseline && spread(c, output).is_some_and(|s| s < limit));
    Ok(run.map(|run| describe(run, output, limit)).into_iter().collect())
}

/// The standard deviation of the outputs over samples.
fn sample_std(capture: &Capture, output: usize) -> Option<f64> {
    capture.layers.get(output)?.activations.as_ref().map(|a| a.post_sample_std)
}

fn describe(run: &[Capture], output: usize, limit: f64) -> RuleMatch {
    let value = run.iter().filter_map(|c| spread(c, output)).fold(f64::INFINITY, f64::min);
    let (first_epoch, last_epoch) = span(run);
    let mean = run.last().and_then(|c| c.layers.get(output)?.activations.as_ref()?.post.mean());
    let message = format!(
        "the network answers every input with the same output{} since epoch {first_epoch}: the outputs spread by {} of \
         their size (limit {}), and the loss is no better than guessing",
        mean.map_or(String::new(), |m| format!(" ({} on average)", number(m))),
        number(value),
        number(limit),
    );
    RuleMatch {
        kind: Kind::ConstantOutput,
        severity: Severity::Warning,
        layers: vec![output],
        first_epoch,
        last_epoch,
        first_step: None,
        value,
        threshold: limit,
        quantity: "standard deviation of the outputs over samples, over their mean magnitude",
        message,
        evidence: mean.map(|m| ("mean_output".to_owned(), text::value(m))).into_iter().collect(),
    }
}

fn spread(capture: &Capture, output: usize) -> Option<f64> {
    let activations = capture.layers.get(output)?.activations.as_ref()?;
    let std = activations.post_sample_std;
    let size = activations.post.l1() / activations.post.finite().max(1) as f64;
    if std == 0.0 { Some(0.0) } else { Some(std / size).filter(|s| s.is_finite()) }
}

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    plan.no_progress();
}

#[cfg(test)]
mod tests {
    use crate::diagnose::test_support::Fake;

    #[test]
    fn outputs_that_spread_by_less_than_the_limit_are_constant() {
        // The mean output is 0.5.
        fn spread(std: f64) -> Fake {
            let mut fake = Fake::stuck(6);
            fake.each_capture(4, |_, l| l.activations.as_mut().unwrap().post_sample_std = std);
            fake
        }
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
