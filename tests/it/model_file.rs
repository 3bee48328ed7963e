//! A model of the user's own, in a TOML file: trained, recorded and reported like those of the zoo.

use crate::support::{Scratch, number};
use serde_json::Value;

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
    scratch.file("relu5.toml", include_str!("../../src/train/zoo/relu5.toml"));
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

const RESIDUAL: &str = r#"
name = "shortcuts"
act = "relu"
inputs = [1, 6, 6]

[[layers]]
type = "conv2d"
channels = 4
kernel = 3
padding = 1

[[layers]]
type = "residual"
act = "relu"
shortcut = "projection"

[[layers.layers]]
type = "conv2d"
channels = 8
kernel = 3
padding = 1
stride = 2
norm = "batch-pre"

[[layers.layers]]
type = "conv2d"
channels = 8
kernel = 3
padding = 1

[[layers.layers]]
type = "group-norm"
groups = 2
init = "zeros"

[[layers]]
type = "adaptive-avg-pool2d"
size = 2

[[layers]]
type = "flatten"

[[layers]]
type = "linear"

[defaults]
data = "csv:images.csv"
lr = 0.01
batch-size = "8"
epochs = 8
"#;

/// A recurrent layer that is to remember the first of some steps.
const RECURRENT: &str = r#"
[[layers]]
type = "rnn"
units = 8

[[layers]]
type = "linear"

[defaults]
data = "memory:60"
epochs = 4
"#;

#[test]
fn a_residual_network_learns_and_its_branch_may_begin_as_nothing() {
    let scratch = scratch();
    scratch.file("res.toml", RESIDUAL);
    scratch.gradscope("run --model res.toml --out out -q").expect(0);
    let summary = scratch.summary("out");
    assert!(number(&summary["epochs"][7]["train_score"]) > 0.95, "{}", summary["epochs"][7]);
    assert_eq!(summary["verdict"], "healthy", "{:#}", summary["findings"]);
    let names: Vec<&str> =
        summary["layers"].as_array().unwrap().iter().map(|l| l["name"].as_str().unwrap()).collect();
    let block = ["conv1", "bn1", "conv2", "gn2", "shortcut"].map(|name| format!("block1.{name}"));
    assert_eq!(names[1..6], block);
    // Of the branch's last layer no nonlinearity is its own; of the first one it is.
    let fires = |name: &str| !layer(&summary, name)["epochs"][0]["activation"]["dead_units"].is_null();
    assert!(fires("conv1") && fires("block1.conv1") && !fires("block1.conv2"));
}

#[test]
fn units_that_are_dead_inside_a_branch_are_found_there() {
    let scratch = scratch();
    let dead = RESIDUAL.replace("norm = \"batch-pre\"", "bias = -1000");
    scratch.file("dead.toml", &dead);
    scratch.gradscope("run --model dead.toml --out out -q --epochs 2").expect(0);
    let summary = scratch.summary("out");
    let found = summary["findings"].as_array().unwrap().iter().find(|f| f["rule"] == "dead-layer");
    assert_eq!(found.expect("a dead layer")["layer"], "block1.conv1");
}

#[test]
fn what_a_plain_recurrent_layer_forgets_is_found_and_the_remedy_can_be_pasted() {
    let scratch = Scratch::new();
    scratch.file("rnn.toml", RECURRENT);
    scratch.gradscope("run --model rnn.toml --out out -q").expect(0);
    let summary = scratch.summary("out");
    let root = &summary["findings"][0];
    assert_eq!((&root["rule"], &root["root"]), (&"vanishing-time".into(), &true.into()), "{root:#}");
    assert_eq!(root["layer"], "rnn1.weight_hh_l0");
    assert!(number(&root["value"]) < 1e-8);
    let flag = root["remedies"][0]["flag"].as_str().unwrap();
    assert!(flag.starts_with("--cell gru"), "{flag}");
    scratch.gradscope(&format!("run --model rnn.toml --out cured -q --epochs 1 {flag}")).expect(0);
    assert_eq!(scratch.summary("cured")["layers"][0]["name"], "gru1.weight_ih_l0");
}

#[test]
fn words_are_looked_up_and_those_that_there_are_not_refused() {
    let scratch = Scratch::new();
    let rows: String =
        (0..80).map(|i| format!("{},{},{},{}\n", i % 5, (i / 5) % 5, i % 3, u8::from(i % 5 > 2))).collect();
    scratch.file("words.csv", &format!("a,b,c,y\n{rows}"));
    let text = |words: u64| {
        format!(
            "[[layers]]\ntype = \"embedding\"\nwords = {words}\nunits = 4\n[[layers]]\ntype = \"gru\"\nunits = 6\n\
             [[layers]]\ntype = \"linear\"\n[defaults]\nlr = 0.02\nbatch-size = \"8\"\n"
        )
    };
    scratch.file("five.toml", &text(5));
    scratch.file("four.toml", &text(4));
    scratch.gradscope("run --model five.toml --data csv:words.csv --out out -q").expect(0);
    let summary = scratch.summary("out");
    assert!(number(&summary["epochs"][19]["train_score"]) > 0.95, "{}", summary["epochs"][19]);
    assert_eq!(layer(&summary, "emb1")["parameters"], 20);
    let refused = scratch.gradscope("run --model four.toml --data csv:words.csv --out no -q").expect(2);
    assert!(refused.stderr().contains("from 0 to 3, but the data has 4"), "{}", refused.stderr());
    let scaled = "run --model five.toml --data csv:words.csv --standardize --out no -q";
    scratch.gradscope(scaled).expect(2);
    assert!(scratch.list("no").is_empty());
}

#[test]
fn blocks_and_recurrence_go_on_from_where_they_were_saved() {
    let scratch = scratch();
    scratch.file("res.toml", RESIDUAL);
    scratch.file("rnn.toml", &RECURRENT.replace("rnn", "gru").replace(":60", ":9"));
    for model in ["res", "rnn"] {
        let run = format!("run --model {model}.toml -q --save-model");
        scratch.gradscope(&format!("{run} --epochs 4 --out {model}-whole")).expect(0);
        scratch.gradscope(&format!("{run} --epochs 2 --out {model}-parts")).expect(0);
        scratch.gradscope(&format!("run --resume {model}-parts --epochs 4 -q")).expect(0);
        let of = |part: &str| scratch.summary(&format!("{model}-{part}"));
        assert_eq!(of("whole")["epochs"], of("parts")["epochs"], "{model}");
    }
}
