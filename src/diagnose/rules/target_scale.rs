//! Targets on a scale that networks do not start at.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::rule::{Evaluation, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::diagnose::text;
use crate::record::Task;
use crate::text::number;

const LIMIT: Param = Param::limit(
    "limit",
    30.0,
    "size of mean or standard deviation: a network starts at outputs of about 1 and has that far to go. At 10 SGD \
     was harmed in 5 runs of 5, Adam in none",
)
.bracketed();

const SMALL: Param = Param::limit(
    "small",
    0.03,
    "size of mean and standard deviation below which what a network starts with drowns them, where nothing is \
     learned: at 0.1 five runs of five were harmed",
)
.bracketed();

pub static RULE: Rule = Rule {
    name: "target-scale",
    family: "data",
    summary: "The targets of a regression are far from what a network puts out at first",
    scope: Scope::Run,
    params: &[LIMIT, SMALL],
    measures: "Mean and standard deviation of the training targets.",
    fires: "Where the size of either is above {limit}: error with harm, else warning. Where that of both is below \
            {small}, with harm: error.",
    false_alarms: "With patience, or a large learning rate at the output, a network gets there; then it is \
                   a warning.",
    trials: "Standardise the targets 3 of 3; learning rate, clipping, BatchNorm 0 of 3.",
    needs: &[],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: None,
};

fn evaluate(cx: &RuleContext) -> Evaluation {
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
    let (large, small) = (cx.get(&LIMIT), cx.get(&SMALL));
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
    Ok(vec![RuleMatch {
        kind: Kind::TargetScale,
        severity: cx.error_if_failing(Severity::Warning),
        layers: Vec::new(),
        first_epoch: 0,
        last_epoch: cx.q.captures.last().map_or(0, |c| c.epoch),
        first_step: Some(0),
        value,
        threshold: limit,
        quantity: "mean or standard deviation of the targets, whichever is larger",
        message,
        evidence: BTreeMap::from([
            ("target_mean".to_owned(), text::value(mean)),
            ("target_std".to_owned(), text::value(std)),
        ]),
    }])
}

#[cfg(test)]
mod tests {
    use crate::diagnose::test_support::Fake;
    use crate::record::Task;

    #[test]
    fn targets_of_a_regression_may_be_up_to_the_limit() {
        fn targets(mean: f64, std: f64) -> bool {
            let mut fake = Fake::stuck(6);
            let data = &mut fake.record.header.data;
            (data.task, data.target_mean, data.target_std) = (Task::Regression, Some(mean), Some(std));
            fake.finding("target-scale").is_some()
        }
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
