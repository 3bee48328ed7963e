//! Gradients that shrink on their way back through the layers.
//!
//! The elasticity e = ‖W‖·‖g‖/L is by how much the loss changes, relative to itself, when the layer's weights
//! change relative to themselves. Multiplying the loss by a constant or moving scale between ReLU layers leaves it
//! alone, unlike mean |g|, the usual quantity, which moves eight decades when only the loss is scaled.

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::Capture;
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope};
use crate::diagnose::text;
use crate::text::number;

pub(super) const ERROR: Param = Param::limit(
    "error",
    3e-3,
    "share of the strongest layer's elasticity below which the first layer does not learn in time; bears a \
     factor of 2 either way",
);

pub(super) const CAPTURES: Param = Param::count(
    "captures",
    2,
    "captured epochs in a row (or all there are): the gradient of one batch varies fourfold",
);

const WARNING: Param = Param::limit(
    "warning",
    1e-2,
    "the milder share, counted only without progress; does not bear a factor of 2",
);

const WARNING_CAPTURES: Param =
    Param::count("warning-captures", 3, "captured epochs in a row (or all there are) for the milder share");

const ERROR_EPOCHS: Param = Param::count(
    "error-epochs",
    5,
    "epochs after which the milder share, with harm, is an error: no late start",
);

const ERROR_STEPS: Param = Param::count(
    "error-steps",
    100,
    "steps after which it is: VGG-11 at torchvision's rate for its batch starts later than after 50",
)
.guessed();

const AFFECTED: Param = Param::limit(
    "affected",
    1e-2,
    "layers count as affected while the largest elasticity from the front stays under this share of the \
     largest",
);

pub static RULE: Rule = Rule {
    name: "vanishing-depth",
    family: "vanishing",
    summary: "The first layers receive next to nothing of the gradient that the last ones do",
    scope: Scope::Layer,
    params: &[ERROR, CAPTURES, WARNING, WARNING_CAPTURES, ERROR_EPOCHS, ERROR_STEPS, AFFECTED],
    measures: "The elasticity (norm of the weights times norm of their gradient, median of the epoch, over \
               the loss) of the first layer as a share of the strongest layer's. Only weight matrices; \
               layers whose gradient is exactly zero or whose weights are zero are left out.",
    fires: "Error below {error} at {captures} captured epochs in a row while there is something left to \
            learn. Warning below {warning} at {warning-captures} in a row without progress; with harm, an \
            error from {error-epochs} epochs and {error-steps} steps on. Affected are the layers from the front that stay under \
            {affected}.",
    false_alarms: "Weights drawn from N(0, 0.01) or N(0, 1) that Adam rescues: alarms for 1 to 8 epochs. \
                   Converged runs are excluded, since there is nothing left to learn.",
    trials: "Tiny initial weights: He or Xavier 4 of 4, BatchNorm 3 of 4; Adam or any learning rate 0 of \
             4. Deep sigmoid: ReLU with He, tanh with Xavier or BatchNorm 3 of 3; Xavier alone, \
             LayerNorm, Adam, learning rate x 100 0 of 3. Deep without normalisation: residual links 3 of \
             4, BatchNorm 2 of 4, He 1 of 4; LayerNorm, Adam 0 of 4.",
    needs: &[Need::Epoch, Need::BaselineLoss, Need::Gradients],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let (error, warning) = (cx.get(&ERROR), cx.get(&WARNING));
    let strict = cx.trailing_run(cx.count(&CAPTURES), |c| c.unconverged && depth_ratio(c) < error);
    if let Some(run) = strict {
        return Ok(describe(cx, run, error, Severity::Error).into_iter().collect());
    }
    let mild = cx.trailing_run(cx.count(&WARNING_CAPTURES), |c| c.no_progress && depth_ratio(c) < warning);
    let Some(run) = mild else { return Ok(Vec::new()) };
    let late = run.last().is_some_and(|c| {
        c.epoch + 1 >= cx.count(&ERROR_EPOCHS) as u64 && c.step + 1 >= cx.count(&ERROR_STEPS) as u64
    });
    let severity = if late { cx.error_if_failing(Severity::Warning) } else { Severity::Warning };
    Ok(describe(cx, run, warning, severity).into_iter().collect())
}

/// Elasticity of the first layer over that of the strongest; infinite where there is none.
fn depth_ratio(capture: &Capture) -> f64 {
    capture.depth_ratio().unwrap_or(f64::INFINITY)
}

fn describe(cx: &RuleContext, run: &[Capture], limit: f64, severity: Severity) -> Option<RuleMatch> {
    let worst = run.iter().min_by(|a, b| depth_ratio(a).total_cmp(&depth_ratio(b)))?;
    let value = worst.depth_ratio()?;
    let (first, weakest) = worst.reached().next()?;
    let (strong, strongest) = worst.strongest()?;
    let mut layers = affected(cx, worst, cx.get(&AFFECTED) * strongest);
    if layers.is_empty() {
        layers.push(first);
    }
    let [front, back] = [first, strong].map(|l| cx.names(&[l]));
    let message = format!(
        "the gradient vanishes on its way back to {front}, which receives only {} of the pull that {back} does \
         (limit {}), since epoch {}. Relative to weights and loss it shrinks from layer to layer, so that {} \
         hardly {}.",
        number(value),
        number(limit),
        run.first()?.epoch,
        cx.names(&layers),
        if layers.len() == 1 { "learns" } else { "learn" },
    );
    let evidence = [
        ("weakest_layer", front.into()),
        ("strongest_layer", back.into()),
        ("weakest_elasticity", text::value(weakest)),
        ("strongest_elasticity", text::value(strongest)),
        ("worst_epoch", worst.epoch.into()),
    ];
    Some(RuleMatch {
        kind: Kind::VanishingDepth,
        severity,
        layers,
        first_epoch: run.first()?.epoch,
        last_epoch: run.last()?.epoch,
        first_step: None,
        value,
        threshold: limit,
        quantity: "elasticity of the first layer over that of the strongest",
        message,
        evidence: evidence.map(|(k, v)| (k.to_owned(), v)).into(),
    })
}

/// Layers from the front whose running maximum stays under the limit; a gradient that has become
/// exactly zero on its way to them counts as well.
fn affected(cx: &RuleContext, capture: &Capture, limit: f64) -> Vec<usize> {
    let measured = cx.q.matrices.iter().filter_map(|&i| Some((i, (*capture.elasticity.get(i)?)?)));
    measured.take_while(|(_, e)| *e < limit).map(|(i, _)| i).collect()
}

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    plan.shrinking_with_depth();
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::{Fake, Norms};

    /// A stuck run whose first layer has this share of the others' elasticity from an epoch on.
    fn weak(share: f64, from: u64, epochs: u64) -> Fake {
        let mut fake = Fake::stuck(epochs);
        fake.set_norms(0, |e| Norms { w: 2.0, g: if e >= from { 0.05 * share } else { 0.05 }, u: 0.02 });
        fake
    }

    #[test]
    fn a_share_below_the_limit_twice_is_an_error_and_one_above_it_is_not() {
        let f = weak(2.9e-3, 3, 6).finding("vanishing-depth").unwrap();
        assert_eq!((f.severity, f.first_epoch, f.last_epoch), (Severity::Error, 3, 5));
        assert_eq!(f.layers, ["fc1"]);
        assert!((f.value - 2.9e-3).abs() < 1e-9 && f.threshold == 3e-3);
        assert_eq!(weak(1.01e-2, 0, 6).finding("vanishing-depth"), None);
        // Once is not twice, and what no longer holds is no longer reported.
        assert_eq!(weak(2.9e-3, 5, 6).finding("vanishing-depth"), None);
        let mut recovered = weak(1e-4, 0, 6);
        recovered.set_norms(0, |e| Norms { w: 2.0, g: if e < 5 { 1e-9 } else { 0.05 }, u: 0.02 });
        assert_eq!(recovered.finding("vanishing-depth"), None);
    }

    #[test]
    fn the_milder_share_is_a_warning_without_progress_and_later_an_error() {
        // Of ten steps an epoch, and of a hundred.
        for (epochs, times, severity) in [
            (9, 1, Severity::Warning),
            (10, 1, Severity::Error),
            (4, 10, Severity::Warning),
            (5, 10, Severity::Error),
        ] {
            let mut fake = weak(5e-3, 0, epochs);
            fake.record.epochs.iter_mut().for_each(|e| e.step = (e.step + 1) * times - 1);
            assert_eq!(fake.finding("vanishing-depth").unwrap().severity, severity, "{epochs} × {times}");
        }
        assert_eq!(weak(5e-3, 4, 6).finding("vanishing-depth"), None);
        let mut learning = weak(5e-3, 0, 6);
        learning.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(learning.finding("vanishing-depth"), None);
    }

    #[test]
    fn a_converged_run_may_have_small_gradients() {
        let mut fake = weak(1e-6, 0, 6);
        fake.set_loss(|e| if e == 0 { 0.693 } else { 0.06 });
        assert_eq!(fake.finding("vanishing-depth"), None);
    }

    #[test]
    fn layers_without_gradient_or_weights_are_left_out_of_the_ratio() {
        let mut fake = Fake::stuck(6);
        fake.set_norms(0, |_| Norms { w: 2.0, g: 0.0, u: 0.0 });
        fake.set_norms(1, |_| Norms { w: 0.0, g: 0.05, u: 0.02 });
        assert_eq!(fake.finding("vanishing-depth"), None);
    }
}
