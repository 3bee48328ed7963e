//! ReLU layers and units that no sample makes fire.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::cause::{Kind, Silence};
use super::super::quantities::Capture;
use super::super::rule::{Case, Hit, NO_EPOCH, Rule, Unmeasured, span};
use super::super::settings::Param;
use super::super::text::{self, percent};
use super::unseen::{self, Test};
use crate::record::{ActivationFrequency, LayerCapture};
use crate::text::number;

const NO_FIRING: Unmeasured = Unmeasured("the record does not say how often ReLU units fire");

pub static DEAD_LAYER: Rule = Rule {
    name: "dead-layer",
    family: "dead-relu",
    summary: "Every unit of a ReLU layer is silent on every sample: nothing passes, in either direction",
    params: &[],
    measures: "How often each unit's pre-activation is above zero over the whole training set, in \
               evaluation mode. Never in N samples bounds a unit's rate below 3/N at 95% (Hanley and \
               Lippman-Hand, 1983). Inside of a TorchScript program that cannot be seen: there, indirectly, \
               whether the gradient of every unit's weights and bias is exactly 0 in every batch of an epoch.",
    fires: "Where no unit of the layer fired on any sample at the last captured epoch. Born dead if it was \
            so before the first step, else died at the epoch since which it holds. Error with harm, else \
            warning. It counts, so it has no parameters.",
    false_alarms: "None known. Zero fractions and zero gradients, the usual test, flag healthy layers: \
                   these reach 92% zeros at 100% accuracy. A layer beside a residual link may be dead \
                   without harm.",
    remedies: "Dead by its bias: bias 0 or BatchNorm 4 of 4; leaky ReLU 1 of 4; GELU, Adam, learning rate x \
               10 0 of 4. Killed later: BatchNorm 4 of 4, leaky ReLU with slope 0.2 1 of 4; others 0.",
    evaluate: layer,
};

fn layer(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    if case.q.record.header.is_program() {
        return unseen::dead_layers(case);
    }
    let relu = relu_layers(case)?;
    Ok(relu.into_iter().filter_map(|i| dead_hit(case, i)).collect())
}

/// The layers that can die, if their firing was measured.
fn relu_layers(case: &Case) -> Result<Vec<usize>, Unmeasured> {
    let layers = case.q.record.header.layers.iter().enumerate();
    let can_die: Vec<usize> = layers.filter(|(_, l)| l.activation.can_die()).map(|(i, _)| i).collect();
    if can_die.is_empty() {
        return Ok(can_die);
    }
    let last = case.q.captures.last().map(|c| c.layers).or(case.q.start).ok_or(NO_EPOCH)?;
    let has_firing =
        |l: &LayerCapture| l.activations.as_ref().is_some_and(|a| a.activation_frequency.is_some());
    if can_die.iter().any(|&i| last.get(i).is_some_and(has_firing)) { Ok(can_die) } else { Err(NO_FIRING) }
}

fn is_dead(firing: &ActivationFrequency) -> bool {
    firing.dead_units() == firing.rate.len() as u64
}

/// Whether no unit fires on any sample, and none did in the captured training batch: with batch
/// normalisation the running statistics of evaluation lag behind, and a layer that is silent there can
/// fire, and learn, in training.
pub(super) fn is_silent(layer: &LayerCapture) -> bool {
    let in_training = layer.activations.as_ref().is_some_and(|a| a.pre.max().is_some_and(|max| max > 0.0));
    !in_training && layer.firing().is_some_and(is_dead)
}

fn dead_hit(case: &Case, index: usize) -> Option<Hit> {
    let dead = |c: &Capture| c.layers.get(index).is_some_and(is_silent);
    let run = case.held(1, dead).unwrap_or_default();
    let from_start = run.len() == case.q.captures.len();
    let now = match run.last() {
        Some(capture) => &capture.layers[index],
        // Nothing captured since the start: that is all there is to judge by.
        None if case.q.captures.is_empty() => case.q.start?.get(index)?,
        None => return None,
    };
    let firing = now.firing().filter(|_| is_silent(now))?;
    let born = from_start && born_dead(case, index, run);
    let name = case.names(&[index]);
    let max_pre = firing.max_pre();
    let who = format!(
        "{} silent on all {}",
        if firing.rate.len() == 1 {
            "its only unit is".into()
        } else {
            format!("all {} units are", firing.rate.len())
        },
        text::count(firing.samples, "sample"),
    );
    let first_epoch = run.first().map_or(0, |c| c.epoch);
    let mut evidence = BTreeMap::from([
        ("units".to_owned(), firing.rate.len().into()),
        ("samples".to_owned(), firing.samples.into()),
        ("whole_training_set".to_owned(), firing.exact.into()),
        ("largest_pre_activation".to_owned(), text::value(max_pre)),
    ]);
    let (kind, message) = if born {
        let first = case.q.start.or(run.first().map(|c| c.layers))?.get(index)?;
        let reason = Reason::of(first, max_pre);
        evidence.extend(reason.evidence());
        let message = format!(
            "{name} was born dead: {who}, largest pre-activation {}, because {}. No gradient passes it, so \
             neither it nor the layers before it can learn.",
            number(max_pre),
            reason.words(),
        );
        (Kind::BornDead(reason.silence), message)
    } else {
        let message = format!(
            "{name} died in epoch {first_epoch}: {who}, largest pre-activation {}; before that some fired. \
             No gradient passes it any more, so neither it nor the layers before it can learn.",
            number(max_pre),
        );
        (Kind::LaterDead, message)
    };
    Some(Hit {
        kind,
        severity: case.with_harm(Severity::Warning),
        layers: vec![index],
        first_epoch,
        last_epoch: run.last().map_or(first_epoch, |c| c.epoch),
        first_step: born.then_some(0),
        value: 1.0,
        threshold: 1.0,
        quantity: "share of units that never fired",
        message,
        evidence,
    })
}

/// Whether a layer that is dead at every captured epoch was so before the first step.
fn born_dead(case: &Case, index: usize, run: &[Capture]) -> bool {
    let start = case.q.start.and_then(|s| s.get(index));
    if let Some(activations) = start.and_then(|l| l.activations.as_ref()) {
        return match &activations.activation_frequency {
            Some(firing) => is_dead(firing) && activations.pre.max().is_some_and(|max| max <= 0.0),
            None => activations.pre.max().is_some_and(|max| max <= 0.0),
        };
    }
    // Without a capture before the first step: a layer that got no gradient in any step of the first
    // epoch did not fire in it.
    let first = run.first().filter(|c| c.epoch == 0).and_then(|c| c.layers.get(index));
    first.and_then(LayerCapture::gradient_norm).is_some_and(|g| g.max == 0.0)
}

/// Why a layer is silent before it has learned anything, from its numbers.
struct Reason {
    silence: Silence,
    bias: Option<(f64, f64, f64)>,
    pre_mean: Option<f64>,
    dead_input: bool,
}

impl Reason {
    fn of(layer: &LayerCapture, max_pre: f64) -> Self {
        let bias = layer.bias.as_ref().and_then(|b| Some((b.min()?, b.mean()?, b.max()?)));
        let pre_mean = layer.activations.as_ref().and_then(|a| a.pre.mean());
        // With nothing coming in, the pre-activation is the bias, the same for every sample.
        let constant = layer.activations.as_ref().is_some_and(|a| a.pre_sample_std == 0.0);
        let silence = match bias {
            // Without the bias (its mean, where units differ) the highest unit would fire.
            Some((_, mean, _)) if mean < 0.0 && max_pre - mean >= 0.0 => Silence::Bias,
            _ if constant && max_pre == 0.0 => Silence::Input,
            _ => Silence::Weights,
        };
        Self { silence, bias, pre_mean, dead_input: constant }
    }

    fn words(&self) -> String {
        match (self.silence, self.bias) {
            (Silence::Bias, Some((min, _, max))) if min == max => format!("its bias is {}", number(min)),
            (Silence::Bias, Some((min, mean, max))) => {
                format!("its biases lie between {} and {} (mean {})", number(min), number(max), number(mean))
            }
            (Silence::Input, _) => "nothing but zeros comes into it".into(),
            (_, bias) => {
                let pre =
                    self.pre_mean.map_or(String::new(), |m| format!(" (mean pre-activation {})", number(m)));
                let not = match bias {
                    Some((_, mean, _)) => format!(", and not because of its bias (mean {})", number(mean)),
                    None => String::new(),
                };
                format!("its weights turn every input negative{pre}{not}")
            }
        }
    }

    fn evidence(&self) -> Vec<(String, serde_json::Value)> {
        let because = match self.silence {
            Silence::Bias => "bias",
            Silence::Input => "input",
            Silence::Weights => "weights",
        };
        let mut evidence =
            vec![("because".to_owned(), because.into()), ("constant_input".into(), self.dead_input.into())];
        evidence.extend(self.bias.map(|(_, mean, _)| ("bias_mean".to_owned(), text::value(mean))));
        evidence
    }
}

const SHARE: Param = Param::limit(
    "share",
    0.5,
    "share of a layer's units; a healthy network often has a quarter dead, so half, and only with harm",
);
const UNITS: Param =
    Param::count("units", 8, "least units of a layer for a warning: half of three is an accident");
const CAPTURES: Param = Param::count(
    "captures",
    2,
    "captured epochs in a row for a warning: after one a run may just have begun",
);
const NOTE: Param = Param::limit("note", 0.1, "share of a layer's units that is worth a note");

pub static DEAD_UNITS: Rule = Rule {
    name: "dead-units",
    family: "dead-relu",
    summary: "Many units of a ReLU layer are silent on every sample",
    params: &[SHARE, UNITS, CAPTURES, NOTE],
    measures: "The share of a layer's units whose pre-activation is above zero on no sample of the whole \
               training set, in evaluation mode; of a TorchScript program, indirectly, whose gradient is exactly 0 in \
               every batch of an epoch. Layers that are dead altogether are left to dead-layer.",
    fires: "Warning at {share} of a layer of at least {units} units, at {captures} captured epochs in a \
            row, with harm that has no other root. Info at {note}.",
    false_alarms: "None above info without harm. Earlier tools alarm at shares of silent units or zeros \
                   alone, harm or not (SageMaker Debugger, DeepDiagnosis), which flags healthy layers.",
    remedies: "As dead-layer: bias 0 or BatchNorm; smaller steps where units died in training.",
    evaluate: units,
};

fn units(case: &Case) -> Result<Vec<Hit>, Unmeasured> {
    let test = if case.q.record.header.is_program() {
        unseen::dead_units(case)?
    } else {
        Test {
            layers: relu_layers(case)?,
            share: |c, i| c.firing(i).map(|f| f.dead_units() as f64 / f.rate.len() as f64),
            are: "are silent on every sample",
            like: "",
            aside: None,
            quantity: "share of a layer's units that never fired",
        }
    };
    let share = |c: &Capture, i: usize| (test.share)(c, i).filter(|s| *s > 0.0 && *s < 1.0);
    let from = |c: &Capture, i: usize, limit: f64| share(c, i).is_some_and(|s| s >= limit);
    let (limit, note) = (case.get(&SHARE), case.get(&NOTE));
    let large = |i: usize| case.q.layer(i).is_some_and(|l| l.units >= case.get(&UNITS) as u64);
    let (mut warned, mut noted) = (Vec::new(), Vec::new());
    for &i in &test.layers {
        let warning = case.held(case.count(&CAPTURES), |c| from(c, i, limit));
        let held = |run: &&[Capture]| run.len() >= case.count(&CAPTURES);
        if let Some(run) = warning.filter(held).filter(|_| case.q.harm && large(i)) {
            warned.push((i, run));
        } else if let Some(run) = case.held(1, |c| from(c, i, note)) {
            noted.push((i, run));
        }
    }
    let hit = |severity, found: Vec<(usize, &[Capture])>, threshold| {
        let shares = found.iter().filter_map(|(i, run)| Some((*i, share(run.last()?, *i)?)));
        let (worst, value) = shares.max_by(|a, b| a.1.total_cmp(&b.1))?;
        let layers: Vec<usize> = found.iter().map(|(i, _)| *i).collect();
        let first = found.iter().map(|(_, run)| span(run).0).min()?;
        let message = format!(
            "units of {} {} since epoch {first}{}: {} of them{} (limit {}){}",
            case.names(&layers),
            test.are,
            test.like,
            percent(value),
            if layers.len() > 1 { format!(" in {}, the worst", case.names(&[worst])) } else { String::new() },
            percent(threshold),
            test.aside.map_or(String::new(), |aside| format!(". {aside}")),
        );
        let mut evidence = BTreeMap::from([("worst_layer".to_owned(), case.names(&[worst]).into())]);
        evidence.extend(test.aside.map(|_| ("indirect".to_owned(), true.into())));
        Some(Hit {
            kind: Kind::DeadUnits,
            severity,
            layers,
            first_epoch: first,
            last_epoch: found.iter().map(|(_, run)| span(run).1).max()?,
            first_step: None,
            value,
            threshold,
            quantity: test.quantity,
            message,
            evidence,
        })
    };
    let hits = [hit(Severity::Warning, warned, limit), hit(Severity::Info, noted, note)];
    Ok(hits.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::Severity;
    use super::super::super::test_support::{Fake, Norms};
    use crate::stats::Distribution;

    #[test]
    fn a_layer_dies_with_its_last_unit() {
        let silenced = |units: usize| {
            let mut fake = Fake::stuck(6);
            fake.silence(1, units, 2, 0.1, -0.2);
            fake
        };
        let f = silenced(8).finding("dead-layer").unwrap();
        assert_eq!((f.layer.as_deref(), f.first_epoch, f.severity), (Some("fc2"), 2, Severity::Error));
        assert!(f.message.starts_with("fc2 died in epoch 2: all 8 units are silent on all 640 samples"));
        assert_eq!(silenced(7).finding("dead-layer"), None);
    }

    #[test]
    fn a_dead_layer_without_harm_is_a_warning() {
        let mut fake = Fake::healthy(6);
        fake.silence(1, 8, 2, 0.1, -0.2);
        assert_eq!(fake.finding("dead-layer").unwrap().severity, Severity::Warning);
    }

    #[test]
    fn a_layer_that_fires_again_is_not_dead() {
        let mut fake = Fake::stuck(6);
        fake.silence(1, 8, 0, 0.1, -0.2);
        let alive = Fake::stuck(6).record.epochs[5].layers[1].clone();
        fake.record.epochs[5].layers[1] = alive;
        assert_eq!(fake.finding("dead-layer"), None);
    }

    #[test]
    fn being_born_dead_needs_silence_before_the_first_step() {
        let mut fake = Fake::stuck(6);
        fake.silence(1, 8, 0, -4.0, -3.5);
        let f = fake.finding("dead-layer").unwrap();
        assert_eq!((f.first_step, f.evidence["because"].as_str()), (Some(0), Some("bias")));
        let alive = Fake::stuck(6).record.steps[0].capture.clone();
        fake.record.steps[0].capture = alive;
        let f = fake.finding("dead-layer").unwrap();
        assert_eq!((f.first_step, f.first_epoch), (None, 0));
        assert!(f.message.starts_with("fc2 died in epoch 0"));
        // Without that capture, a first epoch without any gradient tells.
        fake.record.steps[0].capture = None;
        assert_eq!(fake.finding("dead-layer").unwrap().first_step, None);
        fake.record.epochs[0].layers[1].steps = None;
        fake.record.epochs[0].layers[1].weight_grad = Some(Distribution::new(&[0.0]));
        assert_eq!(fake.finding("dead-layer").unwrap().first_step, Some(0));
    }

    #[test]
    fn the_reason_is_the_bias_only_if_units_would_fire_without_it() {
        let born = |bias: &[f32], pre: f32, sample_std: f64| {
            let mut fake = Fake::stuck(3);
            fake.silence(1, 8, 0, 0.0, pre);
            fake.each_capture(1, |_, l| {
                l.bias = Some(Distribution::new(bias));
                l.activations.as_mut().unwrap().pre_sample_std = sample_std;
            });
            let message = fake.finding("dead-layer").unwrap().message;
            message.split_once("because ").unwrap().1.split(". ").next().unwrap().to_owned()
        };
        assert_eq!(born(&[-8.0; 8], -7.5, 1.0), "its bias is -8");
        assert_eq!(born(&[-8.0, -6.0], -5.5, 1.0), "its biases lie between -8 and -6 (mean -7)");
        assert_eq!(
            born(&[-0.1; 8], -7.5, 1.0),
            "its weights turn every input negative (mean pre-activation -7.55), and not because of its bias (mean \
             -0.1)"
        );
        assert_eq!(born(&[0.0; 8], 0.0, 0.0), "nothing but zeros comes into it");
    }

    #[test]
    fn half_of_the_units_with_harm_are_a_warning_and_fewer_a_note() {
        let units = |dead: usize, from: u64, harm: bool| {
            let mut fake = if harm { Fake::stuck(6) } else { Fake::healthy(6) };
            fake.silence(2, dead, from, 0.1, -0.2);
            fake.finding("dead-units").map(|f| f.severity)
        };
        assert_eq!(units(4, 0, true), Some(Severity::Warning));
        assert_eq!(units(3, 0, true), Some(Severity::Info));
        assert_eq!(units(4, 5, true), Some(Severity::Info));
        assert_eq!(units(7, 0, false), Some(Severity::Info));
        assert_eq!(units(0, 0, true), None);
        assert_eq!(units(8, 0, true), None);
    }

    #[test]
    fn after_one_epoch_or_beside_another_root_dead_units_are_a_note() {
        let units = |mut fake: Fake| {
            fake.silence(2, 4, 0, 0.1, -0.2);
            fake.finding("dead-units").unwrap().severity
        };
        assert_eq!(units(Fake::stuck(1)), Severity::Info);
        assert_eq!(units(Fake::stuck(2)), Severity::Warning);
        let mut vanishing = Fake::stuck(6);
        vanishing.set_norms(0, |_| Norms { w: 2.0, g: 1e-6, u: 0.02 });
        assert_eq!(units(vanishing), Severity::Info);
    }
}
