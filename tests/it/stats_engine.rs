//! How a distribution is computed changes nothing of it: instructions, threads, types of number.

use gradscope::stats::{Density, Distribution, Element, Instructions};
use half::{bf16, f16};
use proptest::collection::vec;
use proptest::prelude::*;

/// Bits of a float32: of every kind, with the rare ones often.
fn bits() -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => any::<u32>(),
        2 => (-2f32..2.0).prop_map(f32::to_bits),
        1 => prop_oneof![Just(0), Just(1 << 31), Just(1), Just(0x8000_0001), Just(0x7f80_0001), Just(0x007f_ffff)],
    ]
}

fn values() -> impl Strategy<Value = Vec<f32>> {
    let value = || bits().prop_map(f32::from_bits);
    prop_oneof![vec(value(), 0..40), vec(value(), 1_000..1_100), vec(value(), 4_000..9_000)]
}

/// What was counted of every value, compared one by one.
fn counts_are_exact(values: &[f64], d: &Distribution) -> Result<(), TestCaseError> {
    let count = |f: &dyn Fn(&f64) -> bool| values.iter().filter(|v| f(v)).count() as u64;
    prop_assert_eq!(d.count(), values.len() as u64);
    prop_assert_eq!(d.zeros(), count(&|v| *v == 0.0));
    prop_assert_eq!(d.nan(), count(&|v| v.is_nan()));
    prop_assert_eq!(d.infinities(), count(&|v| v.is_infinite()));
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    prop_assert_eq!(d.min(), finite().reduce(f64::min));
    prop_assert_eq!(d.max(), finite().reduce(f64::max));
    // A record takes it only where its bins add up to the finite values.
    let text = serde_json::to_string(d).unwrap();
    prop_assert_eq!(&serde_json::from_str::<Distribution>(&text).unwrap(), d);
    Ok(())
}

/// The same, to the last bit, whatever it is computed with.
fn is_the_same_however<T: Element>(values: &[T]) -> Distribution {
    let d = Distribution::with_threads(values, 1);
    for instructions in [Instructions::baseline(), Instructions::widest()] {
        for threads in [0, 1, 2, 3, 8] {
            let other = Distribution::with_instructions(values, threads, instructions);
            assert_eq!(other, d, "{threads} threads, {}", instructions.name());
        }
    }
    d
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_bit_pattern_of_float32_is_counted(values in values()) {
        let d = is_the_same_however(&values);
        counts_are_exact(&values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(), &d)?;
    }

    #[test]
    fn bfloat16_is_the_float32_it_stands_for(bits in vec(any::<u16>(), 0..6_000)) {
        let half: Vec<bf16> = bits.into_iter().map(bf16::from_bits).collect();
        let float: Vec<f32> = half.iter().map(|v| v.to_f32()).collect();
        prop_assert_eq!(is_the_same_however(&half), Distribution::new(&float));
    }

    #[test]
    fn float16_is_the_float32_it_stands_for(bits in vec(any::<u16>(), 0..6_000)) {
        let half: Vec<f16> = bits.into_iter().map(f16::from_bits).collect();
        let float: Vec<f32> = half.iter().map(|v| v.to_f32()).collect();
        prop_assert_eq!(is_the_same_however(&half), Distribution::new(&float));
    }

    #[test]
    fn float64_is_float32_where_that_holds_it(values in values()) {
        let double: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
        prop_assert_eq!(is_the_same_however(&double), Distribution::new(&values));
    }

    #[test]
    fn every_bit_pattern_of_float64_is_counted(
        bits in prop_oneof![vec(any::<u64>(), 0..40), vec(any::<u64>(), 2_000..5_000)],
    ) {
        let values: Vec<f64> = bits.into_iter().map(f64::from_bits).collect();
        counts_are_exact(&values, &is_the_same_however(&values))?;
    }

    #[test]
    fn moments_of_float64_are_of_the_values_themselves(
        values in vec(-1f64..1.0, 1..3_000), offset in prop_oneof![Just(0.0), Just(-8.0)], size in -100i32..100,
    ) {
        let size = 10f64.powi(size);
        let values: Vec<f64> = values.iter().map(|v| (offset + 1e-6 * v) * size).collect();
        let d = Distribution::with_threads(&values, 1);
        let n = values.len() as f64;
        let mean = values.iter().map(|v| v / n).sum::<f64>();
        let std = (values.iter().map(|v| ((v - mean) / size).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
        prop_assert!((d.mean().unwrap() - mean).abs() <= 1e-12 * mean.abs().max(1e-6 * size));
        prop_assert!((d.std().unwrap() / size - std).abs() <= 1e-7 * std, "{} {}", d.std().unwrap() / size, std);
        prop_assert!((d.l2() / size - values.iter().map(|v| (v / size).powi(2)).sum::<f64>().sqrt()).abs() <= 1e-10 * d.l2() / size);
    }
}

/// Enough for several threads and chunks, with a rare value of every kind in it.
#[test]
fn threads_change_no_bit_of_a_large_tensor() {
    let mut values: Vec<f32> = (0..1_100_003).map(|i| 1.0 + 1e-3 * (i as f32 * 0.618_034).fract()).collect();
    for (at, value) in
        [(5, f32::NAN), (300_000, 0.0), (600_000, -0.0), (700_000, 1e-40), (1_100_000, f32::INFINITY)]
    {
        values[at] = value;
    }
    let d = is_the_same_however(&values);
    assert_eq!((d.zeros(), d.nan(), d.infinities(), d.min()), (2, 1, 1, Some(0.0)));
    let finite = || values.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v));
    let mean = finite().sum::<f64>() / finite().count() as f64;
    assert!((d.mean().unwrap() - mean).abs() < 1e-12);
}

#[test]
fn a_small_spread_far_from_zero_is_kept_over_many_blocks() {
    // -8 ± 2⁻²⁰, which is 1e-6: a sum of squares alone keeps none of it.
    let values: Vec<f32> =
        (0..1_000_000).map(|i| -8.0 + if i % 2 == 0 { 2f32.powi(-20) } else { -(2f32.powi(-20)) }).collect();
    let d = Distribution::new(&values);
    assert_eq!(d.mean(), Some(-8.0));
    assert!((d.std().unwrap() / 2f64.powi(-20) - 1.0).abs() < 1e-5, "{:?}", d.std());
}

#[test]
fn what_float64_holds_beyond_float32_stays_in_extremes_and_norms() {
    let values: Vec<f64> = [1e300, -1e300, 1e-300, -1e-310, 0.1].into_iter().cycle().take(5_000).collect();
    let d = Distribution::with_threads(&values, 1);
    assert_eq!((d.min(), d.max(), d.zeros(), d.infinities()), (Some(-1e300), Some(1e300), 0, 0));
    assert!((d.l1() / 2e303 - 1.0).abs() < 1e-12);
    assert_eq!(d.l2(), f64::INFINITY, "its square is beyond float64");
    let text = serde_json::to_string(&d).unwrap();
    assert_eq!(serde_json::from_str::<Distribution>(&text).unwrap(), d, "{text}");
    let largest = Distribution::with_threads(&[f64::MAX, f64::MAX, -f64::MAX, -f64::MAX, 3.0], 1);
    assert!(largest.mean().unwrap().abs() <= 1e293, "{:?}", largest.mean());
    assert_eq!(Distribution::with_threads(&[f64::MAX; 3], 1).mean().map(|m| m / f64::MAX), Some(1.0));
}

#[test]
fn float64_extremes_that_are_no_float32_survive_a_record_and_others_take_no_room() {
    let d = Distribution::with_threads(&[0.1f64, 0.25], 1);
    let json = serde_json::to_value(&d).unwrap();
    assert_eq!(json["range64"], serde_json::json!([0.1, 0.25]));
    assert_eq!(serde_json::from_value::<Distribution>(json).unwrap(), d);
    assert!(serde_json::to_value(Distribution::new(&[0.1f32, 0.25])).unwrap().get("range64").is_none());
}

#[test]
fn nothing_and_nothing_finite_are_distributions_too() {
    for count in [0, 3, 2_000, 300_000] {
        let d = is_the_same_however(&vec![f32::NAN; count]);
        assert_eq!((d.count(), d.nan(), d.finite()), (count as u64, count as u64, 0));
        assert_eq!((d.mean(), d.quantile(0.5), d.l1()), (None, None, 0.0));
        assert_eq!(Density::from_values(&d), None);
        let mut merged = Distribution::new(&[1.0; 2_000]);
        merged.merge(&d);
        assert_eq!((merged.count(), merged.finite(), merged.std()), (2_000 + count as u64, 2_000, Some(0.0)));
    }
}

/// Many small parts beside a large one all show in what is drawn.
#[test]
fn the_sample_follows_a_stream_of_merges() {
    let part = |step: usize| -> Vec<f32> {
        (0..2_000).map(|i| 1.0 + (step as f32 + i as f32 / 2_000.0) / 4_000.0).collect()
    };
    let mut stream = Distribution::default();
    (0..200).for_each(|step| stream.merge(&Distribution::new(&part(step))));
    // Even from 1 to 1.05, all of it within one bin.
    let sample = stream.sample();
    let below = sample.iter().filter(|v| **v < 1.025).count() as f64 / sample.len() as f64;
    assert!((0.35..0.65).contains(&below), "{below} of the sample in the lower half");
}
