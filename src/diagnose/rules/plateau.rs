//! A loss that stays where guessing leaves it.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope};
use crate::diagnose::text;
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

pub static RULE: Rule = Rule {
    name: "plateau",
    family: "loss",
    summary: "The loss is no better than that of guessing, or hardly",
    scope: Scope::Run,
    params: &[SHARE, EPOCHS, STEPS, TREND],
    measures: "The mean training loss of the last epoch against what the best constant prediction costs \
               (entropy of the classes; variance of the targets).",
    fires: "Warning at {share} of it or more at the end, after at least {epochs} epochs and {steps} steps; \
            info while the run goes on, and where the loss falls with a trend of {trend} standard \
            deviations: the run is short, not stuck.",
    false_alarms: "A plateau that the run would have left later; targets that the inputs do not determine.",
    trials: "Belong to its cause. Where none is found: Adam with 1e-3; learning rate x 1000 where updates \
             are small.",
    needs: &[Need::Epoch, Need::BaselineLoss],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let Some(baseline) = cx.q.baseline_loss else { return Ok(Vec::new()) };
    let share = cx.get(&SHARE);
    let (epochs, steps) = (cx.count(&EPOCHS) as u64, cx.count(&STEPS) as u64);
    let Some(run) = cx.trailing_run(1, |c| c.loss >= share * baseline) else { return Ok(Vec::new()) };
    // Every run begins at the loss of guessing: it becomes a plateau where it should have left it.
    let first = run.iter().find(|c| c.epoch + 1 >= epochs && c.step + 1 >= steps);
    let (Some(first), Some(last)) = (first, run.last()) else { return Ok(Vec::new()) };
    let tail = cx.q.captures.iter().rev().take(TREND_CAPTURES).map(|c| c.loss);
    // Of a run that is still going on nobody can tell whether it will leave it.
    let wanted = cx.q.record.header.run.training.epochs;
    let going_on = cx.q.record.end.is_none() && last.epoch + 1 < wanted;
    let leaving = going_on || falling(&tail.collect::<Vec<_>>()) >= cx.get(&TREND);
    let message = format!(
        "the loss is {} that of guessing after {}: {} where guessing costs {}",
        match last.loss / baseline {
            worse if worse > WORSE => "worse than",
            like if like * WORSE > 1.0 => "about",
            _ => "hardly below",
        },
        text::count(last.epoch + 1, "epoch"),
        number(last.loss),
        number(baseline),
    );
    Ok(vec![RuleMatch {
        kind: Kind::Plateau,
        severity: if leaving { Severity::Info } else { Severity::Warning },
        layers: Vec::new(),
        first_epoch: first.epoch,
        last_epoch: last.epoch,
        first_step: None,
        value: last.loss / baseline,
        threshold: share,
        quantity: "training loss over the loss of guessing",
        message,
        evidence: BTreeMap::from([
            ("loss".to_owned(), text::value(last.loss)),
            ("guessing".to_owned(), text::value(baseline)),
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

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    plan.no_progress();
}

#[cfg(test)]
mod tests {
    use super::falling;
    use crate::diagnose::finding::{Finding, Severity};
    use crate::diagnose::test_support::Fake;

    #[test]
    fn a_loss_of_guessing_is_a_plateau_after_some_epochs_and_steps() {
        fn at(share: f64, epochs: u64) -> Option<Finding> {
            let mut fake = Fake::healthy(epochs);
            fake.set_loss(|_| share * 0.693);
            fake.finding("plateau")
        }
        assert_eq!(at(0.951, 7).unwrap().first_epoch, 5);
        assert_eq!(at(0.949, 7), None);
        // Ten steps an epoch: not yet sixty.
        assert_eq!(at(1.0, 5), None);
    }

    #[test]
    fn a_run_that_is_leaving_its_plateau_is_only_noted() {
        fn noisy(up: &[u64]) -> Severity {
            let mut fake = Fake::healthy(10);
            fake.set_loss(|e| 0.69 - 1e-3 * if up.contains(&e) { 0.0 } else { e as f64 });
            fake.finding("plateau").unwrap().severity
        }
        assert_eq!(noisy(&[]), Severity::Info);
        // 36 pairs of 45 fall, and 27.
        assert_eq!(noisy(&[5]), Severity::Info);
        assert_eq!(noisy(&[8, 9]), Severity::Warning);
    }

    #[test]
    fn a_plateau_is_one_when_the_run_is_over() {
        let mut fake = Fake::stuck(8);
        assert_eq!(fake.finding("plateau").unwrap().severity, Severity::Warning);
        fake.record.header.run.training.epochs = 9;
        assert_eq!(fake.finding("plateau").unwrap().severity, Severity::Info);
    }

    #[test]
    fn a_steady_fall_is_many_standard_deviations() {
        assert!((falling(&[1.0, 2.0, 3.0, 4.0, 5.0]) - 10.0 / (300.0f64 / 18.0).sqrt()).abs() < 1e-12);
        assert_eq!((falling(&[]), falling(&[1.0, 1.0])), (0.0, 0.0));
    }
}
