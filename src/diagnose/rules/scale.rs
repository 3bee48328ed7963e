//! Inputs and targets on a scale that networks are not made for.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::causes::{Direction, Kind};
use super::super::rule::{Rule, RuleContext, RuleMatch, Unmeasured};
use super::super::settings::Param;
use super::super::text;
use crate::record::Task;
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

pub static INPUT_SCALE: Rule = Rule {
    name: "input-scale",
    family: "data",
    summary: "The inputs are far from the scale that networks are made for",
    params: &[SMALL, LARGE],
    measures: "The root mean square of the training inputs as the model sees them. Efficient backprop wants \
               them around zero with a variance of 1 (LeCun and others, 1998).",
    fires: "Outside {small} to {large} where no normalisation follows the first layer. Error with harm, else \
            warning.",
    false_alarms: "Adam gets along with inputs that are somewhat off; then it is a warning.",
    remedies: "Standardise the inputs 4 of 4; Adam or learning rate x 100 0 of 4.",
    evaluate: inputs,
};

fn inputs(cx: &RuleContext) -> Result<Vec<RuleMatch>, Unmeasured> {
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
    Ok(vec![hit(cx, Kind::InputScale(direction), rms, limit, "root mean square of the inputs", message)])
}

/// A fault of the data: there from the start to the end.
fn hit(
    cx: &RuleContext,
    kind: Kind,
    value: f64,
    threshold: f64,
    quantity: &'static str,
    message: String,
) -> RuleMatch {
    RuleMatch {
        kind,
        severity: cx.error_if_failing(Severity::Warning),
        layers: Vec::new(),
        first_epoch: 0,
        last_epoch: cx.q.captures.last().map_or(0, |c| c.epoch),
        first_step: Some(0),
        value,
        threshold,
        quantity,
        message,
        evidence: BTreeMap::new(),
    }
}

const TARGET: Param = Param::limit(
    "limit",
    30.0,
    "size of mean or standard deviation: a network starts at outputs of about 1 and has that far to go. At 10 SGD \
     was harmed in 5 runs of 5, Adam in none",
)
.bracketed();

const SMALL_TARGET: Param = Param::limit(
    "small",
    0.03,
    "size of mean and standard deviation below which what a network starts with drowns them, where nothing is \
     learned: at 0.1 five runs of five were harmed",
)
.bracketed();

pub static TARGET_SCALE: Rule = Rule {
    name: "target-scale",
    family: "data",
    summary: "The targets of a regression are far from what a network puts out at first",
    params: &[TARGET, SMALL_TARGET],
    measures: "Mean and standard deviation of the training targets.",
    fires: "Where the size of either is above {limit}: error with harm, else warning. Where that of both is below \
            {small}, with harm: error.",
    false_alarms: "With patience, or a large learning rate at the output, a network gets there; then it is \
                   a warning.",
    remedies: "Standardise the targets 3 of 3; learning rate, clipping, BatchNorm 0 of 3.",
    evaluate: targets,
};

fn targets(cx: &RuleContext) -> Result<Vec<RuleMatch>, Unmeasured> {
    let data = &cx.q.record.header.data;
    if data.task != Task::Regression {
        return Ok(Vec::new());
    }
    let (Some(mean), Some(std)) = (data.target_mean, data.target_std) else {
        return Err(Unmeasured(
            "the record does not say how large the targets are (target_mean, target_std)",
        ));
    };
    let value = mean.abs().max(std);
    let (large, small) = (cx.get(&TARGET), cx.get(&SMALL_TARGET));
    let (limit, size, what) = if value.is_finite() && value > large {
        (large, "large", "Losses and gradients are as many times too large")
    } else if value < small && cx.q.failing {
        (small, "small", "What it starts with is as many times larger than what there is to learn")
    } else {
        return Ok(Vec::new());
    };
    let message = format!(
        "the targets are too {size}: their mean is {} and their standard deviation {} (limit {}), where a \
         network starts at outputs of about 1. {what}: standardise the targets first.",
        number(mean),
        number(std),
        number(limit),
    );
    let quantity = "mean or standard deviation of the targets, whichever is larger";
    let mut hit = hit(cx, Kind::TargetScale, value, limit, quantity, message);
    hit.evidence = [("target_mean", mean), ("target_std", std)]
        .map(|(name, x)| (name.to_owned(), text::value(x)))
        .into();
    Ok(vec![hit])
}

#[cfg(test)]
mod tests {
    use super::super::super::Severity;
    use super::super::super::test_support::Fake;
    use crate::record::Task;

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

    #[test]
    fn targets_of_a_regression_may_be_up_to_the_limit() {
        let targets = |mean: f64, std: f64| {
            let mut fake = Fake::stuck(6);
            let data = &mut fake.record.header.data;
            (data.task, data.target_mean, data.target_std) = (Task::Regression, Some(mean), Some(std));
            fake.finding("target-scale").is_some()
        };
        for (mean, std, fires) in [
            (29.9, 29.9, false),
            (-30.1, 1.0, true),
            (0.0, 30.1, true),
            (0.0, 0.031, false),
            (-0.029, 0.029, true),
        ] {
            assert_eq!(targets(mean, std), fires, "{mean} {std}");
        }
        let mut unknown = Fake::stuck(6);
        unknown.record.header.data.task = Task::Regression;
        assert!(unknown.diagnose().not_measured.iter().any(|n| n.rule == "target-scale"));
    }
}
