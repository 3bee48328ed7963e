//! Gradients that do not arrive.
//!
//! Both rules look at the elasticity e = ‖W‖·‖g‖/L: by how much the loss changes, relative to itself,
//! when the layer's weights change relative to themselves. Multiplying the loss by a constant or
//! moving scale between ReLU layers leaves it alone, unlike mean |g|, the usual quantity, which moves eight
//! decades when only the loss is scaled.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::causes::Kind;
use super::super::quantities::Capture;
use super::super::rule::{NO_GRADIENTS, Rule, RuleContext, RuleMatch, Unmeasured};
use super::super::settings::Param;
use super::super::text;
use crate::text::number;

const ERROR: Param = Param::limit(
    "error",
    3e-3,
    "share of the strongest layer's elasticity below which the first layer does not learn in time; bears a \
     factor of 2 either way",
);
const CAPTURES: Param = Param::count(
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

pub static DEPTH: Rule = Rule {
    name: "vanishing-depth",
    family: "vanishing",
    summary: "The first layers receive next to nothing of the gradient that the last ones do",
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
    remedies: "Tiny initial weights: He or Xavier 4 of 4, BatchNorm 3 of 4; Adam or any learning rate 0 of \
               4. Deep sigmoid: ReLU with He, tanh with Xavier or BatchNorm 3 of 3; Xavier alone, \
               LayerNorm, Adam, learning rate x 100 0 of 3. Deep without normalisation: residual links 3 of \
               4, BatchNorm 2 of 4, He 1 of 4; LayerNorm, Adam 0 of 4.",
    evaluate: depth,
};

fn depth(cx: &RuleContext) -> Result<Vec<RuleMatch>, Unmeasured> {
    cx.captures()?;
    cx.baseline_loss()?;
    if !cx.q.has_gradients() {
        return Err(NO_GRADIENTS);
    }
    let under = |c: &Capture, limit: f64| c.depth_ratio().is_some_and(|p| p < limit);
    let (error, warning) = (cx.get(&ERROR), cx.get(&WARNING));
    if let Some(run) = cx.trailing_run(cx.count(&CAPTURES), |c| c.unconverged && under(c, error)) {
        return Ok(depth_hit(cx, run, error, Severity::Error).into_iter().collect());
    }
    let Some(run) = cx.trailing_run(cx.count(&WARNING_CAPTURES), |c| c.no_progress && under(c, warning))
    else {
        return Ok(Vec::new());
    };
    let late = |c: &Capture| {
        c.epoch + 1 >= cx.get(&ERROR_EPOCHS) as u64 && c.step + 1 >= cx.get(&ERROR_STEPS) as u64
    };
    let late = run.last().is_some_and(late);
    let severity = if late { cx.error_if_failing(Severity::Warning) } else { Severity::Warning };
    Ok(depth_hit(cx, run, warning, severity).into_iter().collect())
}

fn depth_hit(cx: &RuleContext, run: &[Capture], limit: f64, severity: Severity) -> Option<RuleMatch> {
    let ratio = |c: &&Capture| c.depth_ratio().unwrap_or(f64::INFINITY);
    let worst = run.iter().min_by(|a, b| ratio(a).total_cmp(&ratio(b)))?;
    let value = worst.depth_ratio()?;
    let (first, weakest) = worst.pulled().next()?;
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
    let pulls = cx.q.matrices.iter().filter_map(|&i| Some((i, (*capture.elasticity.get(i)?)?)));
    pulls.take_while(|(_, e)| *e < limit).map(|(i, _)| i).collect()
}

/// The lowest elasticity of a healthy run of the prototype.
const LEARNING: f64 = 0.0095;

const FLOOR: Param = Param::limit(
    "floor",
    1e-3,
    "elasticity that every learning layer exceeds: the lowest of a healthy run was 0.0095",
);

pub static ALL: Rule = Rule {
    name: "vanishing-all",
    family: "vanishing",
    summary: "No layer receives a gradient that matters, and nothing has been learned",
    params: &[FLOOR, CAPTURES],
    measures: "The largest elasticity of any layer (norm of the weights times norm of their gradient, \
               median of the epoch, over the loss).",
    fires: "Error at {floor} or less, at {captures} captured epochs in a row in which the loss is no better \
            than guessing.",
    false_alarms: "None at the end of the prototype's healthy runs. Layers that start at zero are left out.",
    remedies: "As vanishing-depth: tiny initial weights He or Xavier 4 of 4, BatchNorm 3 of 4. Inputs x \
               1e-3: standardise 4 of 4; Adam or learning rate x 100 0 of 4.",
    evaluate: all,
};

fn all(cx: &RuleContext) -> Result<Vec<RuleMatch>, Unmeasured> {
    cx.captures()?;
    cx.baseline_loss()?;
    if !cx.q.has_gradients() {
        return Err(NO_GRADIENTS);
    }
    let floor = cx.get(&FLOOR);
    let weak = |c: &Capture| {
        c.at_baseline && c.strongest().is_some_and(|(_, e)| e <= floor) && !was_pulled(c, &cx.q.matrices)
    };
    Ok(cx
        .trailing_run(cx.count(&CAPTURES), weak)
        .and_then(|run| all_hit(cx, run, floor))
        .into_iter()
        .collect())
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

fn all_hit(cx: &RuleContext, run: &[Capture], floor: f64) -> Option<RuleMatch> {
    let pull = |c: &&Capture| c.strongest().map_or(f64::INFINITY, |(_, e)| e);
    let worst = run.iter().min_by(|a, b| pull(a).total_cmp(&pull(b)))?;
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
    let vanished = |c: &&Capture| c.unconverged && c.depth_ratio().is_some_and(|p| p < ERROR.default);
    let before = cx.q.captures.iter().rev().skip_while(|c| c.epoch >= epoch);
    before.take_while(vanished).last().map_or(epoch, |c| c.epoch)
}

#[cfg(test)]
mod tests {
    use super::super::super::Severity;
    use super::super::super::test_support::{Fake, Norms};

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

    #[test]
    fn vanishing_everywhere_is_found_at_the_floor_and_not_above() {
        let all = |g: f64| {
            let mut fake = Fake::stuck(6);
            (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g, u: 0.02 }));
            fake
        };
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
