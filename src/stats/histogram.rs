//! Histograms of equal width, of values and of log-magnitudes.

use super::Distribution;
use super::segments::{self, Segment};

/// Equal-width bars over the range of the finite values: (low, high, values in between). One bar
/// where all values are equal, none where there is no finite value.
pub fn histogram(distribution: &Distribution, bars: usize) -> Vec<(f64, f64, f64)> {
    let (Some(min), Some(max)) = (distribution.min(), distribution.max()) else { return Vec::new() };
    over(&segments::from_values(distribution), min, max, bars)
}

/// The same of log₁₀|x| over the finite, non-zero values; the caller counts the zeros beside it.
pub fn magnitude_histogram(distribution: &Distribution, bars: usize) -> Vec<(f64, f64, f64)> {
    let segments = segments::from_magnitudes(distribution);
    let min = segments.iter().map(|s| s.low).fold(f64::INFINITY, f64::min);
    let max = segments.iter().map(|s| s.high).fold(f64::NEG_INFINITY, f64::max);
    if segments.is_empty() { Vec::new() } else { over(&segments, min, max, bars) }
}

fn over(segments: &[Segment], min: f64, max: f64, bars: usize) -> Vec<(f64, f64, f64)> {
    if min == max || bars < 2 {
        return vec![(min, max, segments.iter().map(|s| s.mass).sum())];
    }
    // Halves: the range of float64 values may be twice what float64 can hold.
    let width = (max / 2.0 - min / 2.0) / bars as f64 * 2.0;
    let bar = |value: f64| (((value / 2.0 - min / 2.0) / (width / 2.0)).max(0.0) as usize).min(bars - 1);
    let edge = |i: usize| if i == bars { max } else { min + width * i as f64 };
    let mut counts = vec![0.0; bars];
    for s in segments {
        let (first, last) = (bar(s.low), bar(s.high));
        if first == last {
            counts[first] += s.mass;
            continue;
        }
        let per_width = s.mass / (s.high - s.low);
        for (i, count) in counts.iter_mut().enumerate().take(last + 1).skip(first) {
            let from = if i == first { s.low } else { edge(i) };
            let to = if i == last { s.high } else { edge(i + 1) };
            *count += per_width * (to - from);
        }
    }
    counts.into_iter().enumerate().map(|(i, count)| (edge(i), edge(i + 1), count)).collect()
}
