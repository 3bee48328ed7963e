//! Gradients that grow: over depth before the first step, and over time.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::cause::Kind;
use super::super::rule::{Case, Hit, NO_STEPS, Rule, Unmeasured};
use super::super::series::{self, Point, RunningMedian};
use super::super::settings::Param;
use super::super::text::{self, sig};
use crate::record::LayerCapture;

const RATIO: Param = Param::limit(
    "ratio",
    10.0,
    "growth from the last hidden layer to the first that matters at all; a short network may have a large \
     gain a layer and come to no harm",
);
const GAIN: Param = Param::limit("gain", 1.5, "growth a layer");
const GAIN_NORMALIZED: Param = Param::limit(
    "gain-normalized",
    2.0,
    "with normalisation, whose own gain at the start is 1.2 a layer and no fault",
)
.guessed();

pub static DEPTH: Rule = Rule {
    name: "exploding-depth",
    family: "exploding",
    summary: "Before the first step, the gradient grows from layer to layer on its way back",
    params: &[RATIO, GAIN, GAIN_NORMALIZED],
    measures: "The norm of the gradient of the first hidden layer's output over that of the last hidden \
               layer's, before the first step, and its root by the number of layers between: the growth a \
               layer. Where the record holds no gradients of outputs, they are estimated as the gradient of \
               the weights over the RMS of the layer's input (r = 0.95 with the measured growth over 1,286 \
               runs).",
    fires: "At a ratio of {ratio} or more and a growth of {gain} a layer ({gain-normalized} with \
            normalisation). Error with harm, else info.",
    false_alarms: "Without harm it is only noted: Adam often rescues weights drawn from N(0, 1).",
    remedies: "Huge initial weights: He 3 of 3, Xavier, BatchNorm, LayerNorm 2 of 3; clipping or learning \
               rate / 100 1 of 3.",
    evaluate: depth,
};

/// What reaches the hidden layers on the way back: gradients of their outputs, or an estimate.
struct Backward {
    first: usize,
    last: usize,
    ratio: f64,
    gain: f64,
    estimated: bool,
}

fn depth(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    let start = case.q.start.ok_or(Unmeasured("the layers were not captured before the first step"))?;
    let hidden: Vec<usize> = case.q.hidden().collect();
    if hidden.len() < 2 {
        return Ok(Vec::new());
    }
    let measured = backward(&hidden, |i| start.get(i).and_then(|l| l.signal_l2), false);
    let backward = match measured {
        Some(measured) => Some(measured),
        None if hidden.iter().all(|&i| start.get(i).is_some_and(|l| l.weight_grad.is_some())) => {
            backward(&hidden, |i| estimate(case, start, i), true)
        }
        None => return Err(Unmeasured("the record holds no gradients before the first step")),
    };
    let normalized = case.q.record.header.layers.iter().any(|l| l.normalized);
    let limit = case.get(if normalized { &GAIN_NORMALIZED } else { &GAIN });
    let Some(b) = backward.filter(|b| b.ratio >= case.get(&RATIO) && b.gain >= limit) else {
        return Ok(Vec::new());
    };
    let severity = case.with_harm(Severity::Info);
    let [front, back] = [b.first, b.last].map(|l| case.names(&[l]));
    let message = format!(
        "before the first step the gradient grows {}-fold a layer on its way back (limit {}): {front} \
         receives {} times what {back} does. Steps that suit the last layers are too large for the first.",
        sig(b.gain),
        sig(limit),
        sig(b.ratio),
    );
    Ok(vec![Hit {
        kind: Kind::ExplodingDepth,
        severity,
        layers: vec![b.first],
        first_epoch: 0,
        last_epoch: 0,
        first_step: Some(0),
        value: b.gain,
        threshold: limit,
        quantity: "growth of the gradient a layer, backward, before the first step",
        message,
        evidence: BTreeMap::from([
            ("ratio".to_owned(), text::value(b.ratio)),
            ("estimated".to_owned(), b.estimated.into()),
        ]),
    }])
}

fn backward(hidden: &[usize], signal: impl Fn(usize) -> Option<f64>, estimated: bool) -> Option<Backward> {
    let signals: Option<Vec<f64>> = hidden.iter().map(|&i| signal(i)).collect();
    let signals = signals?;
    let (&[first, .., last], [a, .., z]) = (hidden, signals.as_slice()) else { return None };
    let gaps = (hidden.len() - 1) as f64;
    // An exact zero or a value that is not finite makes a ratio that no limit is meant for.
    let ratio = Some(a / z).filter(|r| r.is_finite() && *r > 0.0)?;
    let gain = if estimated { theil_sen(&signals)? } else { ratio.powf(1.0 / gaps) };
    Some(Backward { first, last, ratio, gain, estimated })
}

/// ‖g‖ over the RMS of what comes in: what the gradient of the output must have been.
fn estimate(case: &Case, start: &[LayerCapture], index: usize) -> Option<f64> {
    let gradient = start.get(index)?.weight_grad.as_ref()?.l2();
    let before = start.get(..index)?.iter().rev().find_map(|l| l.activations.as_ref());
    let input = match before {
        Some(a) => a.post.l2() / (a.post.count().max(1) as f64).sqrt(),
        None => case.q.record.header.data.input_rms,
    };
    Some(gradient / input).filter(|d| d.is_finite() && *d > 0.0)
}

/// exp(−slope) of log δ over depth, the slope being the median of those of all pairs (Theil, 1950;
/// Sen, 1968): one odd layer does not tilt it.
fn theil_sen(signals: &[f64]) -> Option<f64> {
    let logs: Vec<f64> = signals.iter().map(|s| s.ln()).collect();
    let mut slopes = Vec::new();
    for (i, a) in logs.iter().enumerate() {
        slopes.extend((i + 1..).zip(&logs[i + 1..]).map(|(j, b)| (b - a) / (j - i) as f64));
    }
    series::median(&mut slopes).map(|slope| (-slope).exp())
}

const JUMP: Param = Param::limit("jump", 30.0, "times the running median, far above what batches do to it");
const REPEATED_JUMP: Param =
    Param::limit("repeated-jump", 10.0, "times the running median, where it repeats");
const REPEATS: Param =
    Param::count("repeats", 3, "of 5 steps that reach the repeated jump; fewer may be a bad batch");
const HISTORY: Param =
    Param::count("history", 10, "steps before a running median means anything; it is of the last 50");
const LOSS_JUMP: Param =
    Param::limit("loss-jump", 3.0, "times the running loss: a burst that the loss survives is no explosion");
const LOSS_SHARE: Param = Param::limit(
    "loss-share",
    0.5,
    "share of the loss of guessing below which a jump of the loss is of no consequence (late in training \
     small losses jump by themselves)",
);

pub static TIME: Rule = Rule {
    name: "exploding-time",
    family: "exploding",
    summary: "The gradient or the update bursts in the middle of training, and the loss with it",
    params: &[JUMP, REPEATED_JUMP, REPEATS, HISTORY, LOSS_JUMP, LOSS_SHARE],
    measures: "Every step, the norm of the whole gradient and the median layer's update against their \
               medians over the last 50 steps; and what the loss does in the 10 steps after (medians of 5).",
    fires: "At {jump} times the median, or {repeated-jump} times on {repeats} of 5 steps, with at least \
            {history} steps of history, if the loss then reaches {loss-jump} times its running median and \
            {loss-share} of what guessing costs, or is no longer finite. Error with harm, else info.",
    false_alarms: "Full-batch linear regression at the edge of stability. Without harm it is only noted.",
    remedies: "Clipping with a tenth of the learning rate 3 of 4 where the rate is too high; the rate that \
               this run's own update asks for 25 of 31.",
    evaluate: time,
};

/// Steps that a running median looks back on.
const WINDOW: usize = 50;
/// Steps after a jump in which the loss must follow.
const AFTERMATH: usize = 10;
/// Steps over which a loss is taken, and among which jumps repeat.
const GROUP: usize = 5;

fn time(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    let points = &case.q.points;
    if points.is_empty() {
        return Err(NO_STEPS);
    }
    let chance = case.chance()?;
    let loss = series::rolling_loss(points, GROUP);
    let history = case.count(&HISTORY);
    let mut medians = [(); 3].map(|()| RunningMedian::new(WINDOW));
    for (i, point) in points.iter().enumerate() {
        let [gradients, updates, losses] = &medians;
        let base = gradients.get(history).filter(|m| *m > 0.0);
        let jump = [(base, point.grad.max), (updates.get(history), point.update.map_or(f64::NAN, |u| u.1))]
            .into_iter()
            .filter_map(|(m, v)| m.filter(|m| *m > 0.0).map(|m| v / m))
            .fold(0.0, f64::max);
        let burst = jump >= case.get(&JUMP)
            || base.is_some_and(|m| {
                let high = |p: &&Point| p.grad.max >= case.get(&REPEATED_JUMP) * m;
                high(&point) && points[i..].iter().take(GROUP).filter(high).count() >= case.count(&REPEATS)
            });
        if burst {
            let worse = |running: f64| {
                let limit = (case.get(&LOSS_JUMP) * running).max(case.get(&LOSS_SHARE) * chance);
                loss[i..].iter().take(AFTERMATH).flatten().any(|l| *l >= limit)
            };
            let breaks = case
                .q
                .broken
                .as_ref()
                .and_then(|b| b.step)
                .is_some_and(|s| (point.step..=point.last_step() + AFTERMATH as u64).contains(&s));
            if breaks || losses.get(1).is_some_and(worse) {
                return Ok(vec![time_hit(case, point, jump, losses.get(1))]);
            }
        }
        let latest = [point.grad.last, point.update.map_or(f64::NAN, |u| u.1), point.loss.last];
        for (median, value) in medians.iter_mut().zip(latest) {
            median.push(value);
        }
    }
    Ok(Vec::new())
}

fn time_hit(case: &Case, point: &Point, jump: f64, running_loss: Option<f64>) -> Hit {
    let limit = case.get(if jump >= case.get(&JUMP) { &JUMP } else { &REPEATED_JUMP });
    let message = format!(
        "the gradient or the update burst at step {} (epoch {}) to {} times its running median (limit {}), \
         and the loss followed from {}",
        point.step,
        point.epoch,
        sig(jump),
        sig(limit),
        sig(running_loss.unwrap_or(f64::NAN)),
    );
    let mut evidence = BTreeMap::from([("step".to_owned(), point.step.into())]);
    evidence.extend(running_loss.map(|l| ("running_loss".to_owned(), text::value(l))));
    Hit {
        kind: Kind::ExplodingTime,
        severity: case.with_harm(Severity::Info),
        layers: Vec::new(),
        first_epoch: point.epoch,
        last_epoch: point.epoch,
        first_step: Some(point.step),
        value: jump,
        threshold: limit,
        quantity: "norm of the gradient, or update, over its running median",
        message,
        evidence,
    }
}
