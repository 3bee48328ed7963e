//! Distributions of values that were counted where they lie, as on another device: only counts travel.

use super::distribution::{Distribution, EXACT_CAPACITY};
use super::kernel::TABLE_LENGTH;
use super::knots::Keep;
use super::moments::Moments;
use super::sample;
use super::tally::{Counts, Tally, bins_of, merge_bins};

/// What was counted of some of a tensor's values.
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

    fn tally(&self) -> Tally {
        let [mean, squared_deviations, l1, sum_of_squares] = self.sums;
        let [min, max] = self.range;
        let n = self.finite();
        let moments = Moments { n, mean, squared_deviations, l1, sum_of_squares, min, max };
        Tally {
            counts: Counts {
                zeros: self.zeros[0] + self.zeros[1],
                nan: self.nan,
                positive_infinities: self.infinities[0],
                negative_infinities: self.infinities[1],
            },
            moments: if n > 0 { moments } else { Moments::default() },
            bins: bins_of(&self.rows, self.zeros),
        }
    }
}

impl Distribution {
    /// Of values that were counted part by part; `at` fetches those of ascending places for the sample.
    /// `None` where so few values are finite that all of them are kept: measure them directly.
    pub fn of_counted(parts: &[Counted], keep: Keep, at: impl FnOnce(&[u64]) -> Vec<f32>) -> Option<Self> {
        let mut tally = Tally::default();
        for part in parts.iter().map(Counted::tally) {
            tally.counts.add(&part.counts);
            tally.moments.merge(&part.moments);
            tally.bins = merge_bins(&tally.bins, &part.bins);
        }
        let count = parts.iter().map(|p| p.rows.iter().sum::<u64>()).sum();
        let mut d = Self { count, tally, ..Self::default() };
        if d.finite() <= EXACT_CAPACITY as u64 {
            return None;
        }
        if keep == Keep::Everything {
            d.sample = sample::draw_from(count, &d.tally, &d.seed(), at);
            return Some(d);
        }
        Some(d.condensed(keep))
    }
}
