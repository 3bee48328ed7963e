//! Where the finite values of a distribution lie, as stretches with an even spread: what densities and
//! histograms are drawn from.
//!
//! A small tensor's values stand alone, stretches of width 0. Those of a large one spread evenly over
//! their bins, exactly counted, or, inside a bin that holds enough of the sample, between the values
//! of the sample: bins alone cannot draw a spread below their width (a BatchNorm gain of 1 ± 0.02 would
//! be 275% wrong at the peak).

use super::bins;
use super::distribution::Distribution;
use super::interval::Interval;
use super::sample::INFORMATIVE;

/// So many values, evenly from `low` to `high`.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub low: f64,
    pub high: f64,
    pub mass: f64,
}

impl Segment {
    /// One that holds zero inside becomes two, which share its values.
    fn at_zero(self) -> impl Iterator<Item = Self> {
        let Self { low, high, mass } = self;
        let inside = low < 0.0 && high > 0.0;
        let below = inside.then(|| Self { high: 0.0, mass: mass * (low / (low - high)), ..self });
        let above = inside.then(|| Self { low: 0.0, mass: mass * (high / (high - low)), ..self });
        below.into_iter().chain(above).chain((!inside).then_some(self))
    }
}

/// The finite values; masses add up to their number.
pub fn from_values(d: &Distribution) -> Vec<Segment> {
    let sample = d.sample();
    if d.is_exact() {
        return sample.iter().map(|v| Segment { low: (*v).into(), high: (*v).into(), mass: 1.0 }).collect();
    }
    if let Some(points) = d.kept_quantiles() {
        let n = d.finite() as f64;
        let evenly =
            points.windows(2).map(|w| Segment { low: w[0].1, high: w[1].1, mass: n * (w[1].0 - w[0].0) });
        return evenly.collect();
    }
    let mut segments = Vec::new();
    let mut rest = sample;
    for Interval { bin, low, high, count } in d.intervals() {
        let bin_of = |v: &f32| if *v == 0.0 { 0 } else { bins::index(*v) };
        rest = &rest[rest.partition_point(|v| bin_of(v) < bin)..];
        let inside = &rest[..rest.partition_point(|v| bin_of(v) == bin)];
        if bin == 0 || inside.len() < INFORMATIVE {
            segments.push(Segment { low, high, mass: count as f64 });
            continue;
        }
        // Between two neighbours lies one share, between an edge and its neighbour half a share.
        let share = count as f64 / inside.len() as f64;
        let mut from = low;
        for (k, value) in inside.iter().map(|v| f64::from(*v)).enumerate() {
            segments.push(Segment { low: from, high: value, mass: if k == 0 { share / 2.0 } else { share } });
            from = value;
        }
        segments.push(Segment { low: from, high, mass: share / 2.0 });
    }
    segments
}

/// The logarithms to base ten of the magnitudes of the non-zero finite values.
pub fn from_magnitudes(d: &Distribution) -> Vec<Segment> {
    let all = from_values(d).into_iter().filter(|s| s.low != 0.0 || s.high != 0.0);
    let mut segments: Vec<Segment> = all.flat_map(Segment::at_zero).collect();
    for s in &mut segments {
        let (near, far) = if s.high > 0.0 { (s.low, s.high) } else { (-s.high, -s.low) };
        // Of an even spread that reaches zero nine tenths lie in the uppermost decade.
        (s.low, s.high) = (near.max(far / 10.0).log10(), far.log10());
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::DetailLevel;

    #[test]
    fn magnitudes_around_zero_lie_where_they_are_however_little_is_left_of_a_distribution() {
        // Evenly from -1 to 0.1: 1.8% of the magnitudes are below 0.01, in any stretch across zero.
        let values: Vec<f32> = (0..20_000).map(|i| -1.0 + 1.1 * (i as f32 + 0.5) / 20_000.0).collect();
        for keep in [DetailLevel::Full, DetailLevel::Quantiles] {
            let segments = from_magnitudes(&Distribution::new(&values).compacted(keep));
            let below = |limit: f64| {
                segments
                    .iter()
                    .map(|s: &Segment| ((limit - s.low) / (s.high - s.low)).clamp(0.0, 1.0) * s.mass)
                    .sum::<f64>()
                    / values.len() as f64
            };
            assert!((0.005..0.03).contains(&below(-2.0)), "{}", below(-2.0));
            assert!(below(-3.5) < 0.005, "{}", below(-3.5));
        }
    }
}
