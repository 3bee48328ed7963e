//! Curves drawn from the bins and the sample of a million values, against the exact kernel density.

use gradscope::stats::{Density, Distribution};

/// Of the exact curve's peak.
const TOLERANCE: f64 = 0.05;
const COUNT: usize = 1_000_000;

/// Normal values (Box and Muller, 1958) from a generator with this seed.
fn normal(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed * 2 + 1;
    let mut uniform = move || {
        // Knuth's MMIX.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    };
    std::iter::repeat_with(move || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos())
}

/// The sum of a kernel at every value, as SciPy's `gaussian_kde` has it, at these points.
fn exact(values: &[f32], grid: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let bandwidth = n.powf(-0.2) * variance.sqrt();
    let mut sorted: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |x: &f64| {
        let near = sorted.partition_point(|v| *v < x - 6.0 * bandwidth)
            ..sorted.partition_point(|v| *v <= x + 6.0 * bandwidth);
        let sum: f64 = sorted[near].iter().map(|v| (-0.5 * ((x - v) / bandwidth).powi(2)).exp()).sum();
        sum / (n * bandwidth * std::f64::consts::TAU.sqrt())
    };
    grid.iter().map(at).collect()
}

fn worst(values: &[f32]) -> f64 {
    let density = Density::from_values(&Distribution::new(values)).unwrap();
    let exact = exact(values, &density.grid);
    let peak = exact.iter().copied().fold(0.0, f64::max);
    let off = density.density.iter().zip(&exact).map(|(a, b)| (a - b).abs() / peak);
    off.fold(0.0, f64::max)
}

/// Checks the curve over a million values that are so made of normal ones.
fn check(seed: u64, shape: fn(usize, f64) -> f64) {
    let values = normal(seed).take(COUNT).enumerate().map(|(i, z)| shape(i, z) as f32);
    let off = worst(&values.collect::<Vec<_>>());
    assert!(off <= TOLERANCE, "off by {:.1}% of the peak", 100.0 * off);
}

#[test]
fn around_zero() {
    check(0, |_, z| z);
}

/// The gains of a normalisation layer: all of them in a few bins.
#[test]
fn narrow_at_one() {
    check(1, |_, z| 1.0 + 0.02 * z);
}

/// Biases that kill a layer: one bin on either side.
#[test]
fn narrow_at_minus_eight() {
    check(2, |_, z| -8.0 + 0.05 * z);
}

#[test]
fn two_modes() {
    check(3, |i, z| if i % 3 == 0 { 0.5 + 0.1 * z } else { -1.0 + 0.2 * z });
}

#[test]
fn two_modes_within_a_bin() {
    check(4, |i, z| if i % 2 == 0 { 1.01 + 0.002 * z } else { 1.04 + 0.004 * z });
}
