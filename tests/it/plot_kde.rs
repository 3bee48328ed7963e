//! The curves of violins against SciPy's.

use gradscope::stats::{Density, Distribution};
use serde_json::Value;

/// Of each curve's peak.
const TOLERANCE: f64 = 1e-6;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// The reference values are float64 and tensors are float32: the agreement holds all the same.
#[test]
fn densities_and_quartiles_are_those_of_scipy() {
    let reference: Value = serde_json::from_str(include_str!("../../fixtures/kde.json")).unwrap();
    let cases = reference["cases"].as_array().unwrap();
    assert!(cases.len() >= 5);
    for case in cases {
        let name = &case["name"];
        let values: Vec<f32> = numbers(&case["values"]).into_iter().map(|v| v as f32).collect();
        let distribution = Distribution::new(&values);
        assert!(distribution.is_exact(), "{name}");
        let density = Density::from_values(&distribution).unwrap();
        let (grid, expected) = (numbers(&case["grid"]), numbers(&case["density"]));
        let peak = expected.iter().copied().fold(0.0, f64::max);
        let span = grid[grid.len() - 1] - grid[0];
        for i in 0..expected.len() {
            assert!((density.grid[i] - grid[i]).abs() <= TOLERANCE * span, "{name}: grid {i}");
            let off = (density.density[i] - expected[i]).abs() / peak;
            assert!(off <= TOLERANCE, "{name}: point {i} is off by {off:e} of the peak");
        }
        let bandwidth = case["bandwidth"].as_f64().unwrap();
        assert!((density.bandwidth / bandwidth - 1.0).abs() <= TOLERANCE, "{name}");
        for (q, expected) in [0.25, 0.5, 0.75].into_iter().zip(numbers(&case["quartiles"])) {
            let found = distribution.quantile(q).unwrap();
            assert!((found - expected).abs() <= TOLERANCE * span, "{name}: {q}: {found} for {expected}");
        }
    }
}
