//! Single layers that do not learn while others do.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::causes::Kind;
use super::super::quantities::{Capture, MIN_ELASTICITY};
use super::super::rule::{NO_GRADIENTS, NO_UPDATES, Rule, RuleContext, RuleMatch, Unmeasured, span};
use super::super::settings::Param;
use crate::record::LayerCapture;
use crate::text::number;

const CAPTURES: Param = Param::count("captures", 2, "captured epochs in a row (or all there are)");
const STILL: Param =
    Param::limit("still", 1e-6, "update over weight at which float32 weights all but stay as they are");
const MOVING: Param =
    Param::limit("moving", 1e-4, "update over weight of the layer that moves most: others do learn");
const NEIGHBOUR: Param = Param::limit(
    "neighbour",
    1e-2,
    "share of the strongest pull that the next layer receives: a gradient reached it and was lost in between",
);
const PULLED: Param = Param::limit(
    "pulled",
    1e-3,
    "share of the strongest pull that the layer itself receives: it has a gradient and is never changed",
);

/// Norm of a gradient from which its values' squares, which adaptive optimizers divide by, leave float32.
const OVERFLOWS: f64 = 1e18;

pub static LAYER_FROZEN: Rule = Rule {
    name: "layer-frozen",
    family: "update",
    summary: "A layer that is to be trained stays as it is while others learn",
    params: &[CAPTURES, STILL, MOVING, NEIGHBOUR, PULLED],
    measures: "Of every trainable matrix, the largest gradient and the largest update of an epoch, and its \
               median update over its weights; of other parameters, whether there is a gradient at all. The pull on a layer is the norm of its weights times that of \
               their gradient.",
    fires: "Where gradient or update are exactly 0, or absent, in every batch of {captures} captured \
            epochs in a row (where it began later than the first: without progress); or where the update is \
            under {still} while another layer's is {moving} or more, without progress. Error with harm and where it is mis-wired, else a \
            warning. It is mis-wired, and \
            a cause of its own, if it was so from the first capture and the gradient is absent, if the next layer receives {neighbour} of the \
            strongest pull, or if it is never changed though it receives {pulled} itself.",
    false_alarms: "Layers frozen by intent are told apart by what the record says of them. A layer that is \
                   alone in being dead, or in front of a dead one, follows from that.",
    remedies: "A wiring fault is in the code: a detached tensor, a parameter that the optimizer was not \
               given. Otherwise the remedy belongs to its cause.",
    evaluate,
};

fn evaluate(cx: &RuleContext) -> Result<Vec<RuleMatch>, Unmeasured> {
    let q = cx.q;
    cx.captures()?;
    if !q.has_gradients() {
        return Err(NO_GRADIENTS);
    }
    if !q.has_updates() {
        return Err(NO_UPDATES);
    }
    let frozen: Vec<(usize, &[Capture], bool)> = q
        .matrices
        .iter()
        .filter_map(|&i| {
            let exact = exactly(cx, i);
            exact.map(|run| (i, run, true)).or_else(|| relatively(cx, i).map(|run| (i, run, false)))
        })
        .collect();
    // Where no layer moves it is the run that has stalled.
    if frozen.len() == q.matrices.len() {
        return Ok(Vec::new());
    }
    let unreached = gains_without_gradient(cx);
    let (wired_wrong, others): (Vec<_>, Vec<_>) =
        frozen.into_iter().partition(|(i, run, exact)| *exact && miswired(cx, *i, run));
    let mut hits: Vec<RuleMatch> =
        wired_wrong.into_iter().map(|one| hit(cx, &[one], Kind::Disconnected)).collect();
    if !unreached.is_empty() {
        hits.push(hit(cx, &unreached, Kind::Unused));
    }
    if !others.is_empty() {
        hits.push(hit(cx, &others, Kind::Frozen));
    }
    Ok(hits)
}

/// What is no matrix, and has no gradient in any capture, not even one of zero.
fn gains_without_gradient<'c>(cx: &'c RuleContext) -> Vec<(usize, &'c [Capture<'c>], bool)> {
    let all = cx.q.captures.as_slice();
    let absent =
        |i: &usize| all.iter().all(|c| c.layers.get(*i).is_some_and(|l| l.gradient_norm().is_none()));
    let layers = cx.q.record.header.layers.iter().enumerate();
    let gains = layers.filter(|(_, l)| l.trainable && !l.kind.is_matrix()).map(|(i, _)| i);
    gains.filter(absent).map(|i| (i, all, true)).collect()
}

/// The captures in which every gradient of this layer was exactly 0, or every update while another layer
/// took steps worth the name: where none does, rounding takes the smallest.
fn exactly<'c>(cx: &'c RuleContext, index: usize) -> Option<&'c [Capture<'c>]> {
    let moving = cx.get(&MOVING);
    let zero = |c: &Capture, l: &LayerCapture| match l.gradient_norm() {
        None => true,
        Some(g) if g.max == 0.0 => true,
        Some(_) => {
            l.update_norm().is_some_and(|u| u.max == 0.0) && c.largest_update().is_some_and(|u| u >= moving)
        }
    };
    let run = cx.trailing_run(cx.count(&CAPTURES), |c| {
        allowed(cx, c) && c.layers.get(index).is_some_and(|l| zero(c, l))
    })?;
    let from_start = run.len() == cx.q.captures.len();
    (from_start || run.iter().all(|c| c.no_progress)).then_some(run)
}

/// The captures in which it moved next to nothing while another layer did.
fn relatively<'c>(cx: &'c RuleContext, index: usize) -> Option<&'c [Capture<'c>]> {
    let (still, moving) = (cx.get(&STILL), cx.get(&MOVING));
    cx.trailing_run(cx.count(&CAPTURES), |c| {
        c.no_progress
            && c.update.get(index).copied().flatten().is_some_and(|u| u < still)
            && c.largest_update().is_some_and(|u| u >= moving)
    })
}

/// With a learning rate of 0 nothing moves, by intent.
fn allowed(cx: &RuleContext, capture: &Capture) -> bool {
    // One that is unknown is none of these.
    capture.lr != 0.0 || cx.q.record.header.run.lr == 0.0
}

fn miswired(cx: &RuleContext, index: usize, run: &[Capture]) -> bool {
    let all = &cx.q.matrices;
    // What is in the code is so from the start; later it is the training that has cut a layer off.
    let from_start = run.len() == cx.q.captures.len();
    from_start
        && run.iter().all(|c| {
            let Some(layer) = c.layers.get(index) else { return false };
            if layer.gradient_norm().is_none() {
                return true;
            }
            let strongest = c.strongest().map_or(0.0, |(_, e)| e);
            // What is in front of it may be silent, or it may pass nothing itself: then that is why.
            let in_front = all.iter().copied().rfind(|i| *i < index);
            if strongest < MIN_ELASTICITY
                || in_front.is_some_and(|i| puts_out_nothing(c, i))
                || passes_nothing(c, index)
            {
                return false;
            }
            let pull = |i: usize| c.elasticity.get(i).copied().flatten().unwrap_or(0.0);
            let no_gradient = layer.gradient_norm().is_some_and(|g| g.max == 0.0);
            // In a program what is cut off has no gradient at all, and what has one of zero is silent.
            if no_gradient && cx.q.record.header.is_program() {
                false
            } else if no_gradient {
                let next = all.iter().copied().find(|i| *i > index);
                next.is_some_and(|next| pull(next) >= cx.get(&NEIGHBOUR) * strongest)
            } else if layer.gradient_norm().is_some_and(|g| g.max.is_nan() || g.max >= OVERFLOWS) {
                // An optimizer that divides by what overflows takes no step.
                false
            } else {
                pull(index) >= cx.get(&PULLED) * strongest
            }
        })
}

fn puts_out_nothing(capture: &Capture, index: usize) -> bool {
    let activations = capture.layers.get(index).and_then(|l| l.activations.as_ref());
    activations.is_some_and(|a| a.post.l1() == 0.0)
}

/// Whether no gradient gets back through its nonlinearity.
fn passes_nothing(capture: &Capture, index: usize) -> bool {
    let activations = capture.layers.get(index).and_then(|l| l.activations.as_ref());
    puts_out_nothing(capture, index) || activations.is_some_and(|a| a.saturated_fraction == Some(1.0))
}

fn hit(cx: &RuleContext, frozen: &[(usize, &[Capture], bool)], kind: Kind) -> RuleMatch {
    let layers: Vec<usize> = frozen.iter().map(|(i, _, _)| *i).collect();
    let (mut first, mut last) = (u64::MAX, 0);
    for (_, run, _) in frozen {
        let (a, z) = span(run);
        (first, last) = (first.min(a), last.max(z));
    }
    let exact = frozen.iter().all(|(_, _, exact)| *exact);
    let update = |(i, run, _): &(usize, &[Capture], bool)| {
        run.iter().filter_map(|c| c.update.get(*i).copied().flatten()).fold(0.0, f64::max)
    };
    let value = frozen.iter().map(update).fold(0.0, f64::max);
    let no_gradient = |(i, run, _): &(usize, &[Capture], bool)| {
        run.iter().all(|c| c.layers.get(*i).is_none_or(|l| l.gradient_norm().is_none_or(|g| g.max == 0.0)))
    };
    let (it, its, is) = if layers.len() == 1 { ("it", "its", "is") } else { ("them", "their", "are") };
    let what = match (exact, frozen.iter().all(no_gradient)) {
        (true, true) => format!("no gradient has reached {its} weights in any batch"),
        (true, false) => format!("{its} weights were never changed by any step"),
        (false, _) => format!("no step moves {it} by more than {} of {its} size", number(value)),
    };
    let names = cx.names(&layers);
    let absent = frozen
        .iter()
        .all(|(i, run, _)| run.iter().all(|c| c.layers.get(*i).is_some_and(|l| l.gradient_norm().is_none())));
    let wired_wrong = matches!(kind, Kind::Disconnected | Kind::Unused);
    let message = match kind {
        Kind::Disconnected | Kind::Unused if absent && layers.len() == 1 => format!(
            "{names} never receives a gradient: the loss does not depend on its parameters, which stay as they are. \
             Nothing uses what it puts out, or that is detached on its way."
        ),
        Kind::Disconnected | Kind::Unused if absent => format!(
            "{names} never receive a gradient: the loss does not depend on their parameters, which stay as they are. \
             Nothing uses what they put out, or that is detached on its way."
        ),
        Kind::Disconnected => format!(
            "{names} {is} cut off: {what} since epoch {first}, while the layers around {it} learn. This looks \
             mis-wired: a detached tensor, or a parameter that the optimizer was not given."
        ),
        _ => format!("{names} {is} frozen since epoch {first}: {what}, while other layers learn"),
    };
    RuleMatch {
        kind,
        severity: if wired_wrong { Severity::Error } else { cx.error_if_failing(Severity::Warning) },
        layers,
        first_epoch: first,
        last_epoch: last,
        first_step: (exact && first == 0).then_some(0),
        value,
        threshold: if exact { 0.0 } else { cx.get(&STILL) },
        quantity: "update over weight, median of the epoch",
        message,
        evidence: BTreeMap::from([("miswired".to_owned(), wired_wrong.into())]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Severity;
    use super::super::super::test_support::{Fake, Norms};
    use crate::record::LayerKind;

    /// A run whose third layer has these norms from an epoch on.
    fn third(fake: Fake, from: u64, then: Norms) -> Fake {
        let mut fake = fake;
        fake.set_norms(2, |e| if e < from { Norms { w: 2.0, g: 0.05, u: 0.02 } } else { then });
        fake
    }

    #[test]
    fn a_layer_without_gradient_between_layers_that_have_one_is_miswired() {
        let none = Norms { w: 2.0, g: 0.0, u: 0.0 };
        let f = third(Fake::healthy(6), 0, none).finding("layer-frozen").unwrap();
        assert_eq!((f.layer.as_deref(), f.root, f.severity), (Some("fc3"), true, Severity::Error));
        assert_eq!((f.first_step, f.evidence["miswired"].as_bool()), (Some(0), Some(true)));
        // Where it began later it may have converged.
        assert_eq!(third(Fake::healthy(6), 2, none).finding("layer-frozen"), None);
        assert!(third(Fake::stuck(6), 2, none).finding("layer-frozen").is_some());
        let some = Norms { w: 2.0, g: 1e-12, u: 1e-12 };
        assert_eq!(third(Fake::healthy(6), 0, some).finding("layer-frozen"), None);
    }

    #[test]
    fn what_is_cut_off_later_is_no_matter_of_wiring() {
        let none = Norms { w: 2.0, g: 0.0, u: 0.0 };
        let miswired = |from| {
            third(Fake::stuck(6), from, none).finding("layer-frozen").unwrap().evidence["miswired"] == true
        };
        assert!(miswired(0) && !miswired(1));
    }

    #[test]
    fn a_layer_with_a_gradient_that_never_moves_was_not_given_to_the_optimizer() {
        let still = |g: f64| third(Fake::healthy(6), 0, Norms { w: 2.0, g, u: 0.0 });
        let miswired = |f: Fake| f.finding("layer-frozen").unwrap().evidence["miswired"] == true;
        assert!(miswired(still(1.1e-3 * 0.05)) && !miswired(still(0.9e-3 * 0.05)));
        // Where others hardly move either, rounding may have taken its steps.
        let others = |u: f64| {
            let mut fake = Fake::healthy(6);
            (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 2.0 * u }));
            fake
        };
        let others = |u: f64| {
            let mut fake = others(u);
            fake.set_norms(2, |_| Norms { w: 2.0, g: 0.05, u: 0.0 });
            fake.finding("layer-frozen").map(|f| f.evidence["miswired"] == true)
        };
        assert_eq!((others(1.1e-4), others(0.9e-4)), (Some(true), None));
    }

    #[test]
    fn where_no_layer_is_pulled_zeros_say_nothing_of_the_wiring() {
        let faint = |g: f64| {
            let mut fake = Fake::stuck(6);
            (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g, u: 1e-9 }));
            let mut fake = third(fake, 0, Norms { w: 2.0, g: 0.0, u: 0.0 });
            fake.set_norms(3, |_| Norms { w: 2.0, g, u: 1e-9 });
            fake.finding("layer-frozen").unwrap().evidence["miswired"] == true
        };
        let at = 1e-3 * 0.693 / 2.0;
        assert!(faint(1.1 * at) && !faint(0.9 * at));
    }

    #[test]
    fn behind_a_silent_layer_no_gradient_is_expected() {
        let mut fake = third(Fake::stuck(6), 0, Norms { w: 2.0, g: 0.0, u: 0.0 });
        fake.silence(1, 8, 0, 0.1, -0.2);
        assert_eq!(fake.finding("layer-frozen").unwrap().evidence["miswired"], false);
    }

    #[test]
    fn an_absent_gradient_is_one_that_was_lost() {
        let mut fake = Fake::healthy(6);
        fake.each_capture(2, |_, l| (l.weight_grad, l.steps, l.update) = (None, None, None));
        assert_eq!(fake.finding("layer-frozen").unwrap().evidence["miswired"], true);
        // Frozen by intent.
        fake.record.header.layers[2].trainable = false;
        assert_eq!(fake.finding("layer-frozen"), None);
    }

    #[test]
    fn a_gain_that_nothing_uses_is_to_blame_for_nothing() {
        let mut fake = Fake::stuck(6);
        fake.each_capture(2, |_, l| (l.weight_grad, l.steps, l.update) = (None, None, None));
        assert!(fake.finding("plateau").unwrap().caused_by.is_some());
        fake.record.header.layers[2].kind = LayerKind::LayerNorm;
        let f = fake.finding("layer-frozen").unwrap();
        assert_eq!((f.severity, f.root, f.evidence["miswired"] == true), (Severity::Error, true, true));
        assert_eq!(fake.finding("plateau").unwrap().caused_by, None);
    }

    #[test]
    fn a_layer_that_all_but_stays_is_frozen_without_progress() {
        let almost = |u: f64| third(Fake::stuck(6), 0, Norms { w: 2.0, g: 0.05, u: 2.0 * u });
        assert!(almost(0.9e-6).finding("layer-frozen").is_some());
        assert_eq!(almost(1.1e-6).finding("layer-frozen"), None);
        assert_eq!(
            third(Fake::healthy(6), 0, Norms { w: 2.0, g: 0.05, u: 1e-7 }).finding("layer-frozen"),
            None
        );
    }

    #[test]
    fn where_no_layer_moves_the_run_has_stalled() {
        let mut fake = Fake::stuck(6);
        (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 0.0 }));
        assert_eq!(fake.finding("layer-frozen"), None);
        assert!(fake.finding("stalled").is_some());
    }
}
