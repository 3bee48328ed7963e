//! A model of the user's own, in a TOML file: trained, recorded and reported like those of the zoo.
#![cfg(feature = "train")]

mod support;

use serde_json::Value;
use support::{Scratch, number};

/// Two classes of 6 × 6 images: bright above or bright below, with some noise of its own.
fn images() -> String {
    let mut text: String = (0..36).map(|i| format!("p{i},")).collect::<String>() + "y\n";
    let mut state = 1u32;
    for row in 0..80 {
        for pixel in 0..36 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let bright = (pixel < 18) == (row % 2 == 0);
            text += &format!("{:.3},", f64::from(state >> 16) / 131_072.0 + if bright { 0.5 } else { 0.0 });
        }
        text += &format!("{}\n", row % 2);
    }
    text
}

const CONVOLUTION: &str = r#"
name = "stripes"
inputs = [1, 6, 6]

[[layers]]
type = "conv2d"
channels = 4
kernel = 3
act = "relu"
bias = false
norm = "batch-pre"

[[layers]]
type = "max-pool2d"
kernel = 2

[[layers]]
type = "flatten"

[[layers]]
type = "linear"
units = 6
act = "tanh"
init = "xavier-uniform:gain=tanh"
trainable = false

[[layers]]
type = "linear"

[defaults]
data = "csv:images.csv"
optimizer = "adam"
lr = 0.01
batch-size = "8"
epochs = 12
"#;

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.file("images.csv", &images());
    scratch.file("net.toml", CONVOLUTION);
    scratch
}

fn layer<'a>(summary: &'a Value, name: &str) -> &'a Value {
    summary["layers"].as_array().unwrap().iter().find(|l| l["name"] == name).expect(name)
}

#[test]
fn a_convolution_learns_and_is_measured_by_channel() {
    let scratch = scratch();
    scratch.gradscope("run --model net.toml --out out -q").expect(0);
    let summary = scratch.summary("out");
    assert!(number(&summary["epochs"][11]["train_score"]) > 0.95, "{}", summary["epochs"][11]);
    let names: Vec<&str> =
        summary["layers"].as_array().unwrap().iter().map(|l| l["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["conv1", "bn1", "fc1", "fc2"]);
    let run = &summary["run"];
    assert_eq!((&run["model"], &run["activation"]), (&"stripes".into(), &"relu,tanh".into()));
    assert_eq!(run["init"], "conv1 default, fc1 xavier-uniform:gain=tanh, fc2 default");
    let conv = layer(&summary, "conv1");
    assert_eq!((&conv["kind"], conv["parameters"].as_u64()), (&"conv2d".into(), Some(36)));
    let epoch = &conv["epochs"][0];
    assert_eq!(epoch["activation"]["units"], 4);
    assert_eq!(epoch["bias"], Value::Null);
    assert!(number(&epoch["weight_grad"]["l2"]) > 0.0 && number(&epoch["update_ratio"]) > 0.0, "{epoch:#}");
}

#[test]
fn a_frozen_layer_stays_as_it_was_drawn_and_no_finding_is_about_it() {
    let scratch = scratch();
    scratch.gradscope("run --model net.toml --out out -q --epochs 3").expect(0);
    let summary = scratch.summary("out");
    let frozen = layer(&summary, "fc1");
    assert_eq!(frozen["trainable"], false);
    let epochs = frozen["epochs"].as_array().unwrap();
    assert!(epochs.iter().all(|e| e["weight"] == epochs[0]["weight"] && e["weight_grad"] == Value::Null));
    let learning = layer(&summary, "fc2")["epochs"].as_array().unwrap();
    assert_ne!(learning[0]["weight"], learning[2]["weight"]);
    for finding in summary["findings"].as_array().unwrap() {
        assert_ne!(finding["layer"], "fc1", "{finding:#}");
    }
}

#[test]
fn flags_change_what_a_file_says() {
    let scratch = scratch();
    for flags in
        ["--norm layer", "--norm batch-post", "--act sigmoid --dropout 0.3", "--init orthogonal --bias 0"]
    {
        scratch.gradscope(&format!("run --model net.toml --out out -q --epochs 2 {flags}")).expect(0);
    }
    let summary = scratch.summary("out");
    assert_eq!((&summary["run"]["init"], &summary["run"]["bias"]), (&"orthogonal".into(), &"0".into()));
}

#[test]
fn a_built_in_model_is_a_file_like_any_other() {
    let scratch = Scratch::new();
    scratch.file("relu5.toml", include_str!("../src/train/zoo/relu5.toml"));
    let timeless = |directory: &str| {
        let mut summary = scratch.summary(directory);
        for key in ["wall_s", "capture_overhead", "command"] {
            summary["run"].as_object_mut().unwrap().remove(key);
        }
        summary
    };
    scratch.gradscope("run --model relu5 --epochs 2 --out zoo -q").expect(0);
    scratch.gradscope("run --model relu5.toml --epochs 2 --out file -q").expect(0);
    assert_eq!(timeless("zoo"), timeless("file"));
}

#[test]
fn each_layer_of_softmax3_has_its_own_initialiser() {
    let scratch = Scratch::new();
    let rows: String = (0..60).map(|i| format!("{},{},{},{}\n", i % 7, i % 5, i % 3, i % 2)).collect();
    scratch.file("t.csv", &format!("a,b,c,y\n{rows}"));
    scratch.gradscope("run --model softmax3 --data csv:t.csv --epochs 2 --out out -q").expect(0);
    let summary = scratch.summary("out");
    assert_eq!(summary["run"]["loss"], "cross-entropy");
    assert_eq!(summary["run"]["parameters"], 26);
    assert_eq!(
        summary["run"]["init"],
        "fc1 xavier-normal, fc2 kaiming-normal:nonlinearity=relu, fc3 default"
    );
}

#[test]
fn what_cannot_be_built_is_refused_before_anything_is_written() {
    let scratch = scratch();
    scratch.file(
        "unknown.toml",
        &CONVOLUTION.replace("stride", "").replace("kernel = 2", "kernel = 2\ncolour = 1"),
    );
    scratch.file("shape.toml", &CONVOLUTION.replace("kernel = 3", "kernel = 9"));
    scratch.file("binary.toml", "");
    std::fs::write(scratch.path().join("binary.toml"), b"name = \"\xff\"").unwrap();
    std::fs::create_dir(scratch.path().join("folder.toml")).unwrap();
    let mut messages = String::new();
    for words in [
        "--model unknown.toml",
        "--model shape.toml",
        "--model binary.toml",
        "--model folder.toml",
        "--model missing.toml",
        "--model net.toml --data moons",
        "--model net.toml --hidden 4",
        "--model net.toml --lrelu-slope 0.2",
        "--model conv --data moons",
        "--model fashion",
    ] {
        let ran = scratch.gradscope(&format!("run --out out {words}")).expect(2);
        assert_eq!(
            (ran.stdout(), ran.stderr().lines().count()),
            (String::new(), 1),
            "{words}: {}",
            ran.stderr()
        );
        messages += &format!("$ gradscope run {words}\n{}\n", ran.stderr());
    }
    assert!(scratch.list("out").is_empty());
    insta::assert_snapshot!(messages);
}
