//! Brakes that were put on by hand and hold the run: clipping and weight decay.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::cause::Kind;
use super::super::quantities::{Capture, HEALTHY_UPDATE};
use super::super::rule::{Case, Hit, Rule, Unmeasured, span};
use super::super::series;
use super::super::settings::Param;
use super::super::text::{self, percent};
use crate::text::{literal, number};

const FACTOR: Param = Param::limit(
    "factor",
    0.01,
    "share of the gradient that clipping leaves: clipping is for the rare burst, not for a hundredth of every \
     step",
);
const CAPTURES: Param = Param::count("captures", 2, "captured epochs in a row (or all there are)");
const EXPLODED: Param = Param::limit(
    "exploded",
    100.0,
    "elasticity of the strongest layer from which it is the gradient that is too large, not the clip too \
     small",
)
.bracketed();

pub static CLIP_DOMINATED: Rule = Rule {
    name: "clip-dominated",
    family: "update",
    summary: "Clipping takes nearly all of the gradient away at every step",
    params: &[FACTOR, CAPTURES, EXPLODED],
    measures: "What clipping leaves of the gradient, median over the steps of an epoch (Pascanu and others, \
               2013, clip at half to ten times the usual norm). Of clipping by value, the most that it can \
               leave.",
    fires: "Error below {factor} without progress at {captures} captured epochs in a row, while the median \
            layer's steps are smaller than healthy ones (Adam and its kin divide a constant factor out \
            again); unless the strongest layer has an elasticity of {exploded} or more: then the gradient is \
            to blame.",
    false_alarms: "None known.",
    remedies: "Clip at 1, or not at all 3 of 3; learning rate x 100 0 of 3.",
    evaluate: clip,
};

fn clip(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    case.captures()?;
    case.chance()?;
    let run = &case.q.record.header.run;
    if run.clip_norm.is_some_and(f64::is_nan) {
        return Err(Unmeasured("the record does not say whether gradients were clipped (clip_norm)"));
    }
    if run.clip_norm.is_none() && run.clip_value.is_none() {
        return Ok(Vec::new());
    }
    let limit = case.get(&FACTOR);
    let factors: BTreeMap<u64, f64> =
        case.q.captures.iter().filter_map(|c| Some((c.epoch, factor(case, c)?))).collect();
    let exploded = |c: &Capture| c.strongest().is_some_and(|(_, e)| e >= case.get(&EXPLODED));
    // Adam and its kin divide a constant factor out again: steps of a healthy size are not held back.
    let held_back = |c: &Capture| c.median_update().is_none_or(|u| u < HEALTHY_UPDATE[0]);
    let clipped = |c: &Capture| {
        let factor = factors.get(&c.epoch).is_some_and(|f| *f < limit);
        c.noprog && factor && held_back(c) && !exploded(c)
    };
    let Some(captures) = case.held(case.count(&CAPTURES), clipped) else { return Ok(Vec::new()) };
    let (first_epoch, last_epoch) = span(captures);
    let value = captures.iter().filter_map(|c| factors.get(&c.epoch)).copied().fold(f64::INFINITY, f64::min);
    let flag = match (run.clip_norm, run.clip_value) {
        (Some(c), _) => format!("--clip-norm {}", literal(c)),
        (None, value) => format!("--clip-value {}", literal(value.unwrap_or(f64::NAN))),
    };
    let message = format!(
        "clipping ({flag}) leaves {} of the gradient at the median step since epoch {first_epoch} (limit {}), \
         and there is no progress",
        percent(value),
        percent(limit),
    );
    Ok(vec![Hit {
        kind: Kind::ClipDominated,
        severity: Severity::Error,
        layers: Vec::new(),
        first_epoch,
        last_epoch,
        first_step: None,
        value,
        threshold: limit,
        quantity: "share of the gradient that clipping leaves, median of the epoch",
        message,
        evidence: BTreeMap::new(),
    }])
}

/// What clipping leaves of the median gradient of an epoch.
fn factor(case: &Case, capture: &Capture) -> Option<f64> {
    let header = &case.q.record.header;
    let of_epoch = case.q.points.iter().filter(|p| p.epoch == capture.epoch);
    let norm = series::median(&mut of_epoch.map(|p| p.grad.last).collect()).or_else(|| {
        let epoch = case.q.record.epochs.iter().find(|e| e.epoch == capture.epoch)?;
        Some(epoch.grad_l2)
    });
    let norm = norm.filter(|n| n.is_finite() && *n > 0.0)?;
    let parameters: u64 = header.layers.iter().map(|l| l.parameters).sum();
    let by_norm = header.run.clip_norm.map(|c| c / norm);
    // No value larger than this leaves a norm no larger than that.
    let by_value = header.run.clip_value.map(|v| v * (parameters as f64).sqrt() / norm);
    by_norm.into_iter().chain(by_value).reduce(f64::min).map(|f| f.min(1.0))
}

const COSINE: Param = Param::limit(
    "cosine",
    0.7,
    "cosine between a step and the direction in which the weights only shrink; 1 is decay alone",
);
const SHRUNK: Param = Param::limit("shrunk", 0.9, "share of the initial weights that is left");
const COSINE_LATE: Param =
    Param::limit("cosine-late", 0.5, "the cosine that is enough where half of the weights are gone");
const HALF: Param = Param::limit("half", 0.5, "share that is left then; once is enough");
const BALANCE: Param = Param::limit(
    "balance",
    0.5,
    "what decay takes over what the gradient gives, where half of the weights are gone: the two have come to \
     a balance, and steps no longer point anywhere",
)
.guessed();
const NOTHING: Param = Param::limit(
    "nothing",
    1e-3,
    "share that is left where decay alone is to blame: there are no weights any more whose steps could point \
     anywhere, and soon they are 0",
)
.guessed();

pub static DECAY_DOMINATED: Rule = Rule {
    name: "decay-dominated",
    family: "update",
    summary: "Weight decay shrinks the weights faster than the gradient can build them up",
    params: &[COSINE, SHRUNK, COSINE_LATE, HALF, BALANCE, NOTHING, CAPTURES],
    measures: "The cosine between each step and minus the weights, median of the epoch and of the layers, \
               and the norm of all weights over what it was before the first step. What decay takes is its share \
               of the gradient, or of the step where it is decoupled (AdamW).",
    fires: "Error, with weight decay on and a loss no better than guessing, at a cosine of {cosine} or more \
            with {shrunk} or less of the weights left at {captures} captured epochs in a row, or of \
            {cosine-late} with {half} left once. Or, with {half} left {captures} times in a row, where decay \
            takes {balance} or more of what the gradient gives; or with {nothing} left {captures} times in a row.",
    false_alarms: "None known.",
    remedies: "Weight decay / 100 4 of 4; learning rate / 10 0 of 4.",
    evaluate: decay,
};

fn decay(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    case.captures()?;
    case.chance()?;
    let q = case.q;
    let decay = q.record.header.run.weight_decay;
    if decay <= 0.0 || q.matrices.is_empty() {
        return Ok(Vec::new());
    }
    if q.captures.iter().all(|c| cosine(case, c).is_none()) {
        return Err(Unmeasured("the record does not say which way the steps of the weights went"));
    }
    let start = q.start.map(|layers| norm(case, layers, |l| l.weight.l2()));
    let first = q.captures.first().map(|c| norm(case, c.layers, largest_norm));
    let Some(start) = start.or(first).filter(|n| *n > 0.0 && n.is_finite()) else { return Ok(Vec::new()) };
    let left = |c: &Capture| norm(case, c.layers, |l| l.weight.l2()) / start;
    let holds = |c: &Capture, cos: f64, share: f64| {
        c.near && cosine(case, c).is_some_and(|x| x >= cos) && left(c) <= share
    };
    let twice = case
        .held(case.count(&CAPTURES), |c| holds(c, case.get(&COSINE), case.get(&SHRUNK)))
        .map(|r| (r, &COSINE));
    let once =
        || case.held(1, |c| holds(c, case.get(&COSINE_LATE), case.get(&HALF))).map(|r| (r, &COSINE_LATE));
    let balanced = || {
        let holds = |c: &Capture| {
            let balance = balance(case, c).is_some_and(|b| b >= case.get(&BALANCE));
            c.near && balance && left(c) <= case.get(&HALF)
        };
        case.held(case.count(&CAPTURES), holds).map(|r| (r, &BALANCE))
    };
    let gone = || {
        let holds = |c: &Capture| c.near && left(c) <= case.get(&NOTHING);
        case.held(case.count(&CAPTURES), holds).map(|r| (r, &NOTHING))
    };
    let Some((run, limit)) = twice.or_else(once).or_else(balanced).or_else(gone) else {
        return Ok(Vec::new());
    };
    let Some(last) = run.last() else { return Ok(Vec::new()) };
    let (first_epoch, last_epoch) = span(run);
    let (value, quantity, how) = if limit.name == BALANCE.name {
        let balance = balance(case, last).unwrap_or(f64::NAN);
        (
            balance,
            "what decay takes over what the gradient gives",
            "decay takes so many times what the gradient gives",
        )
    } else if limit.name == NOTHING.name {
        (left(last), "share of the weights' norm that is left", "no more than a trace of them")
    } else {
        let cosine = cosine(case, last).unwrap_or(f64::NAN);
        (cosine, "cosine between steps and minus the weights", "steps point where weights only shrink")
    };
    let message = format!(
        "weight decay ({}) outruns the gradient: {} of the weights' norm is left after epoch {last_epoch}, {how} \
         ({}, limit {}), and the loss is hardly better than guessing",
        number(decay),
        percent(left(last)),
        number(value),
        number(case.get(limit)),
    );
    Ok(vec![Hit {
        kind: Kind::DecayDominated,
        severity: Severity::Error,
        layers: Vec::new(),
        first_epoch,
        last_epoch,
        first_step: None,
        value,
        threshold: case.get(limit),
        quantity,
        message,
        evidence: BTreeMap::from([("weights_left".to_owned(), text::value(left(last)))]),
    }])
}

/// cos(ΔW, −W), median over the steps of the epoch and then over the matrices.
fn cosine(case: &Case, capture: &Capture) -> Option<f64> {
    let of = |i: &usize| Some(capture.layers.get(*i)?.steps?.shrinking?.median);
    series::median(&mut case.q.matrices.iter().filter_map(of).collect())
}

/// What decay takes of the weights over what the loss gives them, at the median step: of the gradient,
/// which decay joins; of the step where it is decoupled (Loshchilov and Hutter, 2017).
fn balance(case: &Case, capture: &Capture) -> Option<f64> {
    let run = &case.q.record.header.run;
    let weights = norm(case, capture.layers, |l| l.weight_norm());
    let (taken, given) = if run.optimizer == "adamw" {
        let step = norm(case, capture.layers, |l| l.update_norm().map_or(0.0, |u| u.median));
        (capture.lr * run.weight_decay * weights, step)
    } else {
        let gradient = norm(case, capture.layers, |l| l.gradient_norm().map_or(0.0, |g| g.median));
        (run.weight_decay * weights, gradient)
    };
    Some(taken / given).filter(|b| b.is_finite())
}

/// The norm of all matrices together.
fn norm(
    case: &Case,
    layers: &[crate::record::LayerCapture],
    of: impl Fn(&crate::record::LayerCapture) -> f64,
) -> f64 {
    let norms = case.q.matrices.iter().filter_map(|&i| layers.get(i)).map(of);
    norms.map(|n| n * n).sum::<f64>().sqrt()
}

fn largest_norm(layer: &crate::record::LayerCapture) -> f64 {
    layer.steps.and_then(|s| s.weight_l2).map_or_else(|| layer.weight.l2(), |s| s.max)
}

#[cfg(test)]
mod tests {
    use super::super::super::test_support::{Fake, Norms};
    use crate::stats::Spread;

    /// A stuck run that clips; its gradient has a norm of 0.05·√5.
    fn clipped(norm: Option<f64>, value: Option<f64>) -> Fake {
        let mut fake = Fake::stuck(6);
        (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 0.0019 * 2.0 }));
        (fake.record.header.run.clip_norm, fake.record.header.run.clip_value) = (norm, value);
        fake
    }

    #[test]
    fn clipping_to_less_than_a_hundredth_dominates() {
        let norm = 0.05 * 5f64.sqrt();
        assert!(clipped(Some(0.0099 * norm), None).finding("clip-dominated").is_some());
        assert_eq!(clipped(Some(0.0101 * norm), None).finding("clip-dominated"), None);
        let mut learning = clipped(Some(1e-6), None);
        learning.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(learning.finding("clip-dominated"), None);
    }

    #[test]
    fn steps_of_a_healthy_size_are_not_held_back() {
        let mut fake = clipped(Some(1e-6), None);
        (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 0.05, u: 0.0021 * 2.0 }));
        assert_eq!(fake.finding("clip-dominated"), None);
    }

    #[test]
    fn clipping_by_value_leaves_no_more_than_all_values_at_their_limit() {
        let parameters: u64 = Fake::stuck(1).record.header.layers.iter().map(|l| l.parameters).sum();
        let whole = 0.05 * 5f64.sqrt() / (parameters as f64).sqrt();
        assert!(clipped(None, Some(0.0099 * whole)).finding("clip-dominated").is_some());
        assert_eq!(clipped(None, Some(0.0101 * whole)).finding("clip-dominated"), None);
    }

    #[test]
    fn of_an_exploded_gradient_clipping_is_not_to_blame() {
        let mut fake = clipped(Some(1e-3), None);
        (0..5).for_each(|i| fake.set_norms(i, |_| Norms { w: 2.0, g: 100.0, u: 0.002 }));
        assert_eq!(fake.finding("clip-dominated"), None);
    }

    /// A stuck run with weight decay whose steps shrink the weights, so much of which is left.
    fn decayed(cosine: f64, left: f64) -> Fake {
        let mut fake = Fake::stuck(6);
        fake.record.header.run.weight_decay = 0.01;
        for i in 0..5 {
            fake.set_norms(i, |_| Norms { w: 2.0 * left, g: 0.05, u: 0.02 });
            fake.each_capture(i, |_, l| {
                let at = Spread { min: cosine, median: cosine, max: cosine };
                l.steps.as_mut().unwrap().shrinking = Some(at);
            });
        }
        let before = Fake::stuck(6).record.steps[0].capture.clone();
        fake.record.steps[0].capture = before;
        fake
    }

    #[test]
    fn steps_must_shrink_weights_that_have_shrunk() {
        for (cosine, left, fires) in [
            (0.71, 0.89, true),
            (0.69, 0.89, false),
            (0.71, 0.91, false),
            (0.51, 0.49, true),
            (0.49, 0.49, false),
            (0.51, 0.51, false),
        ] {
            assert_eq!(decayed(cosine, left).finding("decay-dominated").is_some(), fires, "{cosine} {left}");
        }
        let mut learning = decayed(1.0, 0.1);
        learning.set_loss(|_| 0.6);
        assert_eq!(learning.finding("decay-dominated"), None);
    }

    #[test]
    fn decay_and_gradient_may_have_come_to_a_balance() {
        // The gradient is 0.05 a layer.
        let balanced = |decay: f64, left: f64| {
            let mut fake = decayed(0.0, left);
            fake.record.header.run.weight_decay = decay;
            fake.finding("decay-dominated").is_some()
        };
        assert!(balanced(0.51 * 0.05 / 0.98, 0.49) && !balanced(0.49 * 0.05 / 0.98, 0.49));
        assert!(!balanced(1.0, 0.51));
        let mut adamw = decayed(0.0, 0.49);
        adamw.record.header.run.optimizer = "adamw".into();
        // Steps of 0.02 at a learning rate of 0.01.
        adamw.record.header.run.weight_decay = 1.01 * 0.02 / 0.98;
        assert_eq!(adamw.finding("decay-dominated"), None);
        adamw.record.header.run.weight_decay = 101.0 * 0.51 * 0.02 / 0.98;
        assert!(adamw.finding("decay-dominated").is_some());
    }

    #[test]
    fn weights_that_are_gone_are_decay_wherever_the_last_steps_point() {
        // A decay that takes next to nothing of what the gradient gives.
        let gone = |left: f64| {
            let mut fake = decayed(0.0, left);
            fake.record.header.run.weight_decay = 1e-9;
            fake.finding("decay-dominated").is_some()
        };
        assert!(gone(0.9e-3) && !gone(1.1e-3));
    }

    #[test]
    fn without_the_direction_of_steps_decay_is_not_measured() {
        let mut fake = Fake::stuck(6);
        fake.record.header.run.weight_decay = 1.0;
        assert!(fake.diagnose().not_measured.iter().any(|n| n.rule == "decay-dominated"));
    }

    #[test]
    fn a_record_with_a_cosine_beyond_one_is_refused() {
        let mut record = Fake::stuck(6).record;
        let mut epoch = decayed(1.1, 0.5).record.epochs[5].clone();
        epoch.epoch = 6;
        let error = record.push(crate::record::Line::Epoch(epoch)).unwrap_err();
        assert_eq!(error, "layer fc1: no cosine is beyond 1");
    }
}
