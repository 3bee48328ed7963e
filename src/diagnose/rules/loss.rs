//! The loss curve.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::causes::Kind;
use super::super::quantities::Capture;
use super::super::rule::{Rule, RuleContext, RuleMatch, Unmeasured, span};
use super::super::settings::Param;
use super::super::text;
use crate::text::number;

const SHARE: Param =
    Param::limit("share", 0.95, "share of the loss of guessing from which nothing to speak of was learned");
const EPOCHS: Param = Param::count("epochs", 4, "epochs before that means anything");
const STEPS: Param = Param::count(
    "steps",
    60,
    "optimizer steps before that means anything: full-batch epochs are single steps",
);

const TREND: Param = Param::limit(
    "trend",
    2.0,
    "z of the test of Mann (1945) and Kendall (1975) for a falling loss over the last 10 captured epochs: by \
     chance a stuck run falls as steadily once in 40 times",
)
.guessed();

/// Captured epochs over which a trend is looked for.
const TREND_CAPTURES: usize = 10;
/// A loss above this multiple of guessing is worse than guessing, not like it, in three digits.
const WORSE: f64 = 1.005;

pub static PLATEAU: Rule = Rule {
    name: "plateau",
    family: "loss",
    summary: "The loss is no better than that of guessing, or hardly",
    params: &[SHARE, EPOCHS, STEPS, TREND],
    measures: "The mean training loss of the last epoch against what the best constant prediction costs \
               (entropy of the classes; variance of the targets).",
    fires: "Warning at {share} of it or more at the end, after at least {epochs} epochs and {steps} steps; \
            info while the run goes on, and where the loss falls with a trend of {trend} standard \
            deviations: the run is short, not stuck.",
    false_alarms: "A plateau that the run would have left later; targets that the inputs do not determine.",
    remedies: "Belong to its cause. Where none is found: Adam with 1e-3; learning rate x 1000 where updates \
               are small.",
    evaluate,
};

fn evaluate(cx: &RuleContext) -> Result<Vec<RuleMatch>, Unmeasured> {
    cx.captures()?;
    let chance = cx.baseline_loss()?;
    let share = cx.get(&SHARE);
    let flat = |c: &Capture| c.loss >= share * chance;
    let (epochs, steps) = (cx.count(&EPOCHS) as u64, cx.count(&STEPS) as u64);
    let Some(run) = cx.trailing_run(1, flat) else { return Ok(Vec::new()) };
    // Every run begins at the loss of guessing: it becomes a plateau where it should have left it.
    let first = run.iter().find(|c| c.epoch + 1 >= epochs && c.step + 1 >= steps);
    let (Some(first), Some(last)) = (first, run.last()) else { return Ok(Vec::new()) };
    let tail = cx.q.captures.iter().rev().take(TREND_CAPTURES).map(|c| c.loss);
    // Of a run that is still going on nobody can tell whether it will leave it.
    let wanted = cx.q.record.header.run.epochs;
    let going_on = cx.q.record.end.is_none() && last.epoch + 1 < wanted;
    let leaving = going_on || falling(&tail.collect::<Vec<_>>()) >= cx.get(&TREND);
    let message = format!(
        "the loss is {} that of guessing after {}: {} where guessing costs {}",
        match last.loss / chance {
            worse if worse > WORSE => "worse than",
            like if like * WORSE > 1.0 => "about",
            _ => "hardly below",
        },
        text::count(last.epoch + 1, "epoch"),
        number(last.loss),
        number(chance),
    );
    Ok(vec![RuleMatch {
        kind: Kind::Plateau,
        severity: if leaving { Severity::Info } else { Severity::Warning },
        layers: Vec::new(),
        first_epoch: first.epoch,
        last_epoch: last.epoch,
        first_step: None,
        value: last.loss / chance,
        threshold: share,
        quantity: "training loss over the loss of guessing",
        message,
        evidence: BTreeMap::from([
            ("loss".to_owned(), text::value(last.loss)),
            ("guessing".to_owned(), text::value(chance)),
        ]),
    }])
}

/// How steadily a loss falls, latest value first: the number of pairs in which the later is lower, less
/// those in which it is higher, in standard deviations of what chance makes of it.
fn falling(latest_first: &[f64]) -> f64 {
    let mut balance = 0.0;
    for (i, later) in latest_first.iter().enumerate() {
        for earlier in &latest_first[i + 1..] {
            balance += f64::from(i8::from(later < earlier) - i8::from(later > earlier));
        }
    }
    let n = latest_first.len() as f64;
    if n < 2.0 { 0.0 } else { balance / (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt() }
}

const RISES: Param =
    Param::count("rises", 5, "captured epochs in a row; the dev loss of one epoch goes up by chance");
const RISE: Param =
    Param::limit("rise", 1.05, "times the lowest dev loss: what it wavers by from epoch to epoch is less")
        .guessed();

pub static OVERFIT: Rule = Rule {
    name: "overfit",
    family: "loss",
    summary: "The dev loss rises while the training loss falls",
    params: &[RISES, RISE],
    measures: "The loss on the dev set and the mean training loss of the last captured epochs.",
    fires: "Info where the dev loss was {rise} times its lowest or more at the last {rises} captured epochs, and \
            the training loss fell over the same time.",
    false_alarms: "The accuracy may rise all the same, where a network only becomes surer of its mistakes.",
    remedies: "Fewer epochs, more data, dropout or weight decay; the test result is that of the epoch with \
               the best dev score anyway.",
    evaluate: overfit,
};

fn overfit(cx: &RuleContext) -> Result<Vec<RuleMatch>, Unmeasured> {
    let captures = cx.captures()?;
    let dev = |c: &Capture| cx.q.record.epochs.iter().find(|e| e.epoch == c.epoch)?.dev_loss;
    if captures.iter().all(|c| dev(c).is_none()) {
        return Err(Unmeasured("there is no dev set"));
    }
    let lowest = |(_, a): &(usize, f64), (_, b): &(usize, f64)| a.total_cmp(b);
    // Of equal ones the latest: it rises from there.
    let losses = captures.iter().enumerate().rev().filter_map(|(i, c)| Some((i, dev(c)?)));
    let Some((best, from)) = losses.filter(|(_, loss)| loss.is_finite()).min_by(lowest) else {
        return Ok(Vec::new());
    };
    let tail = &captures[best..];
    let (rises, rise) = (cx.count(&RISES), cx.get(&RISE));
    let above = |c: &Capture| dev(c).is_some_and(|loss| loss >= rise * from);
    let ([first, .., last], true) = (tail, tail.len() > rises) else { return Ok(Vec::new()) };
    let (true, true, Some(to)) =
        (tail.iter().rev().take(rises).all(above), last.loss < first.loss, dev(last))
    else {
        return Ok(Vec::new());
    };
    let (first_epoch, last_epoch) = span(tail);
    let message = format!(
        "the network overfits: since epoch {first_epoch} the dev loss has risen from {} to {} while the \
         training loss fell from {} to {}",
        number(from),
        number(to),
        number(first.loss),
        number(last.loss),
    );
    Ok(vec![RuleMatch {
        kind: Kind::Note,
        severity: Severity::Info,
        layers: Vec::new(),
        first_epoch,
        last_epoch,
        first_step: None,
        value: to / from,
        threshold: rise,
        quantity: "dev loss at the end over its lowest",
        message,
        evidence: BTreeMap::new(),
    }])
}

#[cfg(test)]
mod tests {
    use super::super::super::Severity;
    use super::super::super::test_support::Fake;
    use super::falling;

    #[test]
    fn a_loss_of_guessing_is_a_plateau_after_some_epochs_and_steps() {
        let at = |share: f64, epochs: u64| {
            let mut fake = Fake::healthy(epochs);
            fake.set_loss(|_| share * 0.693);
            fake.finding("plateau")
        };
        assert_eq!(at(0.951, 7).unwrap().first_epoch, 5);
        assert_eq!(at(0.949, 7), None);
        // Ten steps an epoch: not yet sixty.
        assert_eq!(at(1.0, 5), None);
    }

    #[test]
    fn a_run_that_is_leaving_its_plateau_is_only_noted() {
        let noisy = |up: &[u64]| {
            let mut fake = Fake::healthy(10);
            fake.set_loss(|e| 0.69 - 1e-3 * if up.contains(&e) { 0.0 } else { e as f64 });
            fake.finding("plateau").unwrap().severity
        };
        assert_eq!(noisy(&[]), Severity::Info);
        // 36 pairs of 45 fall, and 27.
        assert_eq!(noisy(&[5]), Severity::Info);
        assert_eq!(noisy(&[8, 9]), Severity::Warning);
    }

    #[test]
    fn a_plateau_is_one_when_the_run_is_over() {
        let mut fake = Fake::stuck(8);
        assert_eq!(fake.finding("plateau").unwrap().severity, Severity::Warning);
        fake.record.header.run.epochs = 9;
        assert_eq!(fake.finding("plateau").unwrap().severity, Severity::Info);
    }

    #[test]
    fn a_steady_fall_is_many_standard_deviations() {
        assert!((falling(&[1.0, 2.0, 3.0, 4.0, 5.0]) - 10.0 / (300.0f64 / 18.0).sqrt()).abs() < 1e-12);
        assert_eq!((falling(&[]), falling(&[1.0, 1.0])), (0.0, 0.0));
    }

    #[test]
    fn a_dev_loss_that_rises_while_the_training_loss_falls_is_noted() {
        let rising = |from: u64| {
            let mut fake = Fake::healthy(9);
            for e in &mut fake.record.epochs {
                // One of the rising epochs is a little better than the one before.
                let wavers = if e.epoch == 6 { 0.02 } else { 0.0 };
                e.dev_loss = Some(if e.epoch < from { 0.5 } else { 0.5 + 0.01 * e.epoch as f64 - wavers });
            }
            fake
        };
        let f = rising(4).finding("overfit").unwrap();
        assert_eq!((f.severity, f.first_epoch, f.last_epoch), (Severity::Info, 3, 8));
        assert_eq!(rising(5).finding("overfit"), None);
        let mut stuck = rising(0);
        stuck.set_loss(|_| 0.6);
        for e in &mut stuck.record.epochs {
            e.dev_loss = Some(0.5 + 0.01 * e.epoch as f64);
        }
        assert_eq!(stuck.finding("overfit"), None);
        let mut none = rising(0);
        none.record.epochs.iter_mut().for_each(|e| e.dev_loss = None);
        assert!(none.diagnose().not_measured.iter().any(|n| n.rule == "overfit"));
    }
}
