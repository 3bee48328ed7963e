//! Inputs and outputs of the nonlinearity of a layer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::activation_frequency::ActivationFrequency;
use super::activity::Activity;
use super::measured::{Quantity, all_values, list_quantities};
use super::output_sum::OutputSum;
use super::per_unit::{PerUnit, UnitVariances};
use super::scalars::shortened;
use crate::record::{CaptureDetail, Layer, number};
use crate::stats::Distribution;

/// The outputs of a layer. Present for layers that are followed by a nonlinearity or give the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Activations {
    /// Inputs of the nonlinearity, over units and samples of the captured batch.
    pub pre: Distribution,
    /// Outputs of the nonlinearity.
    pub post: Distribution,
    /// Units (for a convolution: channels).
    pub units: u64,
    /// Standard deviation of the pre-activation over the samples, root mean square over units.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub pre_sample_std: f64,
    /// Standard deviation of the output over the samples, root mean square over units.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub post_sample_std: f64,
    /// Share of unit-samples where the nonlinearity's slope is below 5% of its largest; `None` for
    /// those that do not saturate.
    pub saturated_fraction: Option<f64>,
    /// How often units fired; only for ReLU.
    #[serde(rename = "firing", default, skip_serializing_if = "Option::is_none")]
    pub activation_frequency: Option<ActivationFrequency>,
    /// How alive each unit is; of hidden layers that are not ReLU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
    /// The sum of a sample's outputs; of the layer that gives a model's outputs, where there are
    /// several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_sum: Option<OutputSum>,
    /// Moments that adding up with other ranks needs; only in the record of one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_unit: Option<Box<PerUnit>>,
}

/// Inputs of a nonlinearity.
struct PreActivation;

/// Outputs of a nonlinearity.
struct PostActivation;

/// A share of unit-samples.
struct Share;

list_quantities!(
    Activations,
    always { pre: PreActivation, post: PostActivation }
    optional {
        saturated_fraction: Share,
        activation_frequency: ActivationFrequency,
        activity: Activity,
        output_sum: OutputSum,
        per_unit: PerUnit,
    }
);

impl Activations {
    /// Of these distributions over so many units, of which nothing else was measured.
    pub fn new(pre: Distribution, post: Distribution, units: u64) -> Self {
        Self {
            pre,
            post,
            units,
            pre_sample_std: f64::NAN,
            post_sample_std: f64::NAN,
            saturated_fraction: None,
            activation_frequency: None,
            activity: None,
            output_sum: None,
            per_unit: None,
        }
    }

    /// Spreads over the samples of all ranks, which those of each do not add up to.
    fn set_spreads(&mut self, variances: UnitVariances) {
        let UnitVariances { pre, post } = variances;
        let root_mean_square = |v: &[f64]| (v.iter().sum::<f64>() / v.len().max(1) as f64).sqrt();
        (self.pre_sample_std, self.post_sample_std) = (root_mean_square(&pre), root_mean_square(&post));
        if let Some(activity) = &mut self.activity {
            activity.std = post.iter().map(|v| v.sqrt() as f32).collect();
        }
    }
}

impl Quantity for Activations {
    type Value = Self;

    fn compact(value: &mut Self) {
        value.compact_each();
        value.pre_sample_std = shortened(value.pre_sample_std);
        value.post_sample_std = shortened(value.post_sample_std);
    }

    fn memory(value: &Self) -> usize {
        value.memory_of_each()
    }

    fn check(value: &Self, layer: &Layer) -> Result<(), String> {
        value.check_each(layer)
    }

    fn merged(ranks: &[Option<&Self>]) -> Option<Self> {
        let ranks = all_values(ranks)?;
        let mut merged = (*ranks.first()?).clone();
        merged.merge_each(&ranks);
        merged.saturated_fraction = saturated_share(&ranks);
        if let Some(variances) = UnitVariances::over_ranks(ranks.iter().map(|a| a.per_unit.as_deref())) {
            merged.set_spreads(variances);
        }
        Some(merged)
    }
}

/// The share of all unit-samples that are saturated; `None` where a rank did not measure it.
fn saturated_share(ranks: &[&Activations]) -> Option<f64> {
    let samples: f64 = ranks.iter().map(|a| a.pre.count() as f64).sum();
    let saturated = ranks.iter().map(|a| Some(a.saturated_fraction? * a.pre.count() as f64));
    Some(saturated.sum::<Option<f64>>()? / samples)
}

/// The values of all ranks, added up.
fn sum(ranks: &[Option<&Distribution>]) -> Option<Distribution> {
    let ranks = all_values(ranks)?;
    let (first, others) = ranks.split_first()?;
    let mut sum = (*first).clone();
    others.iter().for_each(|other| sum.merge(other));
    Some(sum)
}

impl Quantity for PreActivation {
    type Value = Distribution;

    fn compact(value: &mut Distribution) {
        *value = value.compacted(CaptureDetail::HISTORY.pre);
    }

    fn merged(ranks: &[Option<&Distribution>]) -> Option<Distribution> {
        Some(sum(ranks)?.compacted(CaptureDetail::FULL.pre))
    }

    fn memory(value: &Distribution) -> usize {
        value.memory()
    }
}

impl Quantity for PostActivation {
    type Value = Distribution;

    fn compact(value: &mut Distribution) {
        *value = value.compacted(CaptureDetail::HISTORY.post);
    }

    fn merged(ranks: &[Option<&Distribution>]) -> Option<Distribution> {
        sum(ranks)
    }

    fn memory(value: &Distribution) -> usize {
        value.memory()
    }
}

impl Quantity for Share {
    type Value = f64;

    fn compact(value: &mut f64) {
        *value = shortened(*value);
    }
}
