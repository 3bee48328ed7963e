//! Gradients that grow: over depth before the first step, and over time.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::cause::Kind;
use super::super::rule::{Case, Hit, NO_GRADIENTS, NO_STEPS, Rule, Unmeasured};
use super::super::series::{self, Point, RunningMedian};
use super::super::settings::Param;
use super::super::text;
use super::recurrent;
use crate::record::LayerCapture;
use crate::text::number;

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

const TOTAL: Param = Param::limit(
    "total",
    1e4,
    "growth over all layers together: what a normalisation's own 1.2 a layer comes to in a network of fifty",
)
.guessed();

pub static DEPTH: Rule = Rule {
    name: "exploding-depth",
    family: "exploding",
    summary: "Before the first step, the gradient grows from layer to layer on its way back",
    params: &[RATIO, GAIN, GAIN_NORMALIZED, TOTAL],
    measures: "The norm of the gradient of the first hidden layer's output over that of the last hidden \
               layer's, before the first step, and its root by the number of layers between: the growth a \
               layer. Where the record holds no gradients of outputs, they are estimated as the gradient of \
               the weights over the RMS of the layer's input (r = 0.95 with the measured growth over 1,286 \
               runs).",
    fires: "At a ratio of {ratio} or more and a growth of {gain} a layer ({gain-normalized} with \
            normalisation), or at a ratio of {total} whatever a layer's share. Error with harm, else info.",
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
    let hidden: Vec<usize> = case.q.trunk().collect();
    if hidden.len() < 2 {
        return Ok(Vec::new());
    }
    let measured = backward(&hidden, |i| start.get(i).and_then(|l| l.output_gradient_l2), false);
    let backward = match measured {
        Some(measured) => Some(measured),
        None if hidden.iter().all(|&i| start.get(i).is_some_and(|l| l.weight_grad.is_some())) => {
            backward(&hidden, |i| estimate(case, start, i), true)
        }
        None => return Err(Unmeasured("the record holds no gradients before the first step")),
    };
    let normalized = case.q.record.header.layers.iter().any(|l| l.normalized);
    let limit = case.get(if normalized { &GAIN_NORMALIZED } else { &GAIN });
    let total = case.get(&TOTAL);
    let grows = |b: &Backward| b.ratio >= total || (b.ratio >= case.get(&RATIO) && b.gain >= limit);
    let Some(b) = backward.filter(grows) else {
        return Ok(Vec::new());
    };
    let a_layer = b.gain >= limit;
    let severity = case.with_harm(Severity::Info);
    let [front, back] = [b.first, b.last].map(|l| case.names(&[l]));
    let growth = if a_layer {
        let (gain, limit, ratio) = (number(b.gain), number(limit), number(b.ratio));
        format!(
            "{gain}-fold a layer on its way back (limit {limit}): {front} receives {ratio} times what {back} does"
        )
    } else {
        let (gain, limit, ratio) = (number(b.gain), number(total), number(b.ratio));
        format!(
            "{gain}-fold a layer on its way back, and {front} receives {ratio} times what {back} does (limit {limit})"
        )
    };
    let message = format!(
        "before the first step the gradient grows {growth}. Steps that suit the last layers are too large \
         for the first."
    );
    Ok(vec![Hit {
        kind: Kind::ExplodingDepth,
        severity,
        layers: vec![b.first],
        first_epoch: 0,
        last_epoch: 0,
        first_step: Some(0),
        value: if a_layer { b.gain } else { b.ratio },
        threshold: if a_layer { limit } else { total },
        quantity: if a_layer {
            "growth of the gradient a layer, backward, before the first step"
        } else {
            "growth of the gradient over all layers, backward, before the first step"
        },
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
    summary: "The gradient or the update bursts in training, and the loss with it; or the gradient grows through the \
              steps of a sequence",
    params: &[JUMP, REPEATED_JUMP, REPEATS, HISTORY, LOSS_JUMP, LOSS_SHARE, recurrent::GROWTH],
    measures: "Every step, the norm of the whole gradient and the median layer's update against their \
               medians over the last 50 steps; and what the loss does in the 10 steps after (medians of 5). Of \
               recurrent layers, before the first step, the gradient of the first hidden state over that of \
               the last.",
    fires: "At {jump} times the median, or {repeated-jump} times on {repeats} of 5 steps, with at least \
            {history} steps of history, if the loss then reaches {loss-jump} times its running median and \
            {loss-share} of what guessing costs, or is no longer finite; or, before the first step, at a growth \
            of {growth} through time. Error with harm; warning where the loss ends above what \
            it was before and above {loss-share} of guessing: the burst has undone what was learned; else \
            info.",
    false_alarms: "Full-batch linear regression at the edge of stability. Without harm it is only noted.",
    remedies: "Clipping with a tenth of the learning rate 3 of 4 where the rate is too high; the rate that \
               this run's own update asks for 25 of 31. Growth through time: LSTM with Adam at 0.005 4 of 4; \
               clipping, orthogonal weights 0 of 4.",
    evaluate: time,
};

/// Steps that a running median looks back on.
const WINDOW: usize = 50;
/// Steps after a jump in which the loss must follow.
const AFTERMATH: usize = 10;
/// Steps over which a loss is taken, and among which jumps repeat.
const GROUP: usize = 5;

fn time(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    let growing = recurrent::growing(case);
    match (burst(case), growing) {
        // One fault: what grows through time bursts in training.
        (_, Some(growing)) if growing.severity > Severity::Info => Ok(vec![growing]),
        (Ok(bursts), growing) => Ok(growing.into_iter().chain(bursts).collect()),
        (Err(unmeasured), None) => Err(unmeasured),
        (Err(_), Some(growing)) => Ok(vec![growing]),
    }
}

fn burst(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    let points = &case.q.points;
    if points.is_empty() {
        return Err(NO_STEPS);
    }
    if case.q.record.steps.iter().all(|s| s.layers.is_empty()) {
        return Err(NO_GRADIENTS);
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
        let bursts = jump >= case.get(&JUMP)
            || base.is_some_and(|m| {
                let high = |p: &&Point| p.grad.max >= case.get(&REPEATED_JUMP) * m;
                high(&point) && points[i..].iter().take(GROUP).filter(high).count() >= case.count(&REPEATS)
            });
        if bursts {
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
        number(jump),
        number(limit),
        number(running_loss.unwrap_or(f64::NAN)),
    );
    let last = case.q.captures.last().map(|c| c.loss);
    let open = case.get(&LOSS_SHARE) * case.q.chance.unwrap_or(f64::INFINITY);
    let undone = last.zip(running_loss).is_some_and(|(l, before)| l > before && l > open);
    let mut evidence = BTreeMap::from([("step".to_owned(), point.step.into())]);
    evidence.extend(running_loss.map(|l| ("running_loss".to_owned(), text::value(l))));
    Hit {
        kind: Kind::ExplodingTime,
        severity: case.with_harm(if undone { Severity::Warning } else { Severity::Info }),
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

#[cfg(test)]
mod tests {
    use super::super::super::Severity;
    use super::super::super::test_support::{Fake, set_step};
    use super::*;

    /// Four hidden layers through which the gradient grows so many times a layer on its way back.
    fn growing(gain: f64) -> Fake {
        let mut fake = Fake::stuck(6);
        (0..5)
            .for_each(|i| fake.each_capture(i, |_, l| l.output_gradient_l2 = Some(gain.powi(4 - i as i32))));
        fake
    }

    #[test]
    fn growth_a_layer_and_in_all_must_both_be_large() {
        assert!((growing(2.2).finding("exploding-depth").unwrap().value - 2.2).abs() < 1e-12);
        // 2.1 cubed is below 10.
        assert_eq!(growing(2.1).finding("exploding-depth"), None);
        let mut settings = crate::diagnose::Settings::default();
        settings.set("exploding-depth.ratio=1").unwrap();
        let fires = |gain| {
            let d = crate::diagnose::diagnose(&growing(gain).record, &settings);
            d.findings.iter().any(|f| f.rule == "exploding-depth")
        };
        assert!(fires(1.51) && !fires(1.49));
    }

    #[test]
    fn normalisation_has_a_growth_of_its_own() {
        let mut fake = growing(2.2);
        fake.record.header.layers[0].normalized = true;
        assert!(fake.finding("exploding-depth").is_some());
        let mut settings = crate::diagnose::Settings::default();
        settings.set("exploding-depth.gain-normalized=2.3").unwrap();
        let d = crate::diagnose::diagnose(&fake.record, &settings);
        assert!(d.findings.iter().all(|f| f.rule != "exploding-depth"));
    }

    #[test]
    fn growth_without_harm_is_only_noted() {
        let mut fake = growing(10.0);
        fake.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(fake.finding("exploding-depth").unwrap().severity, Severity::Info);
    }

    #[test]
    fn without_gradients_of_outputs_growth_is_estimated_from_those_of_weights() {
        let mut fake = Fake::stuck(6);
        for i in 0..5 {
            let g = 10f64.powi(4 - i as i32);
            fake.each_capture(i, |_, l| {
                l.output_gradient_l2 = None;
                l.weight_grad = Some(crate::stats::Distribution::new(&[g as f32]));
            });
        }
        let f = fake.finding("exploding-depth").unwrap();
        assert_eq!(f.evidence["estimated"], true);
        assert!((9.0..11.0).contains(&f.value), "{}", f.value);
    }

    #[test]
    fn the_slope_of_theil_and_sen_shrugs_off_one_odd_layer() {
        assert!((theil_sen(&[16.0, 8.0, 4.0, 900.0, 1.0]).unwrap() - 2.0).abs() < 1e-12);
    }

    /// A burst of the gradient at step 30, after which the loss is so much.
    fn burst(times: f64, loss: f64) -> Fake {
        let mut fake = Fake::healthy(8);
        fake.set_loss(|e| if e == 0 { 0.693 } else { 0.4 });
        let usual = fake.record.steps[0].grad_l2.last;
        set_step(&mut fake, 30, |s| s.grad_l2 = (times * usual).into());
        fake.record.steps[31..].iter_mut().for_each(|s| s.loss = loss.into());
        fake
    }

    #[test]
    fn a_burst_counts_if_the_loss_follows() {
        let f = burst(30.5, 1.3).finding("exploding-time").unwrap();
        assert_eq!((f.first_step, f.first_epoch, f.severity), (Some(30), 3, Severity::Info));
        assert_eq!(burst(29.5, 1.3).finding("exploding-time"), None);
        // Not three times the running loss.
        assert_eq!(burst(100.0, 1.19).finding("exploding-time"), None);
    }

    #[test]
    fn a_smaller_burst_counts_if_it_repeats() {
        let repeated = |count: u64| {
            let mut fake = burst(1.0, 2.0);
            let usual = fake.record.steps[0].grad_l2.last;
            (0..count).for_each(|i| set_step(&mut fake, 30 + i, |s| s.grad_l2 = (11.0 * usual).into()));
            fake.finding("exploding-time")
        };
        assert_eq!(repeated(3).unwrap().first_step, Some(30));
        assert_eq!(repeated(2), None);
    }

    #[test]
    fn a_running_median_needs_some_history() {
        let early = |step: u64| {
            let mut fake = Fake::stuck(6);
            set_step(&mut fake, step, |s| s.grad_l2 = 100.0.into());
            fake.record.steps[step as usize + 1..].iter_mut().for_each(|s| s.loss = 5.0.into());
            fake.finding("exploding-time").is_some()
        };
        assert!(early(10) && !early(9));
    }
}
