//! Kernel densities, of values and of log-magnitudes.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::erf::erf;

use super::Distribution;
use super::segments::{self, Segment};

/// Points of a density curve, as in the reference curves.
pub const GRID_POINTS: usize = 100;
/// How far a curve reaches beyond the data, in bandwidths (seaborn's default `cut`).
const CUT: f64 = 2.0;
/// A kernel further away than this many bandwidths adds less than 1e-14 of its peak.
const KERNEL_REACH: f64 = 8.0;
/// A stretch narrower than this many bandwidths is as good as a point: off by 4e-4 of its own peak.
const AS_A_POINT: f64 = 0.1;

/// A Gaussian kernel density with Scott's bandwidth (Scott, 1992): n^(-1/5) standard deviations.
#[derive(Clone, Debug, PartialEq)]
pub struct Density {
    /// Where the density is given: [`GRID_POINTS`] values from two bandwidths below the smallest to
    /// two above the largest.
    pub grid: Vec<f64>,
    /// The density there, of integral one.
    pub density: Vec<f64>,
    /// Standard deviation of the kernel.
    pub bandwidth: f64,
}

impl Density {
    /// Of the finite values. `None` where they are fewer than two or all equal: such a layer is
    /// drawn as a tick.
    pub fn from_values(distribution: &Distribution) -> Option<Self> {
        Self::from_segments(&segments::from_values(distribution))
    }

    /// Of log₁₀|x| over the finite, non-zero values; the caller counts the zeros beside it.
    pub fn from_magnitudes(distribution: &Distribution) -> Option<Self> {
        Self::from_segments(&segments::from_magnitudes(distribution))
    }

    fn from_segments(segments: &[Segment]) -> Option<Self> {
        let n: f64 = segments.iter().map(|s| s.mass).sum();
        let middle = |s: &Segment| (s.low + s.high) / 2.0;
        let mean = segments.iter().map(|s| middle(s) * s.mass).sum::<f64>() / n;
        let square = |s: &Segment| (middle(s) - mean).powi(2) + (s.high - s.low).powi(2) / 12.0;
        let variance = segments.iter().map(|s| square(s) * s.mass).sum::<f64>() / (n - 1.0);
        let bandwidth = n.powf(-0.2) * variance.sqrt();
        let low = segments.iter().map(|s| s.low).fold(f64::INFINITY, f64::min);
        let high = segments.iter().map(|s| s.high).fold(f64::NEG_INFINITY, f64::max);
        // A bandwidth that vanishes beside the values has no grid that float64 can tell apart.
        let resolvable = bandwidth > 1e-9 * low.abs().max(high.abs());
        if !(n >= 2.0 && low < high && resolvable && bandwidth.is_finite()) {
            return None;
        }
        let (start, end) = (low - CUT * bandwidth, high + CUT * bandwidth);
        let step = (end - start) / (GRID_POINTS - 1) as f64;
        let grid: Vec<f64> = (0..GRID_POINTS).map(|i| start + step * i as f64).collect();
        let mut density = vec![0.0; GRID_POINTS];
        let reach = KERNEL_REACH * bandwidth;
        for s in segments {
            let first = ((s.low - reach - start) / step).ceil().max(0.0) as usize;
            let last = (((s.high + reach - start) / step).floor().max(0.0) as usize).min(GRID_POINTS - 1);
            let smooth = Smooth::new(s, bandwidth, s.mass / n);
            for i in first..=last {
                density[i] += smooth.at(grid[i]);
            }
        }
        Some(Self { grid, density, bandwidth })
    }

    /// The highest density.
    pub fn peak(&self) -> f64 {
        self.density.iter().copied().fold(0.0, f64::max)
    }
}

/// A segment convolved with the kernel.
struct Smooth {
    low: f64,
    high: f64,
    is_point: bool,
    per_bandwidth: f64,
    scale: f64,
}

impl Smooth {
    fn new(s: &Segment, bandwidth: f64, share: f64) -> Self {
        let is_point = s.high - s.low < AS_A_POINT * bandwidth;
        let scale =
            if is_point { share / (bandwidth * (2.0 * PI).sqrt()) } else { share / (2.0 * (s.high - s.low)) };
        Self { low: s.low, high: s.high, is_point, per_bandwidth: 1.0 / bandwidth, scale }
    }

    fn at(&self, x: f64) -> f64 {
        if self.is_point {
            let z = (x - (self.low + self.high) / 2.0) * self.per_bandwidth;
            return self.scale * (-0.5 * z * z).exp();
        }
        let below = |edge: f64| erf((x - edge) * self.per_bandwidth / SQRT_2);
        self.scale * (below(self.low) - below(self.high))
    }
}
