//! Initial draws are PyTorch's for the same seed and shape: fixtures/init.json was made by PyTorch
//! 2.13.
#![cfg(feature = "train")]

mod support;

use gradscope::train::Scheme;
use serde_json::Value;
use support::{fixture, number};
use tch::{Device, Kind, Tensor};

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

/// libtorch's generator is one per process, so all cases are one test.
#[test]
fn every_scheme_draws_what_pytorch_draws() {
    let oracle: Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("init.json")).unwrap()).unwrap();
    let cases = oracle["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 26);
    for case in cases {
        let text = spelled(case);
        let (fan_in, fan_out) = (case["fan_in"].as_i64().unwrap(), case["fan_out"].as_i64().unwrap());
        let scheme: Scheme = text.parse().unwrap();
        tch::manual_seed(case["seed"].as_i64().unwrap());
        let mut weight = Tensor::zeros([fan_out, fan_in], (Kind::Float, Device::Cpu));
        let mut bias = Tensor::zeros([fan_out], (Kind::Float, Device::Cpu));
        let default: Scheme = "default".parse().unwrap();
        default.init.fill(&mut weight, fan_in as u64, fan_out as u64);
        default.init.fill(&mut bias, fan_in as u64, fan_out as u64);
        if text != "default" {
            scheme.init.fill(&mut weight, fan_in as u64, fan_out as u64);
        }
        for row in 0..fan_out {
            for column in 0..fan_in {
                let expected = number(&case["weight"][row as usize][column as usize]);
                let found = weight.double_value(&[row, column]);
                assert!((found - expected).abs() < 1e-6, "{text}: {found} instead of {expected}");
            }
            let expected = number(&case["bias"][row as usize]);
            assert!((bias.double_value(&[row]) - expected).abs() < 1e-6, "{text}: bias");
        }
    }
}
