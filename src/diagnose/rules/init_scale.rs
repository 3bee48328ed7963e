//! Initial weights of the wrong size.

use std::collections::BTreeMap;

use super::shared::relu::is_silent;
use crate::diagnose::fault::{Direction, Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::remedy::Plan;
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::diagnose::series;
use crate::diagnose::text;
use crate::record::LayerCapture;
use crate::text::number;

const SHRINKS: Param = Param::limit(
    "shrinks",
    5e-3,
    "spread of the last hidden layer's pre-activations over the first's, below which inputs are lost on the way",
);

const SMALL_ROWS: Param = Param::limit(
    "small-rows",
    0.35,
    "RMS length of a layer's rows of weights; He 1.41, LeCun 1, PyTorch's default 0.58",
);

const GROWS: Param =
    Param::limit("grows", 8.0, "the same ratio above which signals grow from layer to layer");

const LARGE_ROWS: Param = Param::limit("large-rows", 3.0, "RMS length of a layer's rows, twice He's");

const ODD_GAIN: Param = Param::limit(
    "odd-gain",
    30.0,
    "factor between a layer's own gain and the layers' median from which that layer is named",
);

const WORSE: Param = Param::limit(
    "worse",
    2.0,
    "times the loss of guessing at the first step, and still: answers so sure of themselves come of the weights",
)
.bracketed();

const WORSE_CAPTURES: Param =
    Param::count("worse-captures", 2, "captured epochs in a row in which the loss is still so high")
        .guessed();

const LOSS_SHARE: Param = Param::limit(
    "loss-share",
    0.5,
    "share of the loss of guessing above which large weights, without harm, are still a warning",
)
.guessed();

/// Factor between a layer's row norm and the layers' median from which its weights were drawn otherwise;
/// its gain alone may be odd because float32 resolves no smaller spread.
const ODD_ROWS: f64 = 3.0;

pub static RULE: Rule = Rule {
    name: "init-scale",
    family: "init",
    summary: "The initial weights are so small or so large that signals shrink or grow from layer to layer",
    scope: Scope::Layer,
    params: &[SHRINKS, SMALL_ROWS, GROWS, LARGE_ROWS, ODD_GAIN, WORSE, WORSE_CAPTURES, LOSS_SHARE],
    measures: "Before the first step, the standard deviation over samples of the last hidden layer's \
               pre-activations over that of the first's, and the RMS length of the rows of weights (Glorot \
               and Bengio, 2010; He and others, 2015: what initialisers are made to keep); and the loss of \
               the first step.",
    fires: "Below {shrinks} with rows of {small-rows} or less in some hidden layer, or above {grows} with \
            rows of {large-rows} or more; or with such rows where the loss is {worse} times that of guessing at \
            the first step and at {worse-captures} captured epochs in a row. Error with harm; of large weights, a warning while the loss is above \
            {loss-share} of guessing; else info. A layer whose gain is {odd-gain} times \
            off the median is named alone. Not evaluated behind a layer that is dead before the first step: \
            nothing gets through it, whatever the weights.",
    false_alarms: "N(0, 1) or N(0, 0.01) rescued by Adam: only noted, once the loss falls.",
    trials: "Tiny: He, Xavier 4 of 4, BatchNorm 3 of 4; Adam or any learning rate 0 of 4. Huge: He 3 of 3, \
             Xavier, BatchNorm, LayerNorm 2 of 3; clipping or learning rate / 100 1 of 3.",
    needs: &[Need::Start],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::NotMeasured,
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let found = through(cx, cx.q.start.unwrap_or_default())?.or_else(|| loud(cx));
    Ok(found.into_iter().collect())
}

/// The fate of a signal on its way from the first hidden layer to the last.
fn through(cx: &RuleContext, start: &[LayerCapture]) -> Result<Option<RuleMatch>, Unmeasured> {
    let trunk: Vec<usize> = cx.q.trunk().collect();
    let [first, .., last] = trunk.as_slice() else { return Ok(None) };
    let (Some(a), Some(z)) = (spread(start, *first), spread(start, *last)) else {
        return Err(Unmeasured("the record does not hold what hidden layers put out before the first step"));
    };
    if a.is_nan() || z.is_nan() {
        return Err(Unmeasured("how hidden layers spread before the first step takes two finite samples"));
    }
    let value = z / a;
    if value.is_nan() || cx.q.hidden().any(|i| start.get(i).is_some_and(is_silent)) {
        return Ok(None);
    }
    let (direction, limit) = if value < cx.get(&SHRINKS) {
        (Direction::Small, cx.get(&SHRINKS))
    } else if value > cx.get(&GROWS) {
        (Direction::Large, cx.get(&GROWS))
    } else {
        return Ok(None);
    };
    let layers: Vec<usize> = cx.q.hidden().filter(|&i| is_off(cx, i, direction)).collect();
    if layers.is_empty() {
        return Ok(None);
    }
    let layers = odd(cx, start, direction, &trunk, &layers).map_or(layers, |odd| vec![odd]);
    let norms = layers.iter().filter_map(|&i| cx.q.row_norm(i));
    let worst = norms.reduce(if direction == Direction::Small { f64::min } else { f64::max });
    let worst = worst.unwrap_or(f64::NAN);
    let (size, verb, then) = match direction {
        Direction::Small => ("small", "shrink", "Gradients shrink as fast on their way back."),
        Direction::Large => {
            ("large", "grow", "Gradients grow as fast on their way back, or the units saturate.")
        }
    };
    let message = format!(
        "the initial weights of {} are too {size} ({}): before the first step signals {verb} from {} to {} to \
         {} times their spread (limit {}). {then}",
        cx.names(&layers),
        drawn(cx, worst),
        cx.names(&[*first]),
        cx.names(&[*last]),
        number(value),
        number(limit),
    );
    Ok(Some(RuleMatch {
        value,
        threshold: limit,
        quantity: "spread of the last hidden pre-activations over the first, before the first step",
        message,
        ..match_on_weights(cx, direction, layers, worst)
    }))
}

/// The standard deviation over samples of a layer's pre-activations.
fn spread(layers: &[LayerCapture], index: usize) -> Option<f64> {
    layers.get(index)?.activations.as_ref().map(|a| a.pre_sample_std)
}

/// Whether the rows of a layer's weights are too short or too long.
fn is_off(cx: &RuleContext, index: usize, direction: Direction) -> bool {
    cx.q.row_norm(index).is_some_and(|norm| match direction {
        Direction::Small => norm < cx.get(&SMALL_ROWS),
        Direction::Large => norm > cx.get(&LARGE_ROWS),
    })
}

/// Large weights whose network is sure of wrong answers from the start, however few its layers.
fn loud(cx: &RuleContext) -> Option<RuleMatch> {
    let (baseline, worse) = (cx.q.baseline_loss?, cx.get(&WORSE));
    let start = cx.q.points.first().filter(|p| p.step == 0)?.loss.max / baseline;
    let loud = cx.trailing_run(cx.count(&WORSE_CAPTURES), |c| c.loss >= worse * baseline)?;
    let last = loud.last().filter(|_| start >= worse && loud.len() >= cx.count(&WORSE_CAPTURES))?;
    let mut layers = cx.q.matrices.clone();
    layers.retain(|&i| is_off(cx, i, Direction::Large));
    let longest = layers.iter().filter_map(|&i| cx.q.row_norm(i)).reduce(f64::max)?;
    let message = format!(
        "the initial weights of {} are too large ({}): the network starts at {} times the loss of guessing \
         (limit {}) and is at {} times after epoch {}. It is sure of its wrong answers, and has first to \
         unlearn them.",
        cx.names(&layers),
        drawn(cx, longest),
        number(start),
        number(worse),
        number(last.loss / baseline),
        last.epoch,
    );
    Some(RuleMatch {
        value: start,
        threshold: worse,
        quantity: "loss of the first step over that of guessing",
        message,
        ..match_on_weights(cx, Direction::Large, layers, longest)
    })
}

/// Whether, with some epochs past, the loss is still open.
fn lasts(cx: &RuleContext) -> bool {
    let (Some(baseline), Some(last)) = (cx.q.baseline_loss, cx.q.captures.last()) else { return false };
    cx.q.captures.len() >= cx.count(&WORSE_CAPTURES) && last.loss > cx.get(&LOSS_SHARE) * baseline
}

/// The initialiser in words, and the length of their rows.
fn drawn(cx: &RuleContext, rows: f64) -> String {
    format!("init {}; rows of length {}, where He draws 1.41", cx.q.record.header.run.init, number(rows))
}

/// A fault of the initial weights of these layers, with rows of this length, before it is put into words.
fn match_on_weights(cx: &RuleContext, direction: Direction, layers: Vec<usize>, rows: f64) -> RuleMatch {
    let warned = direction == Direction::Large && lasts(cx);
    RuleMatch {
        kind: Kind::InitScale(direction),
        severity: cx.error_if_failing(if warned { Severity::Warning } else { Severity::Info }),
        layers,
        first_epoch: 0,
        last_epoch: 0,
        first_step: Some(0),
        value: f64::NAN,
        threshold: f64::NAN,
        quantity: "",
        message: String::new(),
        evidence: BTreeMap::from([("row_norm".to_owned(), text::value(rows))]),
    }
}

/// The one of these layers whose own gain is far off what the others have, in the same direction.
fn odd(
    cx: &RuleContext,
    start: &[LayerCapture],
    direction: Direction,
    trunk: &[usize],
    layers: &[usize],
) -> Option<usize> {
    let mut before = cx.q.record.header.data.input_rms;
    let mut gains = Vec::new();
    for &i in trunk {
        let now = spread(start, i)?;
        gains.push((i, (now / before).ln()));
        before = now;
    }
    let median = series::median(&mut gains.iter().map(|g| g.1).collect::<Vec<_>>());
    let median = median.filter(|m| m.is_finite())?;
    let limit = cx.get(&ODD_GAIN).ln();
    let usual = series::median(&mut trunk.iter().filter_map(|&i| cx.q.row_norm(i)).collect())?;
    let mut odd = gains.iter().filter(|(i, gain)| {
        let norm = cx.q.row_norm(*i).unwrap_or(usual) / usual;
        let (off, drawn_otherwise) = match direction {
            Direction::Small => (median - gain, norm < 1.0 / ODD_ROWS),
            Direction::Large => (gain - median, norm > ODD_ROWS),
        };
        off > limit && drawn_otherwise && layers.contains(i)
    });
    odd.next().filter(|_| odd.next().is_none()).map(|g| g.0)
}

fn remedies(plan: &mut Plan, found: &RuleMatch) {
    match found.kind {
        Kind::InitScale(Direction::Large) => plan.growing_with_depth(),
        _ => plan.shrinking_with_depth(),
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::{Fake, Norms};

    /// A stuck network of four hidden layers with rows of this length, through which the spread of
    /// pre-activations changes so many times in all.
    fn through(ratio: f64, rows: f64) -> Fake {
        let mut fake = Fake::stuck(6);
        for i in 0..4 {
            fake.set_norms(i, |_| Norms { w: rows * 8f64.sqrt(), g: 0.05, u: 0.02 });
            fake.each_capture(i, |_, l| {
                l.activations.as_mut().unwrap().pre_sample_std = ratio.powf(i as f64 / 3.0);
            });
        }
        fake
    }

    #[test]
    fn both_signals_and_weights_must_be_off() {
        for (ratio, rows, fires) in [
            (4.9e-3, 0.34, true),
            (5.1e-3, 0.34, false),
            (4.9e-3, 0.36, false),
            (8.1, 3.1, true),
            (7.9, 3.1, false),
            (8.1, 2.9, false),
        ] {
            assert_eq!(through(ratio, rows).finding("init-scale").is_some(), fires, "{ratio} {rows}");
        }
        let f = through(1e-4, 0.1).finding("init-scale").unwrap();
        assert_eq!((f.layers.len(), f.first_step, f.severity), (4, Some(0), Severity::Error));
    }

    #[test]
    fn large_weights_that_are_sure_of_wrong_answers_are_off_however_few_the_layers() {
        fn loud(rows: f64, start: f64, still: f64, epochs: u64) -> Option<Severity> {
            let mut fake = through(1.0, rows);
            fake.set_loss(|_| still * 0.693);
            fake.record.steps[0].loss = (start * 0.693).into();
            fake.record.epochs.truncate(epochs as usize);
            fake.finding("init-scale").map(|f| f.severity)
        }
        assert_eq!(loud(3.1, 2.1, 2.1, 2), Some(Severity::Error));
        assert_eq!(loud(2.9, 2.1, 2.1, 2), None);
        assert_eq!(loud(3.1, 1.9, 2.1, 2), None);
        assert_eq!(loud(3.1, 2.1, 1.9, 2), None);
        assert_eq!(loud(3.1, 2.1, 2.1, 1), None);
    }

    #[test]
    fn a_network_that_learns_all_the_same_is_only_noted() {
        let mut fake = through(1e-4, 0.1);
        fake.set_loss(|e| 0.693 * 0.8f64.powi(e as i32));
        assert_eq!(fake.finding("init-scale").unwrap().severity, Severity::Info);
    }

    #[test]
    fn a_single_layer_that_is_off_is_named_alone() {
        let mut fake = through(1.0, 1.0);
        for i in 2..4 {
            fake.each_capture(i, |_, l| l.activations.as_mut().unwrap().pre_sample_std = 1e-3);
        }
        fake.set_norms(2, |_| Norms { w: 0.001, g: 0.05, u: 0.02 });
        assert_eq!(fake.finding("init-scale").unwrap().layers, ["fc3"]);
    }

    #[test]
    fn behind_a_dead_layer_nothing_can_be_said_of_the_weights() {
        let mut fake = through(0.0, 0.1);
        fake.silence(0, 8, 0, -4.0, -3.5);
        assert_eq!(fake.finding("init-scale"), None);
    }
}
