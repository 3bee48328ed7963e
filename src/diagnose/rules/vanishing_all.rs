//! Gradients that reach no layer.

use std::collections::BTreeMap;

use super::vanishing_depth::{CAPTURES, ERROR};
use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::Capture;
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope};
use crate::text::number;

/// The lowest elasticity of a healthy run of the prototype.
const LEARNING: f64 = 0.0095;

const FLOOR: Param = Param::limit(
    "floor",
    1e-3,
    "elasticity that every learning layer exceeds: the lowest of a healthy run was 0.0095",
);

pub static RULE: Rule = Rule {
    name: "vanishing-all",
    family: "vanishing",
    summary: "No layer receives a gradient that matters, and nothing has been learned",
    scope: Scope::Layer,
    params: &[FLOOR, CAPTURES],
    measures: "The largest elasticity of any layer (norm of the weights times norm of their gradient, \
               median of the epoch, over the loss).",
    fires: "Error at {floor} or less, at {captures} captured epochs in a row in which the loss is no better \
            than guessing.",
    false_alarms: "None at the end of the prototype's healthy runs. Layers that start at zero are left out.",
    trials: "As vanishing-depth: tiny initial weights He or Xavier 4 of 4, BatchNorm 3 of 4. Inputs x \
             1e-3: standardise 4 of 4; Adam or learning rate x 100 0 of 4.",
    needs: &[Need::Epoch, Need::BaselineLoss, Need::Gradients],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let floor = cx.get(&FLOOR);
    let run = cx.trailing_run(cx.count(&CAPTURES), |c| {
        c.at_baseline && strongest(c) <= floor && !was_pulled(c, &cx.q.matrices)
    });
    Ok(run.and_then(|run| describe(cx, run, floor)).into_iter().collect())
}

/// The largest elasticity of any layer; infinite where none is known.
fn strongest(capture: &Capture) -> f64 {
    capture.strongest().map_or(f64::INFINITY, |(_, e)| e)
}

/// Whether some step of the epoch pulled at a layer as those of learning networks do, though most may not
/// have: dropout, say, can leave nothing of a small layer.
fn was_pulled(capture: &Capture, matrices: &[usize]) -> bool {
    matrices.iter().any(|&i| {
        let steps = capture.layers.get(i).and_then(|l| l.steps);
        let largest = steps.and_then(|s| Some(s.weight_l2?.median * s.grad_l2?.max / capture.loss));
        largest.is_some_and(|e| e >= LEARNING)
    })
}

fn describe(cx: &RuleContext, run: &[Capture], floor: f64) -> Option<RuleMatch> {
    let worst = run.iter().min_by(|a, b| strongest(a).total_cmp(&strongest(b)))?;
    let (strong, value) = worst.strongest()?;
    let since = run.first()?.epoch;
    let first_epoch = vanishing_since(cx, since);
    let mut message = if value == 0.0 {
        format!("no weight receives any gradient since epoch {}: every one is exactly 0", since)
    } else {
        format!(
            "no layer is pulled: even {}, the strongest, has an elasticity of {} (limit {}) since epoch {}, \
             and the loss is hardly better than guessing",
            cx.names(&[strong]),
            number(value),
            number(floor),
            since,
        )
    };
    if first_epoch < since {
        message += &format!("; on the way to the first layers it has vanished since epoch {first_epoch}");
    }
    let measured =
        cx.q.matrices.iter().copied().filter(|&i| worst.elasticity.get(i).is_some_and(Option::is_some));
    Some(RuleMatch {
        kind: Kind::VanishingAll,
        severity: Severity::Error,
        layers: measured.collect(),
        first_epoch,
        last_epoch: run.last()?.epoch,
        first_step: None,
        value,
        threshold: floor,
        quantity: "largest elasticity of any layer",
        message,
        evidence: BTreeMap::from([("strongest_layer".to_owned(), cx.names(&[strong]).into())]),
    })
}

/// Where the captures before this epoch vanished with depth without a break, the first of them: a network
/// that has given up on its first layers ends with no gradient anywhere, and that is one fault, not two.
fn vanishing_since(cx: &RuleContext, epoch: u64) -> u64 {
    let before = cx.q.captures.iter().rev().skip_while(|c| c.epoch >= epoch);
    let vanished = before.take_while(|c| c.unconverged && c.depth_ratio().is_some_and(|p| p < ERROR.default));
    vanished.last().map_or(epoch, |c| c.epoch)
}

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    plan.shrinking_with_depth();
}

#[cfg(test)]
mod tests {
    use crate::diagnose::test_support::{Fake, Norms};

    #[test]
    fn vanishing_everywhere_is_found_at_the_floor_and_not_above() {
        fn all(g: f64) -> Fake {
            let mut fake = Fake::stuck(6);
            (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g, u: 0.02 }));
            fake
        }
        // w * g / L at the floor of 1e-3
        let at = 1e-3 * 0.693 / 2.0;
        assert!(all(0.999 * at).finding("vanishing-all").is_some());
        assert_eq!(all(1.001 * at).finding("vanishing-all"), None);
        let mut learning = all(0.5 * at);
        learning.set_loss(|_| 0.6);
        assert_eq!(learning.finding("vanishing-all"), None);
        let mut zero_weights = all(0.0);
        (0..5).for_each(|i| zero_weights.set_norms(i, |_| Norms { w: 0.0, g: 0.1, u: 0.02 }));
        assert_eq!(zero_weights.finding("vanishing-all"), None);
    }
}
