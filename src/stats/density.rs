//! Kernel densities and histograms, of values and of log-magnitudes.
//!
//! Small tensors are drawn exactly. For large ones the mass comes from the bins, exactly counted,
//! and the sample only says where inside a bin the values lie: bins alone cannot draw a spread below
//! their width (a BatchNorm gain of 1 ± 0.02 would be 275% wrong at the peak).

use super::Distribution;

/// Points of a density curve, as in the reference curves.
pub const GRID_POINTS: usize = 100;
/// How far a curve reaches beyond the data, in bandwidths (seaborn's default `cut`).
const CUT: f64 = 2.0;
/// A kernel further away than this many bandwidths adds less than 1e-14 of its peak.
const KERNEL_REACH: f64 = 8.0;
/// Sample values in a bin from which their places are trusted rather than an even spread.
const PLACED_BY_SAMPLE: usize = 4;
/// Places over which a bin without sample values spreads its mass evenly.
const EVEN_PLACES: usize = 4;

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
    pub fn of_values(distribution: &Distribution) -> Option<Self> {
        Self::of_atoms(&atoms(distribution))
    }

    /// Of log₁₀|x| over the finite, non-zero values; the caller counts the zeros beside it.
    pub fn of_magnitudes(distribution: &Distribution) -> Option<Self> {
        Self::of_atoms(&magnitudes(distribution))
    }

    /// Of weighted values: (value, how many times it stands there).
    fn of_atoms(atoms: &[(f64, f64)]) -> Option<Self> {
        let n: f64 = atoms.iter().map(|a| a.1).sum();
        let mean = atoms.iter().map(|a| a.0 * a.1).sum::<f64>() / n;
        let variance = atoms.iter().map(|a| (a.0 - mean).powi(2) * a.1).sum::<f64>() / (n - 1.0);
        let bandwidth = n.powf(-0.2) * variance.sqrt();
        let low = atoms.iter().map(|a| a.0).fold(f64::INFINITY, f64::min);
        let high = atoms.iter().map(|a| a.0).fold(f64::NEG_INFINITY, f64::max);
        // A bandwidth that vanishes beside the values has no grid that float64 can tell apart.
        let resolvable = bandwidth > 1e-9 * low.abs().max(high.abs());
        if !(n >= 2.0 && low < high && resolvable && bandwidth.is_finite()) {
            return None;
        }
        let (start, end) = (low - CUT * bandwidth, high + CUT * bandwidth);
        let step = (end - start) / (GRID_POINTS - 1) as f64;
        let grid: Vec<f64> = (0..GRID_POINTS).map(|i| start + step * i as f64).collect();
        let mut density = vec![0.0; GRID_POINTS];
        let scale = 1.0 / (n * bandwidth * (2.0 * std::f64::consts::PI).sqrt());
        for &(value, weight) in atoms {
            let reach = KERNEL_REACH * bandwidth;
            let first = (((value - reach - start) / step).ceil().max(0.0)) as usize;
            let last = (((value + reach - start) / step).floor().max(0.0) as usize).min(GRID_POINTS - 1);
            for i in first..=last {
                let z = (grid[i] - value) / bandwidth;
                density[i] += weight * scale * (-0.5 * z * z).exp();
            }
        }
        Some(Self { grid, density, bandwidth })
    }

    /// The highest density.
    pub fn peak(&self) -> f64 {
        self.density.iter().copied().fold(0.0, f64::max)
    }
}

/// Equal-width bars over the range of the finite values: (low, high, values in between). One bar
/// where all values are equal, none where there is no finite value.
pub fn histogram(distribution: &Distribution, bars: usize) -> Vec<(f64, f64, f64)> {
    let (Some(min), Some(max)) = (distribution.min(), distribution.max()) else { return Vec::new() };
    if min == max || bars < 2 {
        return vec![(min, max, distribution.finite() as f64)];
    }
    let width = (max - min) / bars as f64;
    let mut counts = vec![0.0; bars];
    for (value, weight) in atoms(distribution) {
        counts[(((value - min) / width) as usize).min(bars - 1)] += weight;
    }
    let edge = |i: usize| if i == bars { max } else { min + width * i as f64 };
    counts.into_iter().enumerate().map(|(i, c)| (edge(i), edge(i + 1), c)).collect()
}

/// The finite values as (value, weight), weights adding up to their exact number.
fn atoms(d: &Distribution) -> Vec<(f64, f64)> {
    if d.is_exact() {
        return d.sample().iter().map(|v| (f64::from(*v), 1.0)).collect();
    }
    let sample = d.sample();
    let mut atoms = Vec::new();
    for (low, high, count) in d.intervals() {
        let first = sample.partition_point(|v| f64::from(*v) < low);
        let inside = &sample[first..sample.partition_point(|v| f64::from(*v) <= high).max(first)];
        if low == high {
            atoms.push((low, count as f64));
        } else if inside.len() >= PLACED_BY_SAMPLE {
            let weight = count as f64 / inside.len() as f64;
            atoms.extend(inside.iter().map(|v| (f64::from(*v), weight)));
        } else {
            let weight = count as f64 / EVEN_PLACES as f64;
            let place = |k: usize| low + (high - low) * (k as f64 + 0.5) / EVEN_PLACES as f64;
            atoms.extend((0..EVEN_PLACES).map(|k| (place(k), weight)));
        }
    }
    atoms
}

fn magnitudes(d: &Distribution) -> Vec<(f64, f64)> {
    let mut atoms = atoms(d);
    atoms.retain(|(value, _)| *value != 0.0);
    for (value, _) in &mut atoms {
        *value = value.abs().log10();
    }
    atoms
}
