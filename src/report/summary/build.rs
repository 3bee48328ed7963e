//! Record and diagnosis → summary.

use super::document::{
    ActivationSummary, DistributionSummary, EpochSummary, LayerEpoch, LayerSummary, Listed, QUANTILES,
    RunOutcome, RunSummary, SCHEMA, Summary,
};
use crate::diagnose::{Diagnosis, Finding};
use crate::record::{ActivationFrequency, Activations, Epoch, Layer, LayerCapture, Outcome, Record};
use crate::stats::Distribution;

/// Captured epochs of layers that a summary lists, in all: about ten megabytes. Five layers have room for
/// 800 captured epochs.
const MAX_LAYER_EPOCHS: usize = 4_000;
/// Captured epochs that it lists of every layer, at least.
const MIN_LISTED: usize = 4;

/// Evenly chosen indices below `all`, the first and the last among them.
fn listed(all: usize, most: usize) -> Vec<usize> {
    if all <= most { (0..all).collect() } else { (0..most).map(|i| i * (all - 1) / (most - 1)).collect() }
}

impl Summary {
    /// Sums up a run and what is said about it.
    pub fn new(record: &Record, diagnosis: &Diagnosis) -> Self {
        let header = &record.header;
        let layers = header.layers.iter().enumerate();
        let epochs = record.epochs.len();
        let listed = listed(epochs, (MAX_LAYER_EPOCHS / header.layers.len().max(1)).max(MIN_LISTED));
        Self {
            schema: SCHEMA.into(),
            gradscope: header.gradscope.clone(),
            libtorch: header.libtorch.clone(),
            run: RunSummary::new(record),
            verdict: diagnosis.verdict,
            headline: diagnosis.headline.clone(),
            findings: diagnosis.findings.clone(),
            not_measured: diagnosis.not_measured.clone(),
            layers: layers
                .map(|(i, layer)| LayerSummary::new(i, layer, record, &listed, diagnosis))
                .collect(),
            epochs: record.epochs.iter().map(EpochSummary::new).collect(),
            layer_epochs: (listed.len() < epochs)
                .then_some(Listed { listed: listed.len() as u64, captured: epochs as u64 }),
            test: record.end.as_ref().and_then(|end| end.test),
        }
    }
}

impl RunOutcome {
    /// How the run of this record ended.
    pub fn from_record(record: &Record) -> Self {
        match record.end.as_ref().map(|end| end.outcome) {
            Some(Outcome::Finished) => Self::Finished,
            Some(Outcome::Interrupted) => Self::Interrupted,
            Some(Outcome::Terminated) => Self::Terminated,
            None => Self::Killed,
        }
    }
}

impl RunSummary {
    fn new(record: &Record) -> Self {
        let header = &record.header;
        let (data, end) = (&header.data, record.end.as_ref());
        Self {
            command: header.command.clone(),
            commit: header.commit.clone(),
            parameters: header.layers.iter().map(|l| l.parameters).sum(),
            data: data.name.clone(),
            task: data.task,
            train: data.train,
            dev: data.dev,
            test: data.test,
            chance_loss: data.baseline_loss,
            score: data.task.score_name().into(),
            epochs_done: record.epochs_done(),
            steps_done: end.map_or_else(|| steps_seen(record), |e| e.steps_done),
            outcome: RunOutcome::from_record(record),
            early_stop: end.and_then(|e| e.early_stop),
            settings: header.run.clone(),
            wall_s: end.map(|e| e.wall_s),
            capture_overhead: end
                .map(|e| e.capture_s / (e.wall_s - e.capture_s))
                .filter(|share| share.is_finite() && *share >= 0.0),
        }
    }
}

fn steps_seen(record: &Record) -> u64 {
    let captured = record.epochs.last().map_or(0, |e| e.step + 1);
    captured.max(record.steps.last().map_or(0, |s| s.step + s.steps))
}

impl LayerSummary {
    fn new(index: usize, layer: &Layer, record: &Record, listed: &[usize], diagnosis: &Diagnosis) -> Self {
        let epochs = listed.iter().filter_map(|i| record.epochs.get(*i));
        let epochs = epochs.filter_map(|e| Some(LayerEpoch::new(layer, e, e.layers.get(index)?)));
        Self {
            name: layer.name.clone(),
            kind: layer.kind,
            shape: layer.shape.clone(),
            parameters: layer.parameters,
            trainable: layer.trainable,
            status: findings_of(layer, diagnosis).map(|f| f.rule.clone()).collect(),
            epochs: epochs.collect(),
        }
    }
}

/// The findings about a layer, worst first.
pub fn findings_of<'a>(layer: &'a Layer, diagnosis: &'a Diagnosis) -> impl Iterator<Item = &'a Finding> {
    let findings = diagnosis.findings.iter();
    findings.filter(|f| f.layer.as_ref() == Some(&layer.name) || f.layers.contains(&layer.name))
}

impl LayerEpoch {
    fn new(layer: &Layer, epoch: &Epoch, captured: &LayerCapture) -> Self {
        Self {
            epoch: epoch.epoch,
            weight: DistributionSummary::new(&captured.weight),
            bias: captured.bias.as_ref().map(DistributionSummary::new),
            weight_grad: captured.weight_grad.as_ref().map(DistributionSummary::new),
            bias_grad: captured.bias_grad.as_ref().map(DistributionSummary::new),
            update_ratio: captured.update_ratio(layer),
            elasticity: captured.elasticity(layer, epoch.train_loss),
            signal_l2: captured.output_gradient_l2,
            activation: captured.activations.as_ref().map(ActivationSummary::new),
        }
    }
}

impl ActivationSummary {
    fn new(activations: &Activations) -> Self {
        let post = &activations.post;
        Self {
            mean: post.mean(),
            std: post.std(),
            zero_fraction: (post.count() > 0).then(|| post.zeros() as f64 / post.count() as f64),
            dead_units: activations.finite_activation_frequency().map(ActivationFrequency::dead_units),
            units: activations.units,
            saturated_fraction: activations.saturated_fraction,
        }
    }
}

impl DistributionSummary {
    fn new(d: &Distribution) -> Self {
        Self {
            count: d.count(),
            l2: d.l2(),
            mean: d.mean(),
            std: d.std(),
            min: d.min(),
            max: d.max(),
            q: d.quantiles(QUANTILES),
            zeros: d.zeros(),
            nan: d.nan(),
            inf: d.infinities(),
        }
    }
}

impl EpochSummary {
    fn new(epoch: &Epoch) -> Self {
        Self {
            epoch: epoch.epoch,
            step: epoch.step,
            partial: epoch.partial,
            lr: epoch.lr,
            train_loss: epoch.train_loss,
            dev_loss: epoch.dev_loss,
            train_score: epoch.train_score,
            dev_score: epoch.dev_score,
            test_loss: epoch.test_loss,
            test_score: epoch.test_score,
            grad_l2: epoch.grad_l2,
        }
    }
}
