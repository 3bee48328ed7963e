//! A dev loss that rises while the training loss falls.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::{Capture, span};
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::text::number;

const RISES: Param =
    Param::count("rises", 5, "captured epochs in a row; the dev loss of one epoch goes up by chance");

const RISE: Param =
    Param::limit("rise", 1.05, "times the lowest dev loss: what it wavers by from epoch to epoch is less")
        .guessed();

pub static RULE: Rule = Rule {
    name: "overfit",
    family: "loss",
    summary: "The dev loss rises while the training loss falls",
    scope: Scope::Run,
    params: &[RISES, RISE],
    measures: "The loss on the dev set and the mean training loss of the last captured epochs.",
    fires: "Info where the dev loss was {rise} times its lowest or more at the last {rises} captured epochs, and \
            the training loss fell over the same time.",
    false_alarms: "The accuracy may rise all the same, where a network only becomes surer of its mistakes.",
    trials: "Fewer epochs, more data, dropout or weight decay; the test result is that of the epoch with \
             the best dev score anyway.",
    needs: &[Need::Epoch],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: None,
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let captures = &cx.q.captures;
    if captures.iter().all(|c| dev_loss(cx, c).is_none()) {
        return Err(Unmeasured("there is no dev set"));
    }
    // Of equal ones the latest: it rises from there.
    let losses = captures.iter().enumerate().rev().filter_map(|(i, c)| Some((i, dev_loss(cx, c)?)));
    let lowest = losses.filter(|(_, loss)| loss.is_finite()).min_by(|(_, a), (_, b)| a.total_cmp(b));
    let Some((best, from)) = lowest else { return Ok(Vec::new()) };
    let tail = &captures[best..];
    let (rises, rise) = (cx.count(&RISES), cx.get(&RISE));
    let ([first, .., last], true) = (tail, tail.len() > rises) else { return Ok(Vec::new()) };
    let rising =
        tail.iter().rev().take(rises).all(|c| dev_loss(cx, c).is_some_and(|loss| loss >= rise * from));
    let Some(to) = dev_loss(cx, last).filter(|_| rising && last.loss < first.loss) else {
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
        kind: Kind::Independent,
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

fn dev_loss(cx: &RuleContext, capture: &Capture) -> Option<f64> {
    cx.q.record.epochs.iter().find(|e| e.epoch == capture.epoch)?.dev_loss
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::Fake;

    #[test]
    fn a_dev_loss_that_rises_while_the_training_loss_falls_is_noted() {
        fn rising(from: u64) -> Fake {
            let mut fake = Fake::healthy(9);
            for e in &mut fake.record.epochs {
                // One of the rising epochs is a little better than the one before.
                let wavers = if e.epoch == 6 { 0.02 } else { 0.0 };
                e.dev_loss = Some(if e.epoch < from { 0.5 } else { 0.5 + 0.01 * e.epoch as f64 - wavers });
            }
            fake
        }
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
