//! Moments of single units, which adding up with other ranks needs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measured::Quantity;
use crate::stats::packed_floats;

/// Moments of every unit over the samples of one rank.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PerUnit {
    /// Samples of a unit.
    pub samples: u64,
    /// Mean of what goes into the nonlinearity.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub pre_mean: Vec<f32>,
    /// Squared deviations from it, summed.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub pre_m2: Vec<f32>,
    /// Mean of what comes out.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub post_mean: Vec<f32>,
    /// Squared deviations from it, summed.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub post_m2: Vec<f32>,
}

impl Quantity for PerUnit {
    type Value = Box<Self>;

    fn memory(value: &Box<Self>) -> usize {
        let lists = [&value.pre_mean, &value.pre_m2, &value.post_mean, &value.post_m2];
        size_of::<Self>() + lists.iter().map(|list| 4 * list.len()).sum::<usize>()
    }

    /// Nothing is left to add up with.
    fn merged(_: &[Option<&Box<Self>>]) -> Option<Box<Self>> {
        None
    }
}

/// Variances of every unit over the samples of all ranks, before and behind the nonlinearity.
pub struct UnitVariances {
    pub pre: Vec<f64>,
    pub post: Vec<f64>,
}

impl UnitVariances {
    /// `None` where a rank has not measured its units, or has others.
    pub fn over_ranks<'a>(ranks: impl Iterator<Item = Option<&'a PerUnit>>) -> Option<Self> {
        let ranks: Vec<&PerUnit> = ranks.collect::<Option<_>>()?;
        Some(Self {
            pre: variances(&ranks, |units| (&units.pre_mean, &units.pre_m2))?,
            post: variances(&ranks, |units| (&units.post_mean, &units.post_m2))?,
        })
    }
}

/// The variance of every unit over the samples of all ranks (Chan, Golub and LeVeque, 1979).
fn variances<'a>(
    ranks: &[&'a PerUnit],
    moments_of: impl Fn(&'a PerUnit) -> (&'a Vec<f32>, &'a Vec<f32>),
) -> Option<Vec<f64>> {
    let units = moments_of(ranks.first()?).0.len();
    let mut moments = vec![(0.0f64, 0.0f64, 0.0f64); units];
    for rank in ranks {
        let (means, deviations) = moments_of(rank);
        if means.len() != units || deviations.len() != units {
            return None;
        }
        let m = rank.samples as f64;
        for ((n, mean, deviation), (b_mean, b_deviation)) in
            moments.iter_mut().zip(means.iter().zip(deviations))
        {
            let all = (*n + m).max(1.0);
            let between = f64::from(*b_mean) - *mean;
            *deviation += f64::from(*b_deviation) + between * between * *n * m / all;
            *mean += between * m / all;
            *n += m;
        }
    }
    Some(moments.into_iter().map(|(n, _, deviation)| deviation / n.max(1.0)).collect())
}
