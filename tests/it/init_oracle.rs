//! Initial draws are PyTorch's for the same seed and shape: fixtures/init.json was made by PyTorch
//! 2.13.

use crate::support::{Scratch, fixture, number};
use serde_json::Value;

/// As the grammar spells the schemes of the fixture.
fn spelled(case: &Value) -> String {
    let arguments: Vec<String> = case["args"].as_array().unwrap().iter().map(Value::to_string).collect();
    match case["scheme"].as_str().unwrap() {
        "kaiming-uniform-relu" => "kaiming-uniform:nonlinearity=relu".into(),
        "xavier-uniform-tanh" => "xavier-uniform:gain=tanh".into(),
        name if arguments.is_empty() => name.into(),
        name => format!("{name}:{}", arguments.join(",")),
    }
}

/// The draw of this scheme, as `gradscope init --json` prints it.
fn drawn(scratch: &Scratch, scheme: &str, seed: &Value, fan_in: &Value, fan_out: &Value) -> Value {
    let [seed, fan_in, fan_out] = [seed, fan_in, fan_out].map(Value::to_string);
    let words =
        ["init", "--json", "--scheme", scheme, "--seed", &seed, "--fan-in", &fan_in, "--fan-out", &fan_out];
    serde_json::from_str(&scratch.gradscope_words(&words).expect(0).stdout()).expect("valid JSON")
}

#[test]
fn every_scheme_draws_what_pytorch_draws() {
    let oracle: Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("init.json")).unwrap()).unwrap();
    let cases = oracle["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 26);
    let scratch = Scratch::new();
    for case in cases {
        let text = spelled(case);
        let found = drawn(&scratch, &text, &case["seed"], &case["fan_in"], &case["fan_out"]);
        assert_eq!((&found["scheme"], &found["seed"]), (&Value::from(text.as_str()), &case["seed"]));
        let (weight, bias) = (case["weight"].as_array().unwrap(), case["bias"].as_array().unwrap());
        assert_eq!(found["weight"].as_array().unwrap().len(), weight.len());
        for (row, expected) in weight.iter().enumerate() {
            for (column, expected) in expected.as_array().unwrap().iter().enumerate() {
                close(&found["weight"][row][column], expected, &text);
            }
        }
        for (row, expected) in bias.iter().enumerate() {
            close(&found["bias"][row], expected, &format!("{text}: bias"));
        }
    }
}

fn close(found: &Value, expected: &Value, what: &str) {
    assert!((number(found) - number(expected)).abs() < 1e-6, "{what}: {found} instead of {expected}");
}

/// `torch.nn.init.trunc_normal_` draws uniformly and inverts: the same uniform numbers lead to it.
#[test]
fn a_truncated_normal_is_the_inverse_of_the_same_uniform_draw() {
    use statrs::distribution::{ContinuousCDF, Normal};
    let scratch = Scratch::new();
    let (mean, std, low, high) = (0.5, 2.0, -1.0, 3.0);
    let normal = Normal::new(mean, std).unwrap();
    let (l, u) = (2.0 * normal.cdf(low) - 1.0, 2.0 * normal.cdf(high) - 1.0);
    let [seed, fan_in, fan_out] = [40, 50, 40].map(Value::from);
    let uniform = drawn(&scratch, &format!("uniform:{l},{u}"), &seed, &fan_in, &fan_out);
    let truncated = drawn(&scratch, "trunc-normal:0.5,2,-1,3", &seed, &fan_in, &fan_out);
    for row in 0..40 {
        for column in 0..50 {
            let p = (number(&uniform["weight"][row][column]) + 1.0) / 2.0;
            let found = number(&truncated["weight"][row][column]);
            assert!((found - normal.inverse_cdf(p)).abs() < 1e-5, "{found} of {p}");
            assert!((low..=high).contains(&found));
        }
    }
}

#[test]
fn a_small_matrix_is_printed_and_its_distribution_drawn() {
    let scratch = Scratch::new();
    let init = "init --scheme normal:0,1 --seed 40";
    let small = scratch.gradscope(&format!("{init} --fan-in 5 --fan-out 3")).expect(0).stdout();
    insta::assert_snapshot!(small);
    for scheme in ["normal:0,1", "uniform:-1,1", "zeros"] {
        let words = format!("init --scheme {scheme} --fan-in 100 --fan-out 100 --plot density.svg");
        scratch.gradscope(&words).expect(0);
        let svg = scratch.read("density.svg");
        let document = roxmltree::Document::parse(&svg).expect("well-formed");
        let bars = document.descendants().find(|n| n.attribute("class") == Some("gs-bars")).expect("bars");
        assert!(bars.descendants().any(|n| n.has_tag_name("path")), "{scheme}");
        assert!(svg.contains("10,000 of 10,000 values are finite; the areas of the 200 bars add up to 1"));
    }
}

#[test]
fn the_list_of_initialisers_is_the_grammar() {
    let scratch = Scratch::new();
    insta::assert_snapshot!(scratch.gradscope("inits").expect(0).stdout());
    let listed: Value = serde_json::from_str(&scratch.gradscope("inits --json").expect(0).stdout()).unwrap();
    for form in listed.as_array().unwrap() {
        let name = form["name"].as_str().unwrap();
        let example = match name {
            "constant" => "constant:2",
            "uniform" => "uniform:0,1",
            "normal" => "normal:0,1",
            "trunc-normal" => "trunc-normal:0,1,-2,2",
            "sparse" => "sparse:0.5",
            plain => plain,
        };
        scratch.gradscope(&format!("init --scheme {example} --fan-in 3 --fan-out 4")).expect(0);
    }
}

#[test]
fn what_cannot_be_drawn_is_said_in_one_line() {
    let scratch = Scratch::new();
    let mut messages = String::new();
    for words in [
        "--scheme trunc-normal:0,1,2,-2",
        "--scheme trunc-normal:0,0,-2,2",
        "--scheme trunc-normal:0,1",
        "--scheme uniform:nan,1",
        "--scheme normal:0,1 --bias sparse:0.5",
        "--scheme zeros --plot /proc/none/x.svg",
        "--scheme zeros --fan-in 32768 --fan-out 32768",
    ] {
        let size = if words.contains("--fan-in") { "" } else { " --fan-in 3 --fan-out 3" };
        let ran = scratch.gradscope(&format!("init {words}{size}")).expect(2);
        assert_eq!((ran.stdout(), ran.stderr().lines().count()), (String::new(), 1), "{}", ran.stderr());
        messages += &format!("$ gradscope init {words}\n{}\n", ran.stderr());
    }
    insta::assert_snapshot!(messages);
}
