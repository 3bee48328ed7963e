//! Gradients on their way back through the steps of a sequence.
//!
//! What counts is the gradient with respect to a recurrent layer's hidden state after each step, by all
//! ways through the steps that follow: where it is gone at the first step, nothing that stood there can be
//! learned from, however well the last steps are (Hochreiter, 1991; Bengio, Simard and Frasconi, 1994).

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::cause::Kind;
use super::super::quantities::Capture;
use super::super::rule::{Case, Hit, Rule, Unmeasured};
use super::super::settings::Param;
use super::super::text;
use crate::record::{HiddenStateGradient, LayerCapture, LayerKind};
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

pub static VANISHING_TIME: Rule = Rule {
    name: "vanishing-time",
    family: "vanishing",
    summary: "The first steps of a sequence receive next to nothing of the gradient that the last ones do",
    params: &[SHARE, CAPTURES],
    measures: "Of every recurrent layer, the norm of the gradient of the loss with respect to its hidden state \
               after the first step, over the largest such norm of any step.",
    fires: "Below {share} at {captures} captured epochs in a row while there is something left to learn: an \
            error with harm, else info.",
    false_alarms: "Where only the end of a sequence matters, nothing is lost with its beginning: 6 of 6 healthy \
                   runs of such sequences, of 50 to 70 steps, had the same shares. Without harm it is only noted.",
    remedies: "A plain layer that is to remember the first of 60 steps, with Adam, over 5 seeds: a GRU whose \
               biases begin at 1 5 of 5, orthogonal weights 3 of 5; over one seed, an LSTM or a GRU with biases \
               of their own 0 of 2. Shorter sequences help any cell.",
    evaluate,
};

/// The layers that look back, in the header's order.
fn recurrent(case: &Case) -> impl Iterator<Item = usize> {
    case.q
        .matrices
        .iter()
        .copied()
        .filter(|&i| case.q.layer(i).is_some_and(|l| l.kind == LayerKind::Recurrent))
}

/// Of this capture, the layer whose first step receives the least, and the share.
fn least(case: &Case, capture: &Capture) -> Option<(usize, f64)> {
    let share = |i: usize| {
        let ends = signal(capture.layers, i)?.ends()?;
        (ends.largest > 0.0).then(|| (i, ends.first / ends.largest))
    };
    recurrent(case).filter_map(share).min_by(|a, b| a.1.total_cmp(&b.1))
}

fn signal(layers: &[LayerCapture], index: usize) -> Option<&HiddenStateGradient> {
    layers.get(index)?.hidden_state_gradient.as_ref()
}

fn evaluate(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    let captures = case.captures()?;
    if recurrent(case).next().is_none() {
        return Ok(Vec::new());
    }
    case.chance()?;
    if !captures.iter().any(|c| recurrent(case).any(|i| signal(c.layers, i).is_some())) {
        return Err(Unmeasured("the record does not hold the gradients of hidden states, step by step"));
    }
    let limit = case.get(&SHARE);
    let under = |c: &Capture| c.left && least(case, c).is_some_and(|(_, share)| share < limit);
    let run = case.held(case.count(&CAPTURES), under);
    Ok(run.and_then(|run| hit(case, run, limit)).into_iter().collect())
}

fn hit(case: &Case, run: &[Capture], limit: f64) -> Option<Hit> {
    let of = |c: &Capture| least(case, c).map_or(f64::INFINITY, |(_, share)| share);
    let worst = run.iter().min_by(|a, b| of(a).total_cmp(&of(b)))?;
    let (layer, value) = least(case, worst)?;
    let signal = signal(worst.layers, layer)?;
    let largest = signal.ends()?.largest;
    let reached = signal.l2.iter().rev().take_while(|l2| f64::from(**l2) >= limit * largest).count();
    let steps = signal.steps;
    let message = format!(
        "the gradient vanishes on its way back through time: the first of {steps} steps of {} receives {} of the \
         largest along the way (limit {}), since epoch {}. What stands at the beginning of a sequence is not \
         learned from.",
        case.names(&[layer]),
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
    Some(Hit {
        kind: Kind::VanishingTime,
        severity: case.with_harm(Severity::Info),
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

pub const GROWTH: Param = Param::limit(
    "growth",
    10.0,
    "of a recurrent layer, before the first step: growth of the gradient from the last hidden state to the first",
)
.guessed();

/// A gradient that grows on its way back through time, before the first step: a finding of
/// `exploding-time`.
pub fn growing(case: &Case) -> Option<Hit> {
    let start = case.q.start?;
    let growth = |i: usize| {
        let ends = signal(start, i)?.ends()?;
        (ends.last > 0.0).then(|| (i, ends.first / ends.last))
    };
    let (layer, value) = recurrent(case).filter_map(growth).max_by(|a, b| a.1.total_cmp(&b.1))?;
    let limit = case.get(&GROWTH);
    if value < limit {
        return None;
    }
    let steps = signal(start, layer)?.steps;
    let message = format!(
        "before the first step the gradient grows on its way back through time: the first of {steps} steps of {} \
         receives {} times what the last does (limit {}). Steps that suit the last are too large for the first.",
        case.names(&[layer]),
        number(value),
        number(limit),
    );
    Some(Hit {
        kind: Kind::ExplodingTime,
        severity: case.with_harm(Severity::Info),
        layers: vec![layer],
        first_epoch: 0,
        last_epoch: 0,
        first_step: Some(0),
        value,
        threshold: limit,
        quantity: "gradient of the hidden state at the first step over that at the last, before the first update",
        message,
        evidence: BTreeMap::from([("steps".to_owned(), steps.into())]),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::Severity;
    use super::super::super::test_support::Fake;

    #[test]
    fn a_share_below_the_limit_three_times_fires_and_one_above_it_does_not() {
        let vanishing = |first: f32, epochs: u64, from: u64| {
            let mut fake = Fake::recurrent(epochs);
            fake.signal_through_time(|e| if e >= from { vec![first, 0.3, 1.0, 0.5] } else { vec![1.0; 4] });
            fake
        };
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
    fn growth_through_time_counts_before_the_first_step_and_is_noted_without_harm() {
        let growing = |times: f32| {
            let mut fake = Fake::recurrent(6);
            fake.signal_through_time(|e| if e == 0 { vec![times, 5.0, 2.0, 1.0] } else { vec![1.0; 4] });
            fake
        };
        let f = growing(10.1).finding("exploding-time").unwrap();
        assert_eq!((f.severity, f.first_step), (Severity::Error, Some(0)));
        assert_eq!(growing(9.9).finding("exploding-time"), None);
        let mut learning = growing(100.0);
        learning.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(learning.finding("exploding-time").unwrap().severity, Severity::Info);
    }

    #[test]
    fn a_record_without_states_is_not_measured_and_one_without_recurrence_passes() {
        let missing = |fake: &Fake| {
            let not = fake.diagnose().not_measured;
            not.into_iter().any(|n| n.rule == "vanishing-time")
        };
        let mut fake = Fake::recurrent(6);
        fake.signal_through_time(|_| Vec::new());
        fake.each_capture(1, |_, l| l.hidden_state_gradient = None);
        assert!(missing(&fake) && !missing(&Fake::stuck(6)));
    }
}
