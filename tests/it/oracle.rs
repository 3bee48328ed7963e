//! The numbers of training are PyTorch's: fixtures/mlp5.json was made by PyTorch 2.13 on
//! fixtures/moons.csv.

use crate::support::{Scratch, fixture, number};
use serde_json::Value;

/// Within 1e-4 relative, or 1e-12 absolute where that is larger.
fn close(found: f64, expected: f64, what: &str) {
    let limit = (1e-4 * expected.abs()).max(1e-12);
    assert!((found - expected).abs() <= limit, "{what}: {found} instead of {expected}");
}

#[test]
fn losses_weight_norms_and_gradient_norms_of_the_teaching_networks_are_those_of_pytorch() {
    let oracle: Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("mlp5.json")).unwrap()).unwrap();
    let runs = oracle["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 6);
    let moons = fixture("moons.csv");
    let mut compared = 0;
    for run in runs {
        let scratch = Scratch::new();
        let bias = run["bias"].to_string();
        let data = format!("csv:{}", moons.display());
        scratch
            .gradscope_words(&[
                "run",
                "--model",
                run["model"].as_str().unwrap(),
                "--bias",
                &bias,
                "--data",
                &data,
                "--split",
                "640,160,200",
                "--no-shuffle-split",
                "--batch-size",
                "full",
                "--epochs",
                "5",
                "--seed",
                &run["seed"].to_string(),
                "--out",
                "out",
                "--quiet",
            ])
            .expect(0);
        let summary = scratch.summary("out");
        let expected = run["epochs"].as_array().unwrap();
        assert_eq!(expected.len(), 5);
        for (e, expected) in expected.iter().enumerate() {
            let what = format!("{} bias {bias} epoch {e}", run["model"]);
            close(number(&summary["epochs"][e]["train_loss"]), number(&expected["loss"]), &what);
            for (field, ours) in
                [("weight_l2", "weight"), ("weight_grad_l2", "weight_grad"), ("bias_grad_l2", "bias_grad")]
            {
                let norms = expected[field].as_array().unwrap();
                assert_eq!(norms.len(), summary["layers"].as_array().unwrap().len());
                for (l, norm) in norms.iter().enumerate() {
                    let found = number(&summary["layers"][l]["epochs"][e][ours]["l2"]);
                    close(found, number(norm), &format!("{what} layer {l} {field}"));
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 6 * 5 * 5 * 3);
}
