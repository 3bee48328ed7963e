//! Weight decay that holds the run.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::{Capture, span};
use crate::diagnose::remedy::{Change, Plan};
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::diagnose::series;
use crate::diagnose::text::{self, percent, two_digits};
use crate::record::LayerCapture;
use crate::record::settings::OptimizerKind;
use crate::text::number;

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

const CAPTURES: Param = Param::count("captures", 2, "captured epochs in a row (or all there are)");

pub static RULE: Rule = Rule {
    name: "decay-dominated",
    family: "update",
    summary: "Weight decay shrinks the weights faster than the gradient can build them up",
    scope: Scope::Run,
    params: &[COSINE, SHRUNK, COSINE_LATE, HALF, BALANCE, NOTHING, CAPTURES],
    measures: "The cosine between each step and minus the weights, median of the epoch and of the layers, \
               and the norm of all weights over what it was before the first step. What decay takes is its share \
               of the gradient, or of the step where it is decoupled (AdamW).",
    fires: "Error, with weight decay on and a loss no better than guessing, at a cosine of {cosine} or more \
            with {shrunk} or less of the weights left at {captures} captured epochs in a row, or of \
            {cosine-late} with {half} left once. Or, with {half} left {captures} times in a row, where decay \
            takes {balance} or more of what the gradient gives; or with {nothing} left {captures} times in a row.",
    false_alarms: "None known.",
    trials: "Weight decay / 100 4 of 4; learning rate / 10 0 of 4.",
    needs: &[Need::Epoch, Need::BaselineLoss],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: Some(remedies),
};

/// A sign that decay outruns the gradient.
#[derive(Clone, Copy)]
enum Sign {
    /// Steps point where weights only shrink, and some are gone.
    Cosine,
    /// They do so less clearly, and half of the weights are gone.
    LateCosine,
    /// Decay and gradient have come to a balance.
    Balance,
    /// Next to no weights are left.
    Trace,
}

impl Sign {
    const ALL: [Sign; 4] = [Sign::Cosine, Sign::LateCosine, Sign::Balance, Sign::Trace];

    /// The limit of the sign.
    fn limit(self) -> &'static Param {
        match self {
            Sign::Cosine => &COSINE,
            Sign::LateCosine => &COSINE_LATE,
            Sign::Balance => &BALANCE,
            Sign::Trace => &NOTHING,
        }
    }

    /// Captured epochs in a row that show it.
    fn needed(self, cx: &RuleContext) -> usize {
        if matches!(self, Sign::LateCosine) { 1 } else { cx.count(&CAPTURES) }
    }

    /// Its measured quantity; `left` is the share of the weights that is left.
    fn value(self, cx: &RuleContext, capture: &Capture, left: f64) -> f64 {
        match self {
            Sign::Cosine | Sign::LateCosine => cosine(cx, capture).unwrap_or(f64::NAN),
            Sign::Balance => balance(cx, capture).unwrap_or(f64::NAN),
            Sign::Trace => left,
        }
    }

    fn shows(self, cx: &RuleContext, capture: &Capture, left: f64) -> bool {
        let (value, limit) = (self.value(cx, capture, left), cx.get(self.limit()));
        match self {
            Sign::Cosine => value >= limit && left <= cx.get(&SHRUNK),
            Sign::LateCosine | Sign::Balance => value >= limit && left <= cx.get(&HALF),
            Sign::Trace => value <= limit,
        }
    }

    /// The name of the quantity, and the sign in words.
    fn words(self) -> [&'static str; 2] {
        match self {
            Sign::Cosine | Sign::LateCosine => {
                ["cosine between steps and minus the weights", "steps point where weights only shrink"]
            }
            Sign::Balance => [
                "what decay takes over what the gradient gives",
                "decay takes so many times what the gradient gives",
            ],
            Sign::Trace => ["share of the weights' norm that is left", "no more than a trace of them"],
        }
    }
}

fn evaluate(cx: &RuleContext) -> Evaluation {
    let q = cx.q;
    if q.record.header.run.training.weight_decay <= 0.0 || q.matrices.is_empty() {
        return Ok(Vec::new());
    }
    if q.captures.iter().all(|c| cosine(cx, c).is_none()) {
        return Err(Unmeasured("the record does not say which way the steps of the weights went"));
    }
    let start = q.start.map(|layers| norm(cx, layers, |l| l.weight.l2()));
    let first = q.captures.first().map(|c| norm(cx, c.layers, largest_norm));
    let Some(start) = start.or(first).filter(|n| *n > 0.0 && n.is_finite()) else { return Ok(Vec::new()) };
    let found = Sign::ALL.into_iter().find_map(|sign| {
        let run = cx.trailing_run(sign.needed(cx), |c| {
            c.at_baseline && sign.shows(cx, c, share_left(cx, c, start))
        })?;
        let left = share_left(cx, run.last()?, start);
        describe(cx, run, sign, left)
    });
    Ok(found.into_iter().collect())
}

/// The share of the weights' norm that is left of what it was at the start.
fn share_left(cx: &RuleContext, capture: &Capture, start: f64) -> f64 {
    norm(cx, capture.layers, |l| l.weight.l2()) / start
}

fn describe(cx: &RuleContext, run: &[Capture], sign: Sign, left: f64) -> Option<RuleMatch> {
    let (first_epoch, last_epoch) = span(run);
    let (value, limit) = (sign.value(cx, run.last()?, left), cx.get(sign.limit()));
    let [quantity, how] = sign.words();
    let message = format!(
        "weight decay ({}) outruns the gradient: {} of the weights' norm is left after epoch {last_epoch}, {how} \
         ({}, limit {}), and the loss is hardly better than guessing",
        number(cx.q.record.header.run.training.weight_decay),
        percent(left),
        number(value),
        number(limit),
    );
    Some(RuleMatch {
        kind: Kind::DecayDominated,
        severity: Severity::Error,
        layers: Vec::new(),
        first_epoch,
        last_epoch,
        first_step: None,
        value,
        threshold: limit,
        quantity,
        message,
        evidence: BTreeMap::from([("weights_left".to_owned(), text::value(left))]),
    })
}

/// cos(ΔW, −W), median over the steps of the epoch and then over the matrices.
fn cosine(cx: &RuleContext, capture: &Capture) -> Option<f64> {
    let layers = cx.q.matrices.iter().filter_map(|&i| capture.layers.get(i));
    series::median(&mut layers.filter_map(|l| Some(l.steps?.decay_alignment?.median)).collect())
}

/// The part that decay takes of the weights over the part that the loss gives them, at the median step: of the
/// gradient, which decay joins; of the step where it is decoupled (Loshchilov and Hutter, 2017).
fn balance(cx: &RuleContext, capture: &Capture) -> Option<f64> {
    let run = &cx.q.record.header.run;
    let weights = norm(cx, capture.layers, |l| l.weight_norm());
    let (taken, given) = if run.training.optimizer == OptimizerKind::AdamW {
        let step = norm(cx, capture.layers, |l| l.update_norm().map_or(0.0, |u| u.median));
        (capture.lr * run.training.weight_decay * weights, step)
    } else {
        let gradient = norm(cx, capture.layers, |l| l.gradient_norm().map_or(0.0, |g| g.median));
        (run.training.weight_decay * weights, gradient)
    };
    Some(taken / given).filter(|b| b.is_finite())
}

/// The norm of all matrices together.
fn norm(cx: &RuleContext, layers: &[LayerCapture], layer_norm: impl Fn(&LayerCapture) -> f64) -> f64 {
    let norms = cx.q.matrices.iter().filter_map(|&i| layers.get(i)).map(layer_norm);
    norms.map(|n| n * n).sum::<f64>().sqrt()
}

fn largest_norm(layer: &LayerCapture) -> f64 {
    layer.steps.and_then(|s| s.weight_l2).map_or_else(|| layer.weight.l2(), |s| s.max)
}

fn remedies(plan: &mut Plan, _: &RuleMatch) {
    plan.add(
        [Change::WeightDecay(two_digits(plan.run.training.weight_decay / 100.0))],
        "a hundredth of the decay leaves the weights standing",
    );
    plan.add([Change::WeightDecay(0.0)], "without decay only the gradient moves the weights");
}

#[cfg(test)]
mod tests {
    use crate::diagnose::test_support::{Fake, Norms};
    use crate::record::settings::OptimizerKind;
    use crate::stats::Spread;

    /// A stuck run with weight decay whose steps shrink the weights, so much of which is left.
    fn decayed(cosine: f64, left: f64) -> Fake {
        let mut fake = Fake::stuck(6);
        fake.record.header.run.training.weight_decay = 0.01;
        for i in 0..5 {
            fake.set_norms(i, |_| Norms { w: 2.0 * left, g: 0.05, u: 0.02 });
            fake.each_capture(i, |_, l| {
                let at = Spread { min: cosine, median: cosine, max: cosine };
                l.steps.as_mut().unwrap().decay_alignment = Some(at);
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
        fn balanced(decay: f64, left: f64) -> bool {
            let mut fake = decayed(0.0, left);
            fake.record.header.run.training.weight_decay = decay;
            fake.finding("decay-dominated").is_some()
        }
        assert!(balanced(0.51 * 0.05 / 0.98, 0.49) && !balanced(0.49 * 0.05 / 0.98, 0.49));
        assert!(!balanced(1.0, 0.51));
        let mut adamw = decayed(0.0, 0.49);
        adamw.record.header.run.training.optimizer = OptimizerKind::AdamW.into();
        // Steps of 0.02 at a learning rate of 0.01.
        adamw.record.header.run.training.weight_decay = 1.01 * 0.02 / 0.98;
        assert_eq!(adamw.finding("decay-dominated"), None);
        adamw.record.header.run.training.weight_decay = 101.0 * 0.51 * 0.02 / 0.98;
        assert!(adamw.finding("decay-dominated").is_some());
    }

    #[test]
    fn weights_that_are_gone_are_decay_wherever_the_last_steps_point() {
        // A decay that takes next to nothing of what the gradient gives.
        fn gone(left: f64) -> bool {
            let mut fake = decayed(0.0, left);
            fake.record.header.run.training.weight_decay = 1e-9;
            fake.finding("decay-dominated").is_some()
        }
        assert!(gone(0.9e-3) && !gone(1.1e-3));
    }

    #[test]
    fn without_the_direction_of_steps_decay_is_not_measured() {
        let mut fake = Fake::stuck(6);
        fake.record.header.run.training.weight_decay = 1.0;
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
