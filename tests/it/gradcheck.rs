//! Autograd agrees with numerical differentiation on every model of the zoo.

use crate::support::{Scratch, number};
use serde_json::Value;

fn check(scratch: &Scratch, words: &str) -> Value {
    let ran = scratch.gradscope(&format!("gradcheck --json --coordinates 40 {words}")).expect(0);
    serde_json::from_str(&ran.stdout()).expect("valid JSON")
}

/// Rows for the models of the polynomial.
fn polynomial(scratch: &Scratch) {
    let row = |i: u32| {
        let (a, b) = (f64::from(i * 7 % 11) / 5.0 - 1.0, f64::from(i * 5 % 13) / 6.0 - 1.0);
        format!("{a},{b},{}\n", 2.0 * a * a - b * b)
    };
    scratch.file("t.csv", &format!("a,b,y\n{}", (0..40).map(row).collect::<String>()));
}

#[test]
fn every_model_with_smooth_activations_is_checked_below_a_millionth() {
    let scratch = Scratch::new();
    polynomial(&scratch);
    for model in
        ["sigmoid5", "tanh5", "moons1", "moons2", "zeros1", "mlp --act gelu --norm batch-pre --hidden 6,6"]
    {
        let check = check(&scratch, &format!("--model {model}"));
        assert!(number(&check["max_relative_error"]) < 1e-6, "{model}: {check:#}");
        assert!(check["layers"].as_array().unwrap().iter().all(|l| l["kinks"] == 0), "{model}");
    }
    for model in ["sigmoid2", "sigmoid3", "sigmoid4", "tanh3"] {
        let check = check(&scratch, &format!("--model {model} --data csv:t.csv"));
        assert!(number(&check["max_relative_error"]) < 1e-6, "{model}: {check:#}");
    }
}

#[test]
fn kinks_are_left_out_and_the_rest_agrees() {
    let scratch = Scratch::new();
    polynomial(&scratch);
    for words in
        ["relu5", "lrelu5", "mlp", "relu3 --data csv:t.csv", "softmax3", "fashion --rows 2", "conv --rows 2"]
    {
        let check = check(&scratch, &format!("--model {words}"));
        assert!(number(&check["max_relative_error"]) < 1e-6, "{words}: {check:#}");
        for layer in check["layers"].as_array().unwrap() {
            let [checked, kinks] = ["checked", "kinks"].map(|key| layer[key].as_u64().unwrap());
            assert!(checked > 0 && kinks < checked, "{words}: {layer}");
        }
        // A tiny network takes so little time that a busy machine decides.
        assert!(!words.starts_with("fashion") || number(&check["times_slower"]) > 100.0, "{words}");
    }
}

/// Gradients that vanish are no proof: the larger weights are.
#[test]
fn what_differences_cannot_resolve_is_counted() {
    let scratch = Scratch::new();
    let vanishing = check(&scratch, "--model sigmoid5");
    assert_eq!(vanishing["layers"][0]["unresolved"], 9);
    let xavier = check(&scratch, "--model sigmoid5 --init xavier-normal --bias 0");
    assert!(xavier["layers"].as_array().unwrap().iter().all(|l| l["unresolved"] == 0), "{xavier:#}");
    assert!(number(&xavier["max_relative_error"]) < 1e-6);
}

#[test]
fn the_table() {
    let scratch = Scratch::new();
    let text = scratch.gradscope("gradcheck --model sigmoid5").expect(0).stdout();
    // Numbers after the table's sixth column are rounding errors and times.
    let stable: Vec<String> = text
        .lines()
        .map(|line| match line.split_once("error is").or(line.split_once("takes")) {
            Some((before, _)) => format!("{before}…"),
            None if line.starts_with("fc") => line.rsplit_once("  ").unwrap().0.trim_end().to_owned(),
            None => line.to_owned(),
        })
        .collect();
    insta::assert_snapshot!(stable.join("\n"));
    let refused = scratch.gradscope("gradcheck --model sigmoid5 --rows 0").expect(2).stderr();
    assert!(refused.contains("--rows") && refused.contains("between 1 and 100000"), "{refused}");
}
