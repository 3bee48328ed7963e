//! Distributions of values that were counted where they lie, as on another device: only counts travel.

use super::distribution::{Distribution, EXACT_CAPACITY};
use super::kernel::TABLE_LENGTH;
use super::moments::Moments;
use super::quantile_summary::DetailLevel;
use super::sample;
use super::tensor_stats::{Counts, TensorStats, bins_from_rows, merge_bins};

/// Counts of some of a tensor's values.
#[derive(Clone, Debug)]
pub struct Counted {
    /// How many float32 values have each upper 13 bits: sign, exponent and four bits of the mantissa.
    pub rows: Box<[u64; Counted::ROWS]>,
    /// Zeros, positive and negative, by their bits.
    pub zeros: [u64; 2],
    /// NaN values.
    pub nan: u64,
    /// Infinities, positive and negative.
    pub infinities: [u64; 2],
    /// Of the finite values: mean, sum of squared deviations from it, of magnitudes, of squares.
    pub sums: [f64; 4],
    /// Smallest and largest finite value.
    pub range: [f64; 2],
}

impl Counted {
    /// Number of [`rows`](Self::rows).
    pub const ROWS: usize = TABLE_LENGTH;

    fn finite(&self) -> u64 {
        self.rows.iter().sum::<u64>() - self.nan - self.infinities.iter().sum::<u64>()
    }

    fn tensor_stats(&self) -> TensorStats {
        let [mean, squared_deviations, l1, sum_of_squares] = self.sums;
        let [min, max] = self.range;
        let n = self.finite();
        let moments = Moments { n, mean, squared_deviations, l1, sum_of_squares, min, max };
        TensorStats {
            counts: Counts {
                zeros: self.zeros[0] + self.zeros[1],
                nan: self.nan,
                positive_infinities: self.infinities[0],
                negative_infinities: self.infinities[1],
            },
            moments: if n > 0 { moments } else { Moments::default() },
            bins: bins_from_rows(&self.rows, self.zeros),
        }
    }
}

impl Distribution {
    /// Of values that were counted part by part; `at` fetches those of ascending places for the sample.
    /// `None` where so few values are finite that all of them are kept: measure them directly.
    pub fn from_counts(
        parts: &[Counted],
        keep: DetailLevel,
        at: impl FnOnce(&[u64]) -> Vec<f32>,
    ) -> Option<Self> {
        let mut tensor_stats = TensorStats::default();
        for part in parts.iter().map(Counted::tensor_stats) {
            tensor_stats.counts.add(&part.counts);
            tensor_stats.moments.merge(&part.moments);
            tensor_stats.bins = merge_bins(&tensor_stats.bins, &part.bins);
        }
        let count = parts.iter().map(|p| p.rows.iter().sum::<u64>()).sum();
        let mut d = Self { count, tensor_stats, ..Self::default() };
        if d.finite() <= EXACT_CAPACITY as u64 {
            return None;
        }
        if keep == DetailLevel::Full {
            d.sample = sample::draw_from(count, &d.tensor_stats, &d.seed(), at);
            return Some(d);
        }
        Some(d.compacted(keep))
    }
}
