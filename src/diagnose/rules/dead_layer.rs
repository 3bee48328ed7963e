//! ReLU layers that no sample makes fire.

use std::collections::BTreeMap;

use serde_json::Value;

use super::shared::relu::{is_dead, is_silent, relu_layers};
use super::shared::torchscript;
use crate::diagnose::fault::{DeathCause, Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::quantities::Capture;
use crate::diagnose::remedy::{Change, Plan};
use crate::diagnose::rule::{Evaluation, OnPrograms, Rule, RuleContext, Scope};
use crate::diagnose::text;
use crate::record::settings::Norm;
use crate::record::{ActivationFrequency, LayerCapture};
use crate::text::number;

pub static RULE: Rule = Rule {
    name: "dead-layer",
    family: "dead-relu",
    summary: "Every unit of a ReLU layer is silent on every sample: nothing passes, in either direction",
    scope: Scope::Layer,
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
    trials: "Dead by its bias: bias 0 or BatchNorm 4 of 4; leaky ReLU 1 of 4; GELU, Adam, learning rate x \
             10 0 of 4. Killed later: BatchNorm 4 of 4, leaky ReLU with slope 0.2 1 of 4; others 0.",
    needs: &[],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::By(torchscript::dead_layers),
    remedies: Some(remedies),
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    Ok(relu_layers(cx)?.into_iter().filter_map(|i| dead(cx, i)).collect())
}

fn dead(cx: &RuleContext, index: usize) -> Option<RuleMatch> {
    let run = cx.trailing_run(1, |c| c.layers.get(index).is_some_and(is_silent)).unwrap_or_default();
    let from_start = run.len() == cx.q.captures.len();
    let now = match run.last() {
        Some(capture) => &capture.layers[index],
        // Nothing captured since the start: that is all there is to judge by.
        None if cx.q.captures.is_empty() => cx.q.start?.get(index)?,
        None => return None,
    };
    let firing = now.firing().filter(|_| is_silent(now))?;
    let born = from_start && born_dead(cx, index, run);
    let (name, max_pre) = (cx.names(&[index]), number(firing.max_pre()));
    let who = silent_units(firing);
    let first_epoch = run.first().map_or(0, |c| c.epoch);
    let mut evidence = evidence(firing);
    let (kind, message) = if born {
        let first = cx.q.start.or(run.first().map(|c| c.layers))?.get(index)?;
        let reason = Reason::from_layer(first, firing.max_pre());
        evidence.extend(reason.evidence());
        let message = format!(
            "{name} was born dead: {who}, largest pre-activation {max_pre}, because {}. No gradient passes it, so \
             neither it nor the layers before it can learn.",
            reason.words(),
        );
        (Kind::BornDead(reason.cause), message)
    } else {
        let message = format!(
            "{name} died in epoch {first_epoch}: {who}, largest pre-activation {max_pre}; before that some fired. \
             No gradient passes it any more, so neither it nor the layers before it can learn.",
        );
        (Kind::LaterDead, message)
    };
    Some(RuleMatch {
        kind,
        severity: cx.error_if_failing(Severity::Warning),
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

/// `all 3 units are silent on all 640 samples`.
fn silent_units(firing: &ActivationFrequency) -> String {
    let samples = text::count(firing.samples, "sample");
    match firing.rate.len() {
        1 => format!("its only unit is silent on all {samples}"),
        units => format!("all {units} units are silent on all {samples}"),
    }
}

fn evidence(firing: &ActivationFrequency) -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("units".to_owned(), firing.rate.len().into()),
        ("samples".to_owned(), firing.samples.into()),
        ("whole_training_set".to_owned(), firing.exact.into()),
        ("largest_pre_activation".to_owned(), text::value(firing.max_pre())),
    ])
}

/// Whether a layer that is dead at every captured epoch was so before the first step.
fn born_dead(cx: &RuleContext, index: usize, run: &[Capture]) -> bool {
    let start = cx.q.start.and_then(|s| s.get(index));
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

/// The reason why a layer is silent before it has learned anything, from its numbers.
struct Reason {
    cause: DeathCause,
    bias: Option<(f64, f64, f64)>,
    pre_mean: Option<f64>,
    dead_input: bool,
}

impl Reason {
    fn from_layer(layer: &LayerCapture, max_pre: f64) -> Self {
        let bias = layer.bias.as_ref().and_then(|b| Some((b.min()?, b.mean()?, b.max()?)));
        let pre_mean = layer.activations.as_ref().and_then(|a| a.pre.mean());
        // With nothing coming in, the pre-activation is the bias, the same for every sample.
        let constant = layer.activations.as_ref().is_some_and(|a| a.pre_sample_std == 0.0);
        let cause = match bias {
            // Without the bias (its mean, where units differ) the highest unit would fire.
            Some((_, mean, _)) if mean < 0.0 && max_pre - mean >= 0.0 => DeathCause::Bias,
            _ if constant && max_pre == 0.0 => DeathCause::Input,
            _ => DeathCause::Weights,
        };
        Self { cause, bias, pre_mean, dead_input: constant }
    }

    fn words(&self) -> String {
        match (self.cause, self.bias) {
            (DeathCause::Bias, Some((min, _, max))) if min == max => format!("its bias is {}", number(min)),
            (DeathCause::Bias, Some((min, mean, max))) => {
                format!("its biases lie between {} and {} (mean {})", number(min), number(max), number(mean))
            }
            (DeathCause::Input, _) => "nothing but zeros comes into it".into(),
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

    fn evidence(&self) -> Vec<(String, Value)> {
        let because = match self.cause {
            DeathCause::Bias => "bias",
            DeathCause::Input => "input",
            DeathCause::Weights => "weights",
        };
        let mut evidence =
            vec![("because".to_owned(), because.into()), ("constant_input".into(), self.dead_input.into())];
        evidence.extend(self.bias.map(|(_, mean, _)| ("bias_mean".to_owned(), text::value(mean))));
        evidence
    }
}

fn remedies(plan: &mut Plan, found: &RuleMatch) {
    match found.kind {
        Kind::LaterDead => killed(plan),
        Kind::BornDead(DeathCause::Bias) if !plan.has_zero_bias() => dead_by_bias(plan),
        _ => plan.dead_by_weights(),
    }
}

fn dead_by_bias(plan: &mut Plan) {
    if plan.has_tiny_weights() {
        return dead_by_bias_with_tiny_weights(plan);
    }
    plan.add([Change::Bias(0.0)], "without the negative bias about half of the samples make a unit fire");
    plan.normalise("it moves pre-activations around zero, whatever the bias");
}

/// Two faults in one: lifting the bias alone leaves gradients that vanish. Tried on relu5 with
/// bias -8 over four seeds and 300 epochs: healthy in 4, 1 and 0 of 4, in this order
/// (of the second, two more only had a plateau).
fn dead_by_bias_with_tiny_weights(plan: &mut Plan) {
    if plan.run.norm == Norm::None {
        plan.add(
            [Change::Bias(0.0), Change::Norm(plan.fitting_norm())],
            "without the negative bias units fire again, and normalisation makes up for the tiny weights",
        );
    }
    if let Some(init) = plan.fitting_init() {
        plan.add(
            [Change::Bias(0.0), init.into()],
            "the weights are tiny as well: larger ones let gradients through, though layers of a few units \
             can still die",
        );
    }
    plan.add(
        [Change::Bias(0.0)],
        "it removes this cause alone: with weights as tiny as these, gradients then vanish with depth",
    );
}

fn killed(plan: &mut Plan) {
    plan.fit_tiny_init("the weights are so small that a little drift of the bias silences a unit");
    plan.normalise("it moves pre-activations around zero, whatever the steps did to the bias");
    plan.leaky();
    plan.lower_rate();
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::Fake;
    use crate::stats::Distribution;

    #[test]
    fn a_layer_dies_with_its_last_unit() {
        fn silenced(units: usize) -> Fake {
            let mut fake = Fake::stuck(6);
            fake.silence(1, units, 2, 0.1, -0.2);
            fake
        }
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
        fn born(bias: &[f32], pre: f32, sample_std: f64) -> String {
            let mut fake = Fake::stuck(3);
            fake.silence(1, 8, 0, 0.0, pre);
            fake.each_capture(1, |_, l| {
                l.bias = Some(Distribution::new(bias));
                l.activations.as_mut().unwrap().pre_sample_std = sample_std;
            });
            let message = fake.finding("dead-layer").unwrap().message;
            message.split_once("because ").unwrap().1.split(". ").next().unwrap().to_owned()
        }
        assert_eq!(born(&[-8.0; 8], -7.5, 1.0), "its bias is -8");
        assert_eq!(born(&[-8.0, -6.0], -5.5, 1.0), "its biases lie between -8 and -6 (mean -7)");
        assert_eq!(
            born(&[-0.1; 8], -7.5, 1.0),
            "its weights turn every input negative (mean pre-activation -7.55), and not because of its bias (mean \
             -0.1)"
        );
        assert_eq!(born(&[0.0; 8], 0.0, 0.0), "nothing but zeros comes into it");
    }
}
