//! The form of a distribution in a record, and what a reader checks of it.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::distribution::{Distribution, EXACT_CAPACITY};
use super::element::Wide as _;
use super::moments::Moments;
use super::packed::{self, floats};
use super::quantile_summary::QuantileSummary;
use super::tensor_stats::{Counts, TensorStats};

/// Values of a distribution, at most: what float64 counts exactly.
const MAX_COUNT: u64 = 1 << 53;

/// A distribution as it stands in a record.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    n: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    zeros: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    nan: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    posinf: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    neginf: u64,
    /// The extremes, or the float32 that stand for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<[f32; 2]>,
    /// The extremes where they are no float32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range64: Option<[f64; 2]>,
    mean: f64,
    m2: f64,
    l1: f64,
    ss: f64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    bins: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    values: String,
    /// Quantiles, where bins and values were given up.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    q: String,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl JsonSchema for Distribution {
    fn schema_name() -> Cow<'static, str> {
        "Distribution".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Wire::json_schema(generator)
    }
}

impl From<Distribution> for Wire {
    fn from(d: Distribution) -> Self {
        let Distribution {
            count,
            tensor_stats: TensorStats { counts, moments, bins },
            sample,
            quantile_summary,
        } = d;
        let exact = (moments.n > 0).then_some([moments.min, moments.max]);
        let range = exact.map(|extremes| extremes.map(f64::place));
        Self {
            n: count,
            zeros: counts.zeros,
            nan: counts.nan,
            posinf: counts.positive_infinities,
            neginf: counts.negative_infinities,
            range,
            range64: exact.filter(|_| range.map(|extremes| extremes.map(f64::from)) != exact),
            mean: moments.mean,
            m2: moments.squared_deviations,
            l1: moments.l1,
            ss: moments.sum_of_squares,
            bins: packed::encode_bins(&bins),
            values: floats::encode(&sample),
            q: quantile_summary.encode(),
        }
    }
}

impl TryFrom<Wire> for Distribution {
    type Error = String;

    fn try_from(w: Wire) -> Result<Self, String> {
        let bins = packed::decode_bins(&w.bins)?;
        let sample = floats::decode(&w.values)?;
        let apart = [w.zeros, w.nan, w.posinf, w.neginf];
        let non_finite = apart[1..].iter().try_fold(0u64, |sum, c| sum.checked_add(*c));
        let finite = non_finite
            .and_then(|m| w.n.checked_sub(m))
            .ok_or("distribution: more values apart than in all")?;
        if w.n > MAX_COUNT || w.zeros > finite || [w.l1, w.ss, w.m2].iter().any(|sum| *sum < 0.0) {
            return Err("distribution: counts or sums in it cannot be".into());
        }
        let binned = bins.iter().try_fold(w.zeros, |sum, (_, c)| sum.checked_add(*c));
        let exact = sample.len() as u64 == finite;
        let [low, high] = w.range.unwrap_or([f32::INFINITY, f32::NEG_INFINITY]);
        let [min, max] = w.range64.unwrap_or([low, high].map(f64::from));
        if sample.len() > EXACT_CAPACITY
            || !sample.iter().all(|v: &f32| (low..=high).contains(v))
            || !sample.is_sorted()
        {
            return Err("distribution: its sample is too long, out of range or out of order".into());
        }
        let quantile_summary = QuantileSummary::decode(&w.q)?;
        // Neither values nor bins: what is left of it in a history.
        let condensed = bins.is_empty() && sample.is_empty();
        if !condensed && !w.q.is_empty() {
            return Err("distribution: quantiles beside what they stand for".into());
        }
        if !exact && !condensed && binned != Some(finite) {
            return Err(format!("distribution: bins do not add up to its {finite} finite values"));
        }
        if (finite > 0) != w.range.is_some()
            || (finite > 0 && !(min <= max && min.is_finite() && max.is_finite()))
            || [min.place(), max.place()] != [low, high]
        {
            return Err("distribution: its range does not fit its count".into());
        }
        if exact && w.zeros != sample.iter().filter(|v| **v == 0.0).count() as u64 {
            return Err("distribution: its zeros are miscounted".into());
        }
        let counts = Counts {
            zeros: w.zeros,
            nan: w.nan,
            positive_infinities: w.posinf,
            negative_infinities: w.neginf,
        };
        let moments = Moments {
            n: finite,
            mean: w.mean,
            squared_deviations: w.m2,
            l1: w.l1,
            sum_of_squares: w.ss,
            min,
            max,
        };
        let bins = if exact { Vec::new() } else { bins };
        Ok(Self { count: w.n, tensor_stats: TensorStats { counts, moments, bins }, sample, quantile_summary })
    }
}

impl Serialize for Distribution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Wire::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}
