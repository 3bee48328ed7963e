//! Gradients that shrink on their way back through the steps of a sequence.
//!
//! The gradient counts with respect to a recurrent layer's hidden state after each step, by all ways through the
//! steps that follow: where it is gone at the first step, nothing that stood there can be learned from, however well
//! the last steps are (Hochreiter, 1991; Bengio, Simard and Frasconi, 1994).

use super::shared::recurrent::{hidden_state_gradient, recurrent_layers};
use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::Capture;
use crate::diagnose::remedy::{Change, Plan, adam_at};
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::diagnose::text;
use crate::record::settings::Cell;
use crate::text::number;

const SHARE: Param = Param::limit(
    "share",
    1e-8,
    "share of the largest gradient along the way that reaches the first step: beside the largest, float32 adds it up to nothing",
)
.guessed();

const CAPTURES: Param = Param::count(
    "captures",
    3,
    "captured epochs in a row (or all there are): gates may yet open in the first ones",
);

pub static RULE: Rule = Rule {
    name: "vanishing-time",
    family: "vanishing",
    summary: "The first steps of a sequence receive next to nothing of the gradient that the last ones do",
    scope: Scope::Layer,
    params: &[SHARE, CAPTURES],
    measures: "Of every recurrent layer, the norm of the gradient of the loss with respect to its hidden state \
               after the first step, over the largest such norm of any step.",
    fires: "Below {share} at {captures} captured epochs in a row while there is something left to learn: an \
            error with harm, else info.",
    false_alarms: "Where only the end of a sequence matters, nothing is lost with its beginning: 6 of 6 healthy \
                   runs of such sequences, of 50 to 70 steps, had the same shares. Without harm it is only noted.",
    trials: "A plain layer that is to remember the first of 60 steps, with Adam, over 5 seeds: a GRU whose \
             biases begin at 1 5 of 5, orthogonal weights 3 of 5; over one seed, an LSTM or a GRU with biases \
             of their own 0 of 2. Shorter sequences help any cell.",
    needs: &[Need::Epoch],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::NotMeasured,
    remedies: Some(remedies),
};

/// The layer of this capture whose first step receives the least, and the share.
fn least(cx: &RuleContext, capture: &Capture) -> Option<(usize, f64)> {
    recurrent_layers(cx)
        .filter_map(|i| {
            let ends = hidden_state_gradient(capture.layers, i)?.ends()?;
            (ends.largest > 0.0).then(|| (i, ends.first / ends.largest))
        })
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

/// The share of that layer; infinite where there is none.
fn least_share(cx: &RuleContext, capture: &Capture) -> f64 {
    least(cx, capture).map_or(f64::INFINITY, |(_, share)| share)
}

fn evaluate(cx: &RuleContext) -> Evaluation {
    let captures = &cx.q.captures;
    if recurrent_layers(cx).next().is_none() {
        return Ok(Vec::new());
    }
    Need::BaselineLoss.check(cx.q)?;
    if !captures.iter().any(|c| recurrent_layers(cx).any(|i| hidden_state_gradient(c.layers, i).is_some())) {
        return Err(Unmeasured("the record does not hold the gradients of hidden states, step by step"));
    }
    let limit = cx.get(&SHARE);
    let run = cx.trailing_run(cx.count(&CAPTURES), |c| c.unconverged && least_share(cx, c) < limit);
    Ok(run.and_then(|run| describe(cx, run, limit)).into_iter().collect())
}

fn describe(cx: &RuleContext, run: &[Capture], limit: f64) -> Option<RuleMatch> {
    let worst = run.iter().min_by(|a, b| least_share(cx, a).total_cmp(&least_share(cx, b)))?;
    let (layer, value) = least(cx, worst)?;
    let signal = hidden_state_gradient(worst.layers, layer)?;
    let largest = signal.ends()?.largest;
    let reached = signal.l2.iter().rev().take_while(|l2| f64::from(**l2) >= limit * largest).count();
    let steps = signal.steps;
    let message = format!(
        "the gradient vanishes on its way back through time: the first of {steps} steps of {} receives {} of the \
         largest along the way (limit {}), since epoch {}. What stands at the beginning of a sequence is not \
         learned from.",
        cx.names(&[layer]),
        number(value),
        number(limit),
        run.first()?.epoch,
    );
    let evidence = [
        ("steps", steps.into()),
        // Of long sequences not every step is kept.
        ("reached_share", text::value(reached as f64 / signal.l2.len() as f64)),
        ("worst_epoch", worst.epoch.into()),
    ];
    Some(RuleMatch {
        kind: Kind::VanishingTime,
        severity: cx.error_if_failing(Severity::Info),
        layers: vec![layer],
        first_epoch: run.first()?.epoch,
        last_epoch: run.last()?.epoch,
        first_step: None,
        value,
        threshold: limit,
        quantity: "gradient of the hidden state at the first step over the largest of any step",
        message,
        evidence: evidence.map(|(k, v)| (k.to_owned(), v)).into(),
    })
}

/// Changes that keep gradients alive through the steps of a sequence. Tried on a plain layer that is to
/// remember the first of 60 steps, over five seeds: the first worked in 5 of 5, the second in 3; LSTM, and
/// GRU with biases of its own, in 0 of 1 each.
fn remedies(plan: &mut Plan, _: &RuleMatch) {
    let [adam, rate] = adam_at(0.005);
    plan.add(
        [Change::Cell(Cell::Gru), Change::Bias(1.0), adam, rate],
        "a GRU whose gates begin half open keeps what it holds from step to step",
    );
    if plan.has_plain_cell() {
        let [adam, rate] = adam_at(0.001);
        plan.add(
            [Change::Init("orthogonal".into()), adam, rate],
            "orthogonal weights keep the size of what they pass on; tanh still takes its share",
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::Fake;

    #[test]
    fn a_share_below_the_limit_three_times_fires_and_one_above_it_does_not() {
        fn vanishing(first: f32, epochs: u64, from: u64) -> Fake {
            let mut fake = Fake::recurrent(epochs);
            fake.signal_through_time(|e| if e >= from { vec![first, 0.3, 1.0, 0.5] } else { vec![1.0; 4] });
            fake
        }
        let f = vanishing(0.9e-8, 6, 3).finding("vanishing-time").unwrap();
        assert_eq!((f.severity, f.first_epoch, f.last_epoch), (Severity::Error, 3, 5));
        assert_eq!(f.layer.as_deref(), Some("rnn1.weight_hh_l0"));
        assert_eq!(f.evidence["reached_share"], 0.75);
        assert_eq!(vanishing(1.1e-8, 6, 0).finding("vanishing-time"), None);
        assert_eq!(vanishing(0.9e-8, 6, 4).finding("vanishing-time"), None);
        // Below the smallest float32 it is still vanishing; where nothing arrives anywhere it is not of time.
        assert!(vanishing(0.0, 6, 0).finding("vanishing-time").is_some());
        let mut none = Fake::recurrent(6);
        none.signal_through_time(|_| vec![0.0; 4]);
        assert_eq!(none.finding("vanishing-time"), None);
        let mut learning = vanishing(0.9e-8, 6, 0);
        learning.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(learning.finding("vanishing-time").unwrap().severity, Severity::Info);
        let mut learned = vanishing(0.9e-8, 6, 0);
        learned.set_loss(|e| if e == 0 { 0.693 } else { 0.06 });
        assert_eq!(learned.finding("vanishing-time"), None);
    }

    #[test]
    fn a_record_without_states_is_not_measured_and_one_without_recurrence_passes() {
        fn missing(fake: &Fake) -> bool {
            let not = fake.diagnose().not_measured;
            not.into_iter().any(|n| n.rule == "vanishing-time")
        }
        let mut fake = Fake::recurrent(6);
        fake.signal_through_time(|_| Vec::new());
        fake.each_capture(1, |_, l| l.hidden_state_gradient = None);
        assert!(missing(&fake) && !missing(&Fake::stuck(6)));
    }
}
