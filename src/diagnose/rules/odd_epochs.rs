//! A number of captured epochs that is odd.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::span;
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope};

const LEAST: Param = Param::count(
    "least",
    101,
    "captured epochs before that is worth a note: shorter runs are counted at a glance",
)
.guessed();

pub static RULE: Rule = Rule {
    name: "odd-epochs",
    family: "notes",
    summary: "The number of captured epochs is odd",
    scope: Scope::Run,
    params: &[LEAST],
    measures: "The number of captured epochs.",
    fires: "Info where it is odd, and {least} or more.",
    false_alarms: "Every one of them: nothing is wrong with an odd number.",
    trials: "One epoch more.",
    needs: &[Need::Epoch],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: None,
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let captures = &cx.q.captures;
    let (count, least) = (captures.len(), cx.count(&LEAST));
    if count < least || count.is_multiple_of(2) {
        return Ok(Vec::new());
    }
    let (first_epoch, last_epoch) = span(captures);
    Ok(vec![RuleMatch {
        kind: Kind::Independent,
        severity: Severity::Info,
        layers: Vec::new(),
        first_epoch,
        last_epoch,
        first_step: None,
        value: count as f64,
        threshold: least as f64,
        quantity: "captured epochs",
        message: format!("{count} epochs were captured, which is an odd number"),
        evidence: BTreeMap::new(),
    }])
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::Fake;

    #[test]
    fn an_odd_number_of_captured_epochs_is_noted() {
        let f = Fake::healthy(101).finding("odd-epochs").unwrap();
        assert_eq!((f.severity, f.value, f.first_epoch), (Severity::Info, 101.0, 0));
        assert_eq!(Fake::healthy(102).finding("odd-epochs"), None);
        assert_eq!(Fake::healthy(99).finding("odd-epochs"), None);
    }
}
