//! What a distribution promises, against exact computation on the values themselves.

use std::collections::HashSet;

use gradscope::stats::{
    BIN_RELATIVE_WIDTH, Density, DetailLevel, Distribution, EXACT_CAPACITY, SAMPLE_CAPACITY, histogram,
    magnitude_histogram,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Values of all magnitudes, with zeros, subnormals, NaN and infinities among them.
fn value() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => (-38f32..38.0, any::<bool>()).prop_map(|(e, s)| if s { 10f32.powf(e) } else { -(10f32.powf(e)) }),
        4 => -2f32..2.0,
        1 => Just(0.0f32),
        1 => Just(-0.0f32),
        1 => Just(f32::from_bits(1)),
        1 => Just(f32::NAN),
        1 => Just(f32::from_bits(0x7f80_0001)),
        1 => Just(f32::INFINITY),
        1 => Just(f32::NEG_INFINITY),
    ]
}

fn values() -> impl Strategy<Value = Vec<f32>> {
    prop_oneof![vec(value(), 0..20), vec(value(), 900..2_000)]
}

fn finite(values: &[f32]) -> Vec<f64> {
    let mut finite: Vec<f64> = values.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v)).collect();
    finite.sort_by(f64::total_cmp);
    finite
}

fn close(a: f64, b: f64, scale: f64) -> bool {
    (a - b).abs() <= 1e-9 * scale.abs().max(f64::MIN_POSITIVE)
}

/// Whether a quantile lies between the two values whose ranks it falls between, or a bin beside them.
fn within_a_bin(found: Option<f64>, sorted: &[f64], q: f64) -> bool {
    let Some(found) = found else { return sorted.is_empty() };
    let rank = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    // The subnormals share one bin.
    let slack = |v: f64| BIN_RELATIVE_WIDTH * v.abs() + f64::from(f32::MIN_POSITIVE);
    found >= low - slack(low) && found <= high + slack(high)
}

/// Everything that merging must not change: the exact parts.
fn counts(d: &Distribution) -> (u64, u64, u64, u64, Option<f64>, Option<f64>) {
    (d.count(), d.zeros(), d.nan(), d.infinities(), d.min(), d.max())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counts_and_extremes_are_exact(values in values()) {
        let d = Distribution::new(&values);
        let exact = finite(&values);
        prop_assert_eq!(d.count(), values.len() as u64);
        prop_assert_eq!(d.zeros(), values.iter().filter(|v| **v == 0.0).count() as u64);
        prop_assert_eq!(d.nan(), values.iter().filter(|v| v.is_nan()).count() as u64);
        prop_assert_eq!(d.infinities(), values.iter().filter(|v| v.is_infinite()).count() as u64);
        prop_assert_eq!(d.min(), exact.first().copied());
        prop_assert_eq!(d.max(), exact.last().copied());
    }

    #[test]
    fn moments_are_those_of_a_direct_computation(values in values()) {
        let d = Distribution::new(&values);
        let exact = finite(&values);
        prop_assume!(!exact.is_empty());
        let n = exact.len() as f64;
        let size = exact.iter().map(|v| v.abs()).sum::<f64>();
        prop_assert!(close(d.l1(), size, size));
        prop_assert!(close(d.mean().unwrap(), exact.iter().sum::<f64>() / n, size / n));
        let mean = exact.iter().sum::<f64>() / n;
        let std = (exact.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n.max(2.0) - 1.0)).sqrt();
        prop_assert!((d.std().unwrap() - std).abs() <= 1e-6 * std.max(1e-300), "{} {}", d.std().unwrap(), std);
        if d.nan() == 0 && d.infinities() == 0 {
            let l2 = exact.iter().map(|v| v * v).sum::<f64>().sqrt();
            prop_assert!(close(d.l2(), l2, l2));
        }
    }

    #[test]
    fn splitting_and_merging_in_any_order_changes_no_count(values in values(), cut in 0.0f64..1.0, other in values()) {
        let whole = Distribution::new(&values);
        let (a, b) = values.split_at((values.len() as f64 * cut) as usize);
        let (a, b, c) = (Distribution::new(a), Distribution::new(b), Distribution::new(&other));
        let merged = |parts: &[&Distribution]| {
            let mut sum = Distribution::default();
            parts.iter().for_each(|p| sum.merge(p));
            sum
        };
        prop_assert_eq!(counts(&merged(&[&a, &b])), counts(&whole));
        prop_assert_eq!(counts(&merged(&[&b, &a])), counts(&whole));
        prop_assert_eq!(merged(&[&a, &b]), merged(&[&b, &a]), "swapping the two changes nothing at all");
        let (ab_c, bc) = (merged(&[&merged(&[&a, &b]), &c]), merged(&[&b, &c]));
        prop_assert_eq!(counts(&ab_c), counts(&merged(&[&a, &bc])));
        for q in [0.0, 0.1, 0.5, 0.9, 1.0] {
            for d in [&merged(&[&a, &b]), &merged(&[&b, &a]), &whole] {
                prop_assert!(within_a_bin(d.quantile(q), &finite(&values), q), "{q}: {:?}", d.quantile(q));
            }
        }
    }

    #[test]
    fn a_quantile_is_within_a_bin_of_an_exact_one(values in vec(-8f32..8.0, 1_100..4_000), q in 0.0f64..=1.0) {
        let d = Distribution::new(&values);
        let exact = finite(&values);
        prop_assert!(within_a_bin(d.quantile(q), &exact, q), "{:?}", d.quantile(q));
    }

    #[test]
    fn small_tensors_have_exact_quantiles(values in vec(-8f32..8.0, 1..EXACT_CAPACITY), q in 0.0f64..=1.0) {
        let exact = finite(&values);
        let rank = q * (exact.len() - 1) as f64;
        let (low, high) = (exact[rank.floor() as usize], exact[rank.ceil() as usize]);
        let expected = low + (high - low) * rank.fract();
        prop_assert!(close(Distribution::new(&values).quantile(q).unwrap(), expected, 8.0));
    }

    #[test]
    fn scaling_by_a_power_of_two_scales_everything(values in vec(-1f32..1.0, 1..1_000), power in -20i32..20) {
        let factor = 2f32.powi(power);
        let scaled: Vec<f32> = values.iter().map(|v| v * factor).collect();
        let (d, s) = (Distribution::new(&values), Distribution::new(&scaled));
        let factor = f64::from(factor);
        prop_assert_eq!(d.zeros(), s.zeros());
        prop_assert!(close(s.l2(), d.l2() * factor, s.l2()));
        prop_assert!(close(s.std().unwrap(), d.std().unwrap() * factor, s.l2()));
    }

    #[test]
    fn scaling_by_a_power_of_two_moves_bins_and_sample_alike(values in vec(-1f32..1.0, 1_100..3_000), power in -20i32..20) {
        let factor = 2f32.powi(power);
        prop_assume!(values.iter().all(|v| *v == 0.0 || v.abs() > 1e-20));
        let scaled: Vec<f32> = values.iter().map(|v| v * factor).collect();
        let (d, s) = (Distribution::new(&values), Distribution::new(&scaled));
        for q in [0.0, 0.01, 0.3, 0.5, 0.8, 1.0] {
            prop_assert_eq!(d.quantile(q).unwrap() * f64::from(factor), s.quantile(q).unwrap());
        }
    }

    #[test]
    fn the_order_of_the_values_changes_no_count(values in values()) {
        let backwards: Vec<f32> = values.iter().rev().copied().collect();
        let (d, b) = (Distribution::new(&values), Distribution::new(&backwards));
        prop_assert_eq!(counts(&d), counts(&b));
        prop_assert!(close(d.l1(), b.l1(), d.l1()));
        for q in [0.0, 0.1, 0.5, 0.9, 1.0] {
            prop_assert_eq!(d.quantile(q), b.quantile(q));
        }
    }

    #[test]
    fn equal_values_have_no_spread(value in -3e38f32..3e38, count in 1usize..6_000) {
        let d = Distribution::new(&vec![value; count]);
        prop_assert_eq!((d.mean(), d.std()), (Some(value.into()), Some(0.0)));
        prop_assert_eq!((d.min(), d.quantile(0.5), d.max()), (d.mean(), d.mean(), d.mean()));
        prop_assert_eq!(histogram(&d, 7), vec![(value.into(), value.into(), count as f64)]);
    }

    #[test]
    fn the_sample_is_of_the_values(values in values()) {
        let d = Distribution::new(&values);
        prop_assert!(d.is_exact() || d.sample().len() <= SAMPLE_CAPACITY);
        prop_assert!(d.sample().is_sorted());
        let of_the_values: HashSet<u32> = values.iter().map(|v| (v + 0.0).to_bits()).collect();
        prop_assert!(d.sample().iter().all(|s| of_the_values.contains(&s.to_bits())));
        prop_assert_eq!(&Distribution::new(&values), &d, "the same every time");
    }

    #[test]
    fn a_distribution_survives_json_bit_for_bit(values in values()) {
        let d = Distribution::new(&values);
        let text = serde_json::to_string(&d).unwrap();
        prop_assert_eq!(serde_json::from_str::<Distribution>(&text).unwrap(), d);
    }

    #[test]
    fn a_histogram_holds_every_finite_value(values in values(), bars in 2usize..50) {
        let d = Distribution::new(&values);
        let total = |bars: Vec<(f64, f64, f64)>| bars.iter().map(|b| b.2).sum::<f64>();
        let (all, zeros) = (d.finite() as f64, d.zeros() as f64);
        prop_assert!((total(histogram(&d, bars)) - all).abs() < 1e-6 * (1.0 + all));
        prop_assert!((total(magnitude_histogram(&d, bars)) - (all - zeros)).abs() < 1e-6 * (1.0 + all));
    }

    #[test]
    fn bars_over_bins_hold_what_bars_over_values_do(values in vec(0.5f32..8.0, 2_000..4_000)) {
        let d = Distribution::new(&values);
        for (low, high, count) in histogram(&d, 5) {
            let inside = values.iter().filter(|v| (low..high).contains(&f64::from(**v))).count() as f64;
            // What lies in the bins at its two edges may be taken for a neighbour's.
            let near = |edge: f64| values.iter().filter(|v| (f64::from(**v) / edge - 1.0).abs() < BIN_RELATIVE_WIDTH).count();
            prop_assert!((count - inside).abs() <= 2.0 + (near(low) + near(high)) as f64, "{low}..{high}");
        }
    }

    #[test]
    fn a_density_integrates_to_nearly_one(values in vec(-3f32..3.0, 10..2_000)) {
        if let Some(density) = Density::from_values(&Distribution::new(&values)) {
            let step = density.grid[1] - density.grid[0];
            let integral: f64 = density.density.iter().sum::<f64>() * step;
            // Two bandwidths beyond the data cut off at most a twentieth of the outermost kernels.
            prop_assert!((0.9..1.02).contains(&integral), "{integral}");
        }
    }
}

#[test]
fn nothing_and_equal_values_have_no_density() {
    for values in [vec![], vec![f32::NAN; 5], vec![2.5], vec![2.5; 1_000], vec![0.0; 3]] {
        let d = Distribution::new(&values);
        assert_eq!(Density::from_values(&d), None, "{values:?}");
        assert_eq!(Density::from_magnitudes(&d), None, "{values:?}");
    }
}

#[test]
fn nan_and_infinities_are_in_the_norm_and_beside_the_moments() {
    let d = Distribution::new(&[3.0, f32::INFINITY, 4.0]);
    assert_eq!((d.l2(), d.mean(), d.max()), (f64::INFINITY, Some(3.5), Some(4.0)));
    assert!(Distribution::new(&[3.0, f32::NAN, f32::INFINITY]).l2().is_nan());
}

#[test]
fn a_layer_far_from_zero_keeps_its_small_spread() {
    let values: Vec<f32> = (0..10_000).map(|i| -8.0 + 1e-5 * (i % 2) as f32).collect();
    let d = Distribution::new(&values);
    assert!((d.std().unwrap() / 5.0e-6 - 1.0).abs() < 0.01, "{:?}", d.std());
}

#[test]
fn what_a_file_claims_of_a_distribution_is_checked() {
    let good = serde_json::to_value(Distribution::new(&[1.0, 2.0, 0.0, f32::NAN])).unwrap();
    assert!(serde_json::from_value::<Distribution>(good.clone()).is_ok());
    for (field, value) in [
        ("n", serde_json::json!(7)),
        ("nan", serde_json::json!(9)),
        ("zeros", serde_json::json!(2)),
        ("n", serde_json::json!(1u64 << 60)),
        ("ss", serde_json::json!(-1.0)),
        ("range", serde_json::json!([2.0, 1.0])),
        ("values", serde_json::json!("AAAAAA")),
        ("bins", serde_json::json!("!!")),
        ("unknown", serde_json::json!(1)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(serde_json::from_value::<Distribution>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn zeros_of_which_quantiles_are_left_join_values_in_bins() {
    let mut sum = Distribution::new(&[0.0; 5_000]).compacted(DetailLevel::Quantiles);
    sum.merge(&Distribution::new(&[1.0; 2_000]));
    let read: Distribution = serde_json::from_value(serde_json::to_value(&sum).unwrap()).unwrap();
    assert_eq!((read.count(), read.zeros(), read.max()), (7_000, 5_000, Some(1.0)));
}
