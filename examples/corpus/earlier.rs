//! The rules of four earlier tools, on the same records: alarm or none.
//!
//! They are given what favours them: weights of matrices alone (never biases or gains), every captured
//! step, and a NaN or an infinity as an alarm of each, whether or not the tool had such a rule.

use gradscope::record::{ActivationFrequency, Epoch, Header, LayerCapture, Record};

/// Names, in the order of [`alarms`].
pub const NAMES: [&str; 4] = ["SageMaker Debugger", "AutoTrainer", "DeepDiagnosis", "TheDeepChecker"];

/// Whether a tool sounds the alarm.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alarm {
    /// About the last capture.
    pub end: bool,
    /// About any.
    pub any: bool,
}

/// The four tools' alarms.
pub fn alarms(record: &Record) -> [Alarm; 4] {
    let tools = [sagemaker, auto_trainer, deep_diagnosis, deep_checker];
    let broken = record.steps.iter().any(|s| s.non_finite.is_some() || !s.loss.last.is_finite());
    tools.map(|tool| {
        let captures: Vec<bool> = record.epochs.iter().map(|e| tool(&record.header, e)).collect();
        Alarm {
            end: broken || captures.last().copied().unwrap_or(false),
            any: broken || captures.contains(&true),
        }
    })
}

/// The matrices that are trained, in forward order.
fn matrices<'a>(header: &'a Header, epoch: &'a Epoch) -> impl Iterator<Item = &'a LayerCapture> {
    let layers = header.layers.iter().zip(&epoch.layers);
    layers.filter(|(layer, _)| layer.kind.is_matrix() && layer.trainable).map(|(_, capture)| capture)
}

/// Mean |g| of a weight.
fn mean_gradient(layer: &LayerCapture) -> Option<f64> {
    layer.weight_grad.as_ref().map(|g| g.l1() / g.count().max(1) as f64)
}

/// ‖ΔW‖/‖W‖.
fn update(layer: &LayerCapture) -> Option<f64> {
    Some(layer.update.as_ref()?.l2() / layer.weight.l2()).filter(|u| !u.is_nan())
}

/// Share of a layer's units that fire on less than this share of samples.
fn silent(layer: &LayerCapture, least: f32) -> Option<f64> {
    let ActivationFrequency { rate, .. } = layer.activations.as_ref()?.activation_frequency.as_ref()?;
    Some(rate.iter().filter(|r| **r < least).count() as f64 / rate.len().max(1) as f64)
}

/// mean |g| < 1e-7; update ratio outside 1e-8..10; unit active < 1% in > 50% of a layer.
fn sagemaker(header: &Header, epoch: &Epoch) -> bool {
    matrices(header, epoch).any(|layer| {
        mean_gradient(layer).is_some_and(|g| g < 1e-7)
            || update(layer).is_some_and(|u| !(1e-8..=10.0).contains(&u))
            || silent(layer, 0.01).is_some_and(|share| share > 0.5)
    })
}

/// ‖g₁‖/‖g_L‖ < 1e-3 and ‖g₁‖ < 1e-4; ratio > 70; ≥ 70% zero gradients.
fn auto_trainer(header: &Header, epoch: &Epoch) -> bool {
    let gradients: Vec<_> = matrices(header, epoch).filter_map(|l| l.weight_grad.as_ref()).collect();
    let [first, .., last] = gradients.as_slice() else { return false };
    let ratio = first.l2() / last.l2();
    (ratio < 1e-3 && first.l2() < 1e-4)
        || ratio > 70.0
        || gradients.iter().any(|g| g.zeros() as f64 >= 0.7 * g.count() as f64)
}

/// mean |g| < 1e-7; ≥ 70% zero activations.
fn deep_diagnosis(header: &Header, epoch: &Epoch) -> bool {
    let zero = |layer: &LayerCapture| {
        layer.activations.as_ref().is_some_and(|a| a.post.zeros() as f64 >= 0.7 * a.post.count() as f64)
    };
    matrices(header, epoch).any(|layer| mean_gradient(layer).is_some_and(|g| g < 1e-7) || zero(layer))
}

/// mean |g| < 1e-6; log₁₀ of the update outside −4..−1; the 95th percentile of a unit < 1e-5 in > 50% of
/// a layer: of ReLU that is a unit that fires on less than 5% of the samples.
fn deep_checker(header: &Header, epoch: &Epoch) -> bool {
    matrices(header, epoch).any(|layer| {
        mean_gradient(layer).is_some_and(|g| g < 1e-6)
            || update(layer).is_some_and(|u| !(-4.0..=-1.0).contains(&u.log10()))
            || silent(layer, 0.05).is_some_and(|share| share > 0.5)
    })
}
