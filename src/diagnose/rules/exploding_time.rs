//! Gradients and updates that burst in training, or grow through the steps of a sequence.

use std::collections::BTreeMap;

use super::shared::recurrent::{hidden_state_gradient, recurrent_layers};
use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::remedy::{Change, Plan, adam_at};
use crate::diagnose::rule::{Evaluation, NO_GRADIENTS, Need, OnPrograms, Rule, RuleContext, Scope};
use crate::diagnose::series::{self, Point, RunningMedian};
use crate::diagnose::text;
use crate::record::settings::Cell;
use crate::text::number;

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

const GROWTH: Param = Param::limit(
    "growth",
    10.0,
    "of a recurrent layer, before the first step: growth of the gradient from the last hidden state to the first",
)
.guessed();

pub static RULE: Rule = Rule {
    name: "exploding-time",
    family: "exploding",
    summary: "The gradient or the update bursts in training, and the loss with it; or the gradient grows through the \
              steps of a sequence",
    scope: Scope::Run,
    params: &[JUMP, REPEATED_JUMP, REPEATS, HISTORY, LOSS_JUMP, LOSS_SHARE, GROWTH],
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
    trials: "Clipping with a tenth of the learning rate 3 of 4 where the rate is too high; the rate that \
             this run's own update asks for 25 of 31. Growth through time: LSTM with Adam at 0.005 4 of 4; \
             clipping, orthogonal weights 0 of 4.",
    needs: &[],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

/// Steps that a running median looks back on.
const WINDOW: usize = 50;

/// Steps after a jump in which the loss must follow.
const AFTERMATH: usize = 10;

/// Steps over which a loss is taken, and among which jumps repeat.
const GROUP: usize = 5;

fn evaluate(cx: &RuleContext) -> Evaluation {
    let growing = growing(cx);
    match (burst(cx), growing) {
        // One fault: what grows through time bursts in training.
        (_, Some(growing)) if growing.severity > Severity::Info => Ok(vec![growing]),
        (Ok(bursts), growing) => Ok(growing.into_iter().chain(bursts).collect()),
        (Err(unmeasured), None) => Err(unmeasured),
        (Err(_), Some(growing)) => Ok(vec![growing]),
    }
}

/// Medians of the last steps: of the gradient's norm, the update, and the loss.
struct Usual {
    gradient: RunningMedian,
    update: RunningMedian,
    loss: RunningMedian,
}

impl Usual {
    fn new() -> Self {
        let [gradient, update, loss] = [(); 3].map(|()| RunningMedian::new(WINDOW));
        Self { gradient, update, loss }
    }

    fn push(&mut self, point: &Point) {
        self.gradient.push(point.grad.last);
        self.update.push(largest_update(point));
        self.loss.push(point.loss.last);
    }
}

fn largest_update(point: &Point) -> f64 {
    point.update.map_or(f64::NAN, |u| u.1)
}

fn burst(cx: &RuleContext) -> Evaluation {
    Need::Steps.check(cx.q)?;
    if cx.q.record.steps.iter().all(|s| s.layers.is_empty()) {
        return Err(NO_GRADIENTS);
    }
    Need::BaselineLoss.check(cx.q)?;
    let points = &cx.q.points;
    let loss = series::rolling_loss(points, GROUP);
    let mut usual = Usual::new();
    for (i, point) in points.iter().enumerate() {
        if let Some(jump) = jump(cx, &points[i..], &usual) {
            let running_loss = usual.loss.get(1);
            if breaks_soon(cx, point) || running_loss.is_some_and(|running| follows(cx, &loss[i..], running))
            {
                return Ok(vec![describe_burst(cx, point, jump, running_loss)]);
            }
        }
        usual.push(point);
    }
    Ok(Vec::new())
}

/// How many times the median the gradient or the update of the first of these points is, where that is a
/// burst: large by itself, or again and again.
fn jump(cx: &RuleContext, points: &[Point], usual: &Usual) -> Option<f64> {
    let (point, history) = (points.first()?, cx.count(&HISTORY));
    let gradient = usual.gradient.get(history).filter(|m| *m > 0.0);
    let update = usual.update.get(history).filter(|m| *m > 0.0);
    let times = [(gradient, point.grad.max), (update, largest_update(point))];
    let jump = times.into_iter().filter_map(|(m, v)| Some(v / m?)).fold(0.0, f64::max);
    let repeats = gradient.is_some_and(|m| {
        let limit = cx.get(&REPEATED_JUMP) * m;
        let high = points.iter().take(GROUP).filter(|p| p.grad.max >= limit).count();
        point.grad.max >= limit && high >= cx.count(&REPEATS)
    });
    (jump >= cx.get(&JUMP) || repeats).then_some(jump)
}

/// Whether a NaN or infinity follows this point.
fn breaks_soon(cx: &RuleContext, point: &Point) -> bool {
    let broken = cx.q.broken.as_ref().and_then(|b| b.step);
    broken.is_some_and(|s| (point.step..=point.last_step() + AFTERMATH as u64).contains(&s))
}

/// Whether one of the next losses is far above what it was.
fn follows(cx: &RuleContext, losses: &[Option<f64>], running: f64) -> bool {
    let baseline = cx.q.baseline_loss.unwrap_or(f64::NAN);
    let limit = (cx.get(&LOSS_JUMP) * running).max(cx.get(&LOSS_SHARE) * baseline);
    losses.iter().take(AFTERMATH).flatten().any(|l| *l >= limit)
}

fn describe_burst(cx: &RuleContext, point: &Point, jump: f64, running_loss: Option<f64>) -> RuleMatch {
    let limit = cx.get(if jump >= cx.get(&JUMP) { &JUMP } else { &REPEATED_JUMP });
    let message = format!(
        "the gradient or the update burst at step {} (epoch {}) to {} times its running median (limit {}), \
         and the loss followed from {}",
        point.step,
        point.epoch,
        number(jump),
        number(limit),
        number(running_loss.unwrap_or(f64::NAN)),
    );
    let last = cx.q.captures.last().map(|c| c.loss);
    let open = cx.get(&LOSS_SHARE) * cx.q.baseline_loss.unwrap_or(f64::INFINITY);
    let undone = last.zip(running_loss).is_some_and(|(l, before)| l > before && l > open);
    let mut evidence = BTreeMap::from([("step".to_owned(), point.step.into())]);
    evidence.extend(running_loss.map(|l| ("running_loss".to_owned(), text::value(l))));
    RuleMatch {
        kind: Kind::ExplodingTime,
        severity: cx.error_if_failing(if undone { Severity::Warning } else { Severity::Info }),
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

/// A gradient that grows on its way back through time, before the first step.
fn growing(cx: &RuleContext) -> Option<RuleMatch> {
    let start = cx.q.start?;
    let (layer, value) = recurrent_layers(cx)
        .filter_map(|i| {
            let ends = hidden_state_gradient(start, i)?.ends()?;
            (ends.last > 0.0).then(|| (i, ends.first / ends.last))
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let limit = cx.get(&GROWTH);
    if value < limit {
        return None;
    }
    let steps = hidden_state_gradient(start, layer)?.steps;
    let message = format!(
        "before the first step the gradient grows on its way back through time: the first of {steps} steps of {} \
         receives {} times what the last does (limit {}). Steps that suit the last are too large for the first.",
        cx.names(&[layer]),
        number(value),
        number(limit),
    );
    Some(RuleMatch {
        kind: Kind::ExplodingTime,
        severity: cx.error_if_failing(Severity::Info),
        layers: vec![layer],
        first_epoch: 0,
        last_epoch: 0,
        first_step: Some(0),
        value,
        threshold: limit,
        quantity: "gradient of the hidden state at the first step over that at the last, before the first update",
        message,
        evidence: BTreeMap::from([("steps".to_owned(), steps.into())]),
    })
}

fn remedies(plan: &mut Plan, found: &RuleMatch) {
    if found.first_step != Some(0) {
        return plan.too_large_steps();
    }
    // Of a recurrent layer, before any update.
    let [adam, rate] = adam_at(0.001);
    plan.add(
        [Change::Init("default".into()), adam, rate],
        "weights within 1/sqrt(units) of zero do not multiply what they see at every step",
    );
    if plan.has_plain_cell() {
        let [adam, rate] = adam_at(0.005);
        plan.add(
            [Change::Cell(Cell::Lstm), Change::Init("default".into()), adam, rate],
            "the gates of an LSTM pass on what a plain recurrent layer multiplies by its weights at every step",
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::{Finding, Severity};
    use crate::diagnose::test_support::{Fake, set_step};

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
        fn repeated(count: u64) -> Option<Finding> {
            let mut fake = burst(1.0, 2.0);
            let usual = fake.record.steps[0].grad_l2.last;
            (0..count).for_each(|i| set_step(&mut fake, 30 + i, |s| s.grad_l2 = (11.0 * usual).into()));
            fake.finding("exploding-time")
        }
        assert_eq!(repeated(3).unwrap().first_step, Some(30));
        assert_eq!(repeated(2), None);
    }

    #[test]
    fn a_running_median_needs_some_history() {
        fn early(step: u64) -> bool {
            let mut fake = Fake::stuck(6);
            set_step(&mut fake, step, |s| s.grad_l2 = 100.0.into());
            fake.record.steps[step as usize + 1..].iter_mut().for_each(|s| s.loss = 5.0.into());
            fake.finding("exploding-time").is_some()
        }
        assert!(early(10) && !early(9));
    }

    #[test]
    fn growth_through_time_counts_before_the_first_step_and_is_noted_without_harm() {
        fn growing(times: f32) -> Fake {
            let mut fake = Fake::recurrent(6);
            fake.signal_through_time(|e| if e == 0 { vec![times, 5.0, 2.0, 1.0] } else { vec![1.0; 4] });
            fake
        }
        let f = growing(10.1).finding("exploding-time").unwrap();
        assert_eq!((f.severity, f.first_step), (Severity::Error, Some(0)));
        assert_eq!(growing(9.9).finding("exploding-time"), None);
        let mut learning = growing(100.0);
        learning.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(learning.finding("exploding-time").unwrap().severity, Severity::Info);
    }
}
