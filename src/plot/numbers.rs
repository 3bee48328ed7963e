//! The numbers behind one violin or histogram, in cells, notes and words.

use crate::stats::Distribution;
use crate::text::{count, number, percent, precise};

/// Values that stand for a large distribution when its magnitudes are asked for: it can tell the
/// quantiles of values alone.
const STAND_INS: u64 = 255;
/// Tensors up to this size have their zeros counted as `3/9`, larger ones as a percentage.
const COUNTED_SINGLY: u64 = 999;

/// The numbers behind one violin.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// Number of all values.
    pub count: u64,
    /// Number of exact zeros.
    pub zeros: u64,
    /// Number of NaN values.
    pub nan: u64,
    /// Infinite values, of either sign.
    pub inf: u64,
    /// Smallest (of magnitudes: unknown), lower quartile, median, upper quartile, largest; `None`
    /// where there is none.
    pub summary: Option<[f64; 5]>,
    /// Smallest, a standard deviation below the mean, the mean, one above it, largest: where that is all
    /// that is known of values that differ.
    pub moments: Option<[f64; 5]>,
}

impl Numbers {
    /// Of the values.
    pub fn from_values(d: &Distribution) -> Self {
        let quartiles = d.quantile(0.25).zip(d.quantile(0.5)).zip(d.quantile(0.75));
        let summary = d.min().zip(d.max()).zip(quartiles);
        let summary = summary.map(|((min, max), ((q1, median), q3))| [min, q1, median, q3, max]);
        let moments = d.min().zip(d.max()).zip(d.mean().zip(d.std())).filter(|_| summary.is_none());
        let moments = moments
            .map(|((min, max), (mean, std))| [min, (mean - std).max(min), mean, (mean + std).min(max), max]);
        Self { count: d.count(), zeros: d.zeros(), nan: d.nan(), inf: d.infinities(), summary, moments }
    }

    /// Of the magnitudes, zeros left out.
    pub fn from_magnitudes(d: &Distribution) -> Self {
        let mut magnitudes: Vec<f64> = if d.is_exact() {
            d.sample().iter().map(|v| f64::from(v.abs())).collect()
        } else {
            let ranks = (0..STAND_INS).map(|i| (i as f64 + 0.5) / STAND_INS as f64);
            ranks.filter_map(|q| d.quantile(q)).map(f64::abs).collect()
        };
        magnitudes.retain(|m| *m > 0.0);
        magnitudes.sort_unstable_by(f64::total_cmp);
        let largest = d.min().zip(d.max()).map(|(min, max)| min.abs().max(max.abs()));
        if d.quantile(0.5).is_none() && d.finite() > 0 {
            // How they are spread was not kept, but how large they are was.
            let size = d.l2() / ((d.finite() - d.zeros()).max(1) as f64).sqrt();
            let moments =
                largest.filter(|l| *l > 0.0 && size.is_finite()).map(|l| [size, size, size, size, l]);
            return Self { summary: None, moments, ..Self::from_values(d) };
        }
        let summary = largest.filter(|l| *l > 0.0).map(|largest| {
            // So many zeros that no stand-in was spared: the largest magnitude is what is known.
            let [min, q1, median, q3] =
                [0.0, 0.25, 0.5, 0.75].map(|q| quantile(&magnitudes, q).unwrap_or(largest));
            [min, q1, median, q3, largest]
        });
        Self { summary, ..Self::from_values(d) }
    }

    /// The median, where it is known.
    pub fn median(&self) -> Option<f64> {
        self.summary.map(|s| s[2])
    }

    /// Number of finite values.
    pub fn finite(&self) -> u64 {
        self.count - self.nan - self.inf
    }

    /// Whether every finite value is an exact zero, and there is one.
    pub fn all_zero(&self) -> bool {
        self.finite() > 0 && self.zeros == self.finite()
    }

    /// A part of the values: `3/9`, or a percentage of many.
    fn share(&self, part: u64) -> String {
        if self.count <= COUNTED_SINGLY {
            format!("{part}/{}", self.count)
        } else {
            percent(part, self.count)
        }
    }

    /// That all values are of one kind.
    fn all(&self, what: &str) -> String {
        match self.count {
            1 => format!("1 value, {what}"),
            n if n <= COUNTED_SINGLY => format!("all {n} {what}"),
            _ => format!("all {what}"),
        }
    }

    /// Notes of whatever a violin cannot show, each with whether it is alarming.
    pub fn notes(&self) -> Vec<(String, bool)> {
        let mut notes = Vec::new();
        if self.count == 0 {
            notes.push(("no values".into(), false));
        } else if self.zeros == self.count {
            notes.push((self.all("zero"), false));
        } else if self.zeros > 0 {
            notes.push((format!("zeros {}", self.share(self.zeros)), false));
        }
        for (n, what) in [(self.nan, "NaN"), (self.inf, "inf")] {
            if n > 0 && n == self.count {
                notes.push((self.all(what), true));
            } else if n > 0 {
                notes.push((format!("{what} {}", self.share(n)), true));
            }
        }
        notes
    }

    /// Everything, for a tooltip.
    pub fn in_words(&self) -> String {
        let mut words = match self.summary {
            Some([min, q1, median, q3, max]) => format!(
                "median {}, quartiles {} and {}, range {} to {}; ",
                precise(median),
                precise(q1),
                precise(q3),
                precise(min),
                precise(max)
            ),
            None => String::new(),
        };
        if let Some([min, low, mean, high, max]) = self.moments {
            words += &if low == mean && mean == high {
                format!("root mean square {}, largest {}; ", precise(mean), precise(max))
            } else {
                format!(
                    "mean {}, one standard deviation from {} to {}, range {} to {}; ",
                    precise(mean),
                    precise(low),
                    precise(high),
                    precise(min),
                    precise(max)
                )
            };
        }
        words += &format!("{} {}", count(self.count), if self.count == 1 { "value" } else { "values" });
        for (n, what) in [(self.zeros, "zero"), (self.nan, "NaN"), (self.inf, "inf")] {
            if n > 0 {
                words += &format!(", {} {what}", count(n));
            }
        }
        words
    }

    /// Cells of a table: count, median, quartiles, smallest, largest, zeros, NaN, inf.
    pub fn cells(&self) -> Vec<String> {
        let mut cells = vec![count(self.count)];
        cells.extend([2, 1, 3, 0, 4].map(|i| self.summary.map_or_else(|| "-".into(), |s| number(s[i]))));
        cells.extend([self.zeros, self.nan, self.inf].map(count));
        cells
    }
}

/// The q-quantile of ascending values, interpolated linearly.
fn quantile(ascending: &[f64], q: f64) -> Option<f64> {
    let rank = q * ascending.len().checked_sub(1)? as f64;
    let (low, high) = (ascending[rank.floor() as usize], ascending[rank.ceil() as usize]);
    Some(low + (high - low) * rank.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magnitudes_are_summarised_without_zeros_and_signs() {
        let n = Numbers::from_magnitudes(&Distribution::new(&[-1.0, 0.0, 2.0, -3.0, 0.0, f32::NAN]));
        assert_eq!(n.summary, Some([1.0, 1.5, 2.0, 2.5, 3.0]));
        assert_eq!(n.notes(), [("zeros 2/6".into(), false), ("NaN 1/6".into(), true)]);
        let large: Vec<f32> = (1..=10_000).map(|i| if i % 2 == 0 { i as f32 } else { -(i as f32) }).collect();
        let median = Numbers::from_magnitudes(&Distribution::new(&large)).median().unwrap();
        assert!((median / 5000.0 - 1.0).abs() < 0.07, "{median}");
    }

    #[test]
    fn what_a_violin_cannot_show_is_said() {
        let notes = |values: &[f32]| {
            let notes = Numbers::from_values(&Distribution::new(values)).notes();
            notes.into_iter().map(|n| n.0).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(notes(&[0.0; 9]), "all 9 zero");
        assert_eq!(notes(&[0.0; 2000]), "all zero");
        assert_eq!(notes(&[f32::NAN; 4]), "all 4 NaN");
        assert_eq!(notes(&[f32::INFINITY]), "1 value, inf");
        assert_eq!(notes(&[]), "no values");
        assert_eq!(notes(&[1.0, 2.0]), "");
        assert_eq!(Numbers::from_values(&Distribution::new(&[f32::NAN])).cells()[1], "-");
    }
}
