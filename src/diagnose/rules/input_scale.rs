//! Inputs on a scale that networks are not made for.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Direction, Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::text::number;

const SMALL: Param = Param::limit(
    "small",
    0.03,
    "RMS of the inputs below which the first layer hardly sees them: weights are drawn for inputs of about 1. At \
     0.03 SGD was harmed in 5 runs of 5, Adam in none",
)
.bracketed();

const LARGE: Param = Param::limit(
    "large",
    30.0,
    "RMS above which steps that suit the rest are far too large for the first layer. At 10 both SGD and Adam were \
     harmed in 5 runs of 5, but data are often that large and learned all the same",
)
.bracketed();

pub static RULE: Rule = Rule {
    name: "input-scale",
    family: "data",
    summary: "The inputs are far from the scale that networks are made for",
    scope: Scope::Run,
    params: &[SMALL, LARGE],
    measures: "The root mean square of the training inputs as the model sees them. Efficient backprop wants \
               them around zero with a variance of 1 (LeCun and others, 1998).",
    fires: "Outside {small} to {large} where no normalisation follows the first layer. Error with harm, else \
            warning.",
    false_alarms: "Adam gets along with inputs that are somewhat off; then it is a warning.",
    trials: "Standardise the inputs 4 of 4; Adam or learning rate x 100 0 of 4.",
    needs: &[],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let header = &cx.q.record.header;
    let rms = header.data.input_rms;
    if !(rms.is_finite() && rms >= 0.0) {
        return Err(Unmeasured("the record does not say how large the inputs are (input_rms)"));
    }
    let Some(first) = header.layers.iter().position(|l| l.kind.is_matrix()) else { return Ok(Vec::new()) };
    let (small, large) = (cx.get(&SMALL), cx.get(&LARGE));
    if header.layers[first].normalized || (small..=large).contains(&rms) {
        return Ok(Vec::new());
    }
    let (low, limit, direction) =
        if rms < small { ("small", small, Direction::Small) } else { ("large", large, Direction::Large) };
    let message = format!(
        "the inputs are too {low}: their root mean square is {} (limit {}), where networks are made for about \
         1. {}",
        number(rms),
        number(limit),
        if rms < small {
            "The first layers see next to nothing of them, and receive gradients as small."
        } else {
            "The first layer's outputs and gradients are as many times too large."
        },
    );
    Ok(vec![RuleMatch {
        kind: Kind::InputScale(direction),
        severity: cx.error_if_failing(Severity::Warning),
        layers: Vec::new(),
        first_epoch: 0,
        last_epoch: cx.q.captures.last().map_or(0, |c| c.epoch),
        first_step: Some(0),
        value: rms,
        threshold: limit,
        quantity: "root mean square of the inputs",
        message,
        evidence: BTreeMap::new(),
    }])
}

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    plan.standardise();
    plan.normalise("it scales what the first layer puts out, whatever the inputs");
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::Fake;

    fn inputs(rms: f64) -> Fake {
        let mut fake = Fake::stuck(6);
        fake.record.header.data.input_rms = rms;
        fake
    }

    #[test]
    fn inputs_outside_of_the_range_are_off_scale() {
        for (rms, fires) in [(0.029, true), (0.031, false), (29.9, false), (30.1, true), (0.0, true)] {
            assert_eq!(inputs(rms).finding("input-scale").is_some(), fires, "{rms}");
        }
        assert_eq!(inputs(1e4).finding("input-scale").unwrap().severity, Severity::Error);
        let mut normalized = inputs(1e4);
        normalized.record.header.layers[0].normalized = true;
        assert_eq!(normalized.finding("input-scale"), None);
        let mut healthy = Fake::healthy(6);
        healthy.record.header.data.input_rms = 1e4;
        assert_eq!(healthy.finding("input-scale").unwrap().severity, Severity::Warning);
        assert!(inputs(f64::NAN).diagnose().not_measured.iter().any(|n| n.rule == "input-scale"));
    }
}
