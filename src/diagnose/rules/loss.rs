//! The loss curve.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::cause::Kind;
use super::super::quantities::Capture;
use super::super::rule::{Case, Hit, Rule, Unmeasured};
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

/// A loss above this multiple of guessing is worse than guessing, not like it.
const WORSE: f64 = 1.0;

pub static PLATEAU: Rule = Rule {
    name: "plateau",
    family: "loss",
    summary: "The loss is no better than that of guessing, or hardly",
    params: &[SHARE, EPOCHS, STEPS],
    measures: "The mean training loss of the last epoch against what the best constant prediction costs \
               (entropy of the classes; variance of the targets).",
    fires: "Warning at {share} of it or more, after at least {epochs} epochs and {steps} steps.",
    false_alarms: "A plateau that the run would have left later; targets that the inputs do not determine.",
    remedies: "Belong to its cause. Where none is found: Adam with 1e-3; learning rate x 1000 where updates \
               are small.",
    evaluate,
};

fn evaluate(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    case.captures()?;
    let chance = case.chance()?;
    let share = case.get(&SHARE);
    let flat = |c: &Capture| c.loss >= share * chance;
    let (epochs, steps) = (case.count(&EPOCHS) as u64, case.count(&STEPS) as u64);
    let Some(run) = case.held(1, flat) else { return Ok(Vec::new()) };
    // Every run begins at the loss of guessing: it becomes a plateau where it should have left it.
    let first = run.iter().find(|c| c.epoch + 1 >= epochs && c.step + 1 >= steps);
    let (Some(first), Some(last)) = (first, run.last()) else { return Ok(Vec::new()) };
    let message = format!(
        "the loss is {} that of guessing after {}: {} where guessing costs {}",
        if last.loss > WORSE * chance { "worse than" } else { "hardly below" },
        text::count(last.epoch + 1, "epoch"),
        number(last.loss),
        number(chance),
    );
    Ok(vec![Hit {
        kind: Kind::Plateau,
        severity: Severity::Warning,
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

#[cfg(test)]
mod tests {
    use super::super::super::test_support::Fake;

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
}
