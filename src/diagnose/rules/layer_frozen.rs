//! Single layers that do not learn while others do.

use std::collections::BTreeMap;

use super::shared::weights::{match_in_files, never_changes, nothing_changes, two_files};
use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::{Capture, MIN_ELASTICITY, span};
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope};
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

/// Share of the matrices above which those that never change are taken to be frozen by intent, as in
/// fine-tuning. A guess: a layer that was forgotten is one among many.
const INTENDED: f64 = 0.5;

pub static RULE: Rule = Rule {
    name: "layer-frozen",
    family: "update",
    summary: "A layer that is to be trained stays as it is while others learn",
    scope: Scope::Layer,
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
    trials: "A wiring fault is in the code: a detached tensor, a parameter that the optimizer was not \
             given. Otherwise the remedy belongs to its cause.",
    needs: &[Need::Epoch, Need::Gradients, Need::Updates],
    evaluate,
    on_weights: Some(on_weights),
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

/// A layer that stays as it is in these captures.
#[derive(Clone, Copy)]
struct Still<'c> {
    layer: usize,
    run: &'c [Capture<'c>],
    /// Whether gradient or update are exactly zero, rather than too small.
    exact: bool,
}

fn evaluate(cx: &RuleContext) -> Evaluation {
    let q = cx.q;
    let still: Vec<Still> =
        q.matrices.iter().filter_map(|&i| exactly(cx, i).or_else(|| relatively(cx, i))).collect();
    // Where no layer moves it is the run that has stalled.
    if still.len() == q.matrices.len() {
        return Ok(Vec::new());
    }
    let unused = gains_without_gradient(cx);
    let (cut_off, frozen): (Vec<Still>, Vec<Still>) =
        still.into_iter().partition(|still| still.exact && is_disconnected(cx, *still));
    let mut found: Vec<RuleMatch> =
        cut_off.into_iter().map(|one| describe(cx, &[one], Kind::Disconnected)).collect();
    if !unused.is_empty() {
        found.push(describe(cx, &unused, Kind::Unused));
    }
    if !frozen.is_empty() {
        found.push(describe(cx, &frozen, Kind::Frozen));
    }
    Ok(found)
}

/// Layers that are no matrix, and have no gradient in any capture, not even one of zero.
fn gains_without_gradient<'c>(cx: &'c RuleContext) -> Vec<Still<'c>> {
    let run = cx.q.captures.as_slice();
    let layers = cx.q.record.header.layers.iter().enumerate();
    let gains = layers.filter(|(_, l)| l.trainable && !l.kind.is_matrix()).map(|(i, _)| i);
    gains
        .filter(|i| run.iter().all(|c| c.layers.get(*i).is_some_and(|l| l.gradient_norm().is_none())))
        .map(|layer| Still { layer, run, exact: true })
        .collect()
}

/// The captures in which every gradient of this layer was exactly 0, or every update while another layer
/// took steps worth the name: where none does, rounding takes the smallest.
fn exactly<'c>(cx: &'c RuleContext, layer: usize) -> Option<Still<'c>> {
    let run = cx.trailing_run(cx.count(&CAPTURES), |c| {
        is_allowed(cx, c) && c.layers.get(layer).is_some_and(|l| is_zero(cx, c, l))
    })?;
    let from_start = run.len() == cx.q.captures.len();
    (from_start || run.iter().all(|c| c.no_progress)).then_some(Still { layer, run, exact: true })
}

fn is_zero(cx: &RuleContext, capture: &Capture, layer: &LayerCapture) -> bool {
    match layer.gradient_norm() {
        None => true,
        Some(g) if g.max == 0.0 => true,
        Some(_) => {
            layer.update_norm().is_some_and(|u| u.max == 0.0)
                && capture.largest_update().is_some_and(|u| u >= cx.get(&MOVING))
        }
    }
}

/// The captures in which it moved next to nothing while another layer did.
fn relatively<'c>(cx: &'c RuleContext, layer: usize) -> Option<Still<'c>> {
    let (still, moving) = (cx.get(&STILL), cx.get(&MOVING));
    let run = cx.trailing_run(cx.count(&CAPTURES), |c| {
        c.no_progress
            && c.update.get(layer).copied().flatten().is_some_and(|u| u < still)
            && c.largest_update().is_some_and(|u| u >= moving)
    })?;
    Some(Still { layer, run, exact: false })
}

/// With a learning rate of 0 nothing moves, by intent.
fn is_allowed(cx: &RuleContext, capture: &Capture) -> bool {
    // One that is unknown is none of these.
    capture.lr != 0.0 || cx.q.record.header.run.training.lr == 0.0
}

/// Whether the layer is cut off from the gradient or from the optimizer, which is in the code and so from the
/// start; later it is the training that has done it.
fn is_disconnected(cx: &RuleContext, still: Still) -> bool {
    still.run.len() == cx.q.captures.len() && still.run.iter().all(|c| is_disconnected_at(cx, c, still.layer))
}

fn is_disconnected_at(cx: &RuleContext, capture: &Capture, index: usize) -> bool {
    let Some(layer) = capture.layers.get(index) else { return false };
    let Some(gradient) = layer.gradient_norm() else { return true };
    let all = &cx.q.matrices;
    let strongest = capture.strongest().map_or(0.0, |(_, e)| e);
    // What is in front of it may be silent, or it may pass nothing itself: then that is why.
    let in_front = all.iter().copied().rfind(|i| *i < index);
    if strongest < MIN_ELASTICITY
        || in_front.is_some_and(|i| puts_out_nothing(capture, i))
        || passes_nothing(capture, index)
    {
        return false;
    }
    if gradient.max == 0.0 {
        // In a program what is cut off has no gradient at all, and what has one of zero is silent.
        let next = all.iter().copied().find(|i| *i > index);
        !cx.q.record.header.is_program()
            && next.is_some_and(|next| elasticity(capture, next) >= cx.get(&NEIGHBOUR) * strongest)
    } else if gradient.max.is_nan() || gradient.max >= OVERFLOWS {
        // An optimizer that divides by what overflows takes no step.
        false
    } else {
        elasticity(capture, index) >= cx.get(&PULLED) * strongest
    }
}

fn elasticity(capture: &Capture, index: usize) -> f64 {
    capture.elasticity.get(index).copied().flatten().unwrap_or(0.0)
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

fn describe(cx: &RuleContext, still: &[Still], kind: Kind) -> RuleMatch {
    let first_epoch = still.iter().map(|s| span(s.run).0).min().unwrap_or(u64::MAX);
    let last_epoch = still.iter().map(|s| span(s.run).1).max().unwrap_or(0);
    let exact = still.iter().all(|s| s.exact);
    let cut_off = matches!(kind, Kind::Disconnected | Kind::Unused);
    RuleMatch {
        kind,
        severity: if cut_off { Severity::Error } else { cx.error_if_failing(Severity::Warning) },
        layers: still.iter().map(|s| s.layer).collect(),
        first_epoch,
        last_epoch,
        first_step: (exact && first_epoch == 0).then_some(0),
        value: largest_update(still),
        threshold: if exact { 0.0 } else { cx.get(&STILL) },
        quantity: "update over weight, median of the epoch",
        message: message(cx, still, kind, first_epoch),
        evidence: BTreeMap::from([("miswired".to_owned(), cut_off.into())]),
    }
}

fn message(cx: &RuleContext, still: &[Still], kind: Kind, first_epoch: u64) -> String {
    let layers: Vec<usize> = still.iter().map(|s| s.layer).collect();
    let names = cx.names(&layers);
    let one = layers.len() == 1;
    if kind != Kind::Frozen && still.iter().all(|s| has_gradient_only(s, None)) {
        let (receives, its, it_puts) =
            if one { ("receives", "its", "it puts") } else { ("receive", "their", "they put") };
        return format!(
            "{names} never {receives} a gradient: the loss does not depend on {its} parameters, which stay as they are. \
             Nothing uses what {it_puts} out, or that is detached on its way."
        );
    }
    let (it, its, is) = if one { ("it", "its", "is") } else { ("them", "their", "are") };
    let exact = still.iter().all(|s| s.exact);
    let what = if !exact {
        format!("no step moves {it} by more than {} of {its} size", number(largest_update(still)))
    } else if still.iter().all(|s| has_gradient_only(s, Some(0.0))) {
        format!("no gradient has reached {its} weights in any batch")
    } else {
        format!("{its} weights were never changed by any step")
    };
    if kind == Kind::Disconnected {
        format!(
            "{names} {is} cut off: {what} since epoch {first_epoch}, while the layers around {it} learn. This looks \
             mis-wired: a detached tensor, or a parameter that the optimizer was not given."
        )
    } else {
        format!("{names} {is} frozen since epoch {first_epoch}: {what}, while other layers learn")
    }
}

fn largest_update(still: &[Still]) -> f64 {
    let updates =
        still.iter().flat_map(|s| s.run.iter().filter_map(|c| c.update.get(s.layer).copied().flatten()));
    updates.fold(0.0, f64::max)
}

/// Whether every gradient of this layer is absent, or is this at its largest.
fn has_gradient_only(still: &Still, allowed: Option<f64>) -> bool {
    let mut layers = still.run.iter().filter_map(|c| c.layers.get(still.layer));
    layers.all(|l| l.gradient_norm().is_none_or(|g| Some(g.max) == allowed))
}

/// Matrices that stay as they are from file to file while other layers change.
fn on_weights(cx: &RuleContext) -> Evaluation {
    two_files(cx)?;
    let q = cx.q;
    let layers: Vec<usize> = q.matrices.iter().copied().filter(|&i| never_changes(q, i)).collect();
    if layers.is_empty() || nothing_changes(q) {
        return Ok(Vec::new());
    }
    let intended = layers.len() as f64 > INTENDED * q.matrices.len() as f64;
    let severity = if intended { Severity::Info } else { Severity::Warning };
    let message = format!(
        "{} {} to the last bit in all {} files, while other layers change. {}",
        cx.names(&layers),
        if layers.len() == 1 { "is the same" } else { "are the same" },
        q.captures.len(),
        if intended {
            "So many are hardly forgotten: frozen by intent, as in fine-tuning."
        } else {
            "Frozen by intent, or never given to the optimizer; a checkpoint does not tell which."
        }
    );
    Ok(vec![RuleMatch {
        quantity: "change between files over weight",
        message,
        ..match_in_files(cx, Kind::Frozen, severity, layers)
    }])
}

fn remedies(plan: &mut Plan, found: &RuleMatch) {
    // What is cut off is so in the code, out of reach of a flag.
    if found.kind == Kind::Frozen {
        plan.shrinking_with_depth();
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::{Fake, Norms};
    use crate::record::LayerKind;

    /// A run whose third layer has these norms from an epoch on.
    fn third(fake: Fake, from: u64, then: Norms) -> Fake {
        let mut fake = fake;
        fake.set_norms(2, |e| if e < from { Norms { w: 2.0, g: 0.05, u: 0.02 } } else { then });
        fake
    }

    fn looks_miswired(fake: &Fake) -> bool {
        fake.finding("layer-frozen").unwrap().evidence["miswired"] == true
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
        assert!(looks_miswired(&third(Fake::stuck(6), 0, none)));
        assert!(!looks_miswired(&third(Fake::stuck(6), 1, none)));
    }

    #[test]
    fn a_layer_with_a_gradient_that_never_moves_was_not_given_to_the_optimizer() {
        for (share, miswired) in [(1.1e-3, true), (0.9e-3, false)] {
            let norms = Norms { w: 2.0, g: share * 0.05, u: 0.0 };
            assert_eq!(looks_miswired(&third(Fake::healthy(6), 0, norms)), miswired, "{share}");
        }
        // Where others hardly move either, rounding may have taken its steps.
        for (u, expected) in [(1.1e-4, Some(true)), (0.9e-4, None)] {
            let mut fake = Fake::healthy(6);
            (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 2.0 * u }));
            fake.set_norms(2, |_| Norms { w: 2.0, g: 0.05, u: 0.0 });
            let found = fake.finding("layer-frozen").map(|f| f.evidence["miswired"] == true);
            assert_eq!(found, expected, "{u}");
        }
    }

    #[test]
    fn where_no_layer_is_pulled_zeros_say_nothing_of_the_wiring() {
        fn faint(g: f64) -> bool {
            let mut fake = Fake::stuck(6);
            (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g, u: 1e-9 }));
            let mut fake = third(fake, 0, Norms { w: 2.0, g: 0.0, u: 0.0 });
            fake.set_norms(3, |_| Norms { w: 2.0, g, u: 1e-9 });
            looks_miswired(&fake)
        }
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
        fn almost(u: f64) -> Fake {
            third(Fake::stuck(6), 0, Norms { w: 2.0, g: 0.05, u: 2.0 * u })
        }
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
