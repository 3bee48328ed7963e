//! The summary of a distribution in a long history: its quantiles at fixed probabilities, in a tenth of
//! the room that bins take.

use super::packed;

/// The quantiles that are kept, between the extremes.
pub const PROBABILITIES: [f64; 21] = [
    0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9,
    0.95, 0.99,
];
/// Significant digits of the moments that go with them: far finer than the quantiles.
pub const DIGITS: usize = 8;
/// Bits of a float32 that a kept quantile does without: it is off by 2e-5 of itself, a bin's by 6e-2.
const DROPPED_BITS: u32 = 8;

/// How much of a distribution's shape is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetailLevel {
    /// All of it: bins and a sample.
    Full,
    /// Quantiles at fixed probabilities.
    Quantiles,
    /// Counts, moments and extremes alone.
    Moments,
}

/// Values at [`PROBABILITIES`], or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuantileSummary(Vec<f32>);

impl QuantileSummary {
    /// From the quantiles at these probabilities, if there are any.
    pub fn new(quantiles: Option<[f64; PROBABILITIES.len()]>) -> Self {
        Self(quantiles.into_iter().flatten().map(|v| shortened(v as f32)).collect())
    }

    /// (probability, value), ascending, from one extreme to the other.
    pub fn points(&self, [min, max]: [f64; 2]) -> Option<impl Iterator<Item = (f64, f64)> + '_> {
        let inner = PROBABILITIES.into_iter().zip(self.0.iter().map(move |v| f64::from(*v).clamp(min, max)));
        let all = std::iter::once((0.0, min)).chain(inner).chain([(1.0, max)]);
        (!self.0.is_empty()).then_some(all)
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        4 * self.0.len()
    }

    /// Three bytes a value, as base64.
    pub fn encode(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().flat_map(|v| v.to_bits().to_be_bytes()[..3].to_vec()).collect();
        packed::encode(&bytes)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(text: &str) -> Result<Self, String> {
        let bytes = packed::decode(text, "quantiles")?;
        let values: Vec<f32> = bytes
            .as_chunks::<3>()
            .0
            .iter()
            .map(|&[a, b, c]| f32::from_bits(u32::from_be_bytes([a, b, c, 0])))
            .collect();
        let whole = bytes.len() == 3 * PROBABILITIES.len() || bytes.is_empty();
        if !(whole && values.is_sorted() && values.iter().all(|v| v.is_finite())) {
            return Err("quantiles: too few or too many, not finite or out of order".into());
        }
        Ok(Self(values))
    }
}

/// The q-quantile, interpolated between (probability, value) from one extreme to the other.
pub fn between(points: &[(f64, f64)], q: f64) -> f64 {
    let above = points.partition_point(|(p, _)| *p < q).clamp(1, points.len() - 1);
    let ((p0, v0), (p1, v1)) = (points[above - 1], points[above]);
    if q == p1 { v1 } else { v0 + (v1 - v0) * ((q - p0) / (p1 - p0)) }
}

/// Rounded to the bits that are kept; a number next to the largest stays finite.
fn shortened(value: f32) -> f32 {
    let half = 1 << (DROPPED_BITS - 1);
    let mask = u32::MAX << DROPPED_BITS;
    let rounded = f32::from_bits((value.to_bits() + half) & mask);
    let rounded = if rounded.is_finite() { rounded } else { f32::from_bits(value.to_bits() & mask) };
    // Adding zero turns -0.0 into 0.0.
    rounded + 0.0
}

/// A number with so many significant digits, which is short as text.
pub fn with_digits(value: f64, digits: usize) -> f64 {
    if !value.is_finite() || value == 0.0 {
        return value;
    }
    format!("{value:.*e}", digits - 1).parse().ok().filter(|v: &f64| v.is_finite()).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Density, Distribution};

    fn normal(n: usize) -> Distribution {
        Distribution::new(
            &(0..n)
                .map(|i: usize| {
                    let u = (i as f64 + 0.5) / n as f64;
                    (0..12).map(|k| ((u * (k as f64 + 1.7) * 7919.0).fract() - 0.5) as f32).sum::<f32>()
                })
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn what_is_condensed_keeps_counts_moments_and_quantiles_in_a_tenth_of_the_room() {
        let full = normal(50_000);
        let condensed = full.compacted(DetailLevel::Quantiles);
        assert_eq!(
            (condensed.count(), condensed.min(), condensed.max()),
            (full.count(), full.min(), full.max())
        );
        assert!((condensed.l2() / full.l2() - 1.0).abs() < 1e-7);
        for q in PROBABILITIES {
            let (a, b) = (condensed.quantile(q).unwrap(), full.quantile(q).unwrap());
            assert!((a - b).abs() <= 2e-5 * b.abs(), "{q}: {a} {b}");
        }
        assert!(10 * condensed.memory() < 9 * full.memory());
        let peaks = [&condensed, &full].map(|d| Density::from_values(d).unwrap().peak());
        assert!((peaks[0] / peaks[1] - 1.0).abs() < 0.2, "{peaks:?}");
        assert_eq!(full.compacted(DetailLevel::Moments).quantile(0.5), None);
        assert_eq!(condensed.compacted(DetailLevel::Quantiles), condensed);
    }

    #[test]
    fn what_is_given_up_need_not_be_measured() {
        for n in [0usize, 9, 22, 1_024, 1_025, 4_096, 300_000] {
            let mut values: Vec<f32> = (0..n).map(|i| ((i * 7_919) % 9_973) as f32 * 1e-3 - 5.0).collect();
            for spoilt in [false, true] {
                if spoilt {
                    values.iter_mut().step_by(3).for_each(|v| *v = 0.0);
                    values.iter_mut().skip(1).step_by(50).for_each(|v| *v = f32::NAN);
                }
                for keep in [DetailLevel::Full, DetailLevel::Quantiles, DetailLevel::Moments] {
                    let (direct, full) =
                        (Distribution::with_detail(&values, 2, keep), Distribution::new(&values));
                    assert_eq!(direct, full.compacted(keep), "{n} {keep:?}");
                }
            }
        }
        let few = [[f32::NAN; 2_000].as_slice(), &[0.5; 30]].concat();
        let direct = Distribution::with_detail(&few, 1, DetailLevel::Quantiles);
        assert_eq!(direct, Distribution::new(&few).compacted(DetailLevel::Quantiles));
    }

    #[test]
    fn a_condensed_one_survives_a_record_and_hostile_ones_are_refused() {
        for keep in [DetailLevel::Quantiles, DetailLevel::Moments] {
            for values in
                [vec![], vec![0.0; 5_000], vec![f32::NAN; 30], vec![-3.5; 2_000], vec![f32::MAX; 25]]
            {
                let condensed = Distribution::new(&values).compacted(keep);
                let text = serde_json::to_string(&condensed).unwrap();
                assert_eq!(serde_json::from_str::<Distribution>(&text).unwrap(), condensed, "{text}");
            }
            let condensed = normal(3_000).compacted(keep);
            let text = serde_json::to_string(&condensed).unwrap();
            assert_eq!(serde_json::from_str::<Distribution>(&text).unwrap(), condensed);
        }
        assert!(QuantileSummary::decode("AAAA").is_err() && QuantileSummary::decode("!").is_err());
        assert!(QuantileSummary::decode(&packed::encode(&[0xff; 63])).is_err());
    }

    #[test]
    fn a_few_values_are_kept_as_they_are() {
        let few = Distribution::new(&[0.5; 9]);
        assert_eq!(few.compacted(DetailLevel::Quantiles), few);
    }

    #[test]
    fn merging_what_was_condensed_adds_counts_and_moments() {
        let (mut a, b) = (normal(3_000).compacted(DetailLevel::Quantiles), normal(2_000));
        a.merge(&b);
        assert_eq!((a.count(), a.quantile(0.5)), (5_000, None));
        let mut empty = Distribution::default();
        empty.merge(&b);
        assert_eq!(empty, b);
    }
}
