//! `gradscope run`, as a process: the teaching cases, what is printed, what repeats.
#![cfg(feature = "train")]

mod support;

use serde_json::Value;
use support::{Scratch, number};

fn findings(summary: &Value) -> &Vec<Value> {
    summary["findings"].as_array().unwrap()
}

fn roots(summary: &Value) -> Vec<&Value> {
    findings(summary).iter().filter(|f| f["root"] == true).collect()
}

fn families(summary: &Value) -> Vec<&str> {
    findings(summary).iter().map(|f| f["family"].as_str().unwrap()).collect()
}

/// Epochs at which the teaching cases must be told apart.
const AFTER: [u32; 4] = [1, 2, 5, 20];

#[test]
fn relu5_with_bias_minus_8_has_one_root_fc1_born_dead_because_of_its_bias() {
    for epochs in AFTER {
        let scratch = Scratch::new();
        scratch.gradscope(&format!("run --model relu5 --bias -8 --epochs {epochs} --out out -q")).expect(0);
        let summary = scratch.summary("out");
        assert_eq!(summary["verdict"], "unhealthy");
        let roots = roots(&summary);
        assert_eq!(roots.len(), 1, "after {epochs}: {roots:#?}");
        let root = roots[0];
        assert_eq!((&root["rule"], &root["family"]), (&"dead-layer".into(), &"dead-relu".into()));
        assert_eq!((&root["layer"], &root["first_epoch"]), (&"fc1".into(), &0.into()));
        let message = root["message"].as_str().unwrap();
        assert!(message.contains("born dead") && message.contains("because its bias is -8"), "{message}");
        assert_eq!(root["remedies"][0]["flag"], "--bias 0 --norm batch-pre");
        for finding in findings(&summary).iter().filter(|f| f["root"] == false) {
            assert_eq!(finding["caused_by"], 0, "{finding:#}");
        }
        for layer in summary["layers"].as_array().unwrap() {
            for epoch in layer["epochs"].as_array().unwrap() {
                assert_eq!(number(&epoch["weight_grad"]["l2"]), 0.0, "{}", layer["name"]);
                assert_eq!(epoch["weight_grad"]["zeros"], epoch["weight_grad"]["count"]);
            }
        }
    }
}

#[test]
fn networks_with_tiny_weights_vanish_and_are_not_called_dead() {
    let cases = ["--model sigmoid5", "--model relu5", "--model lrelu5", "--model lrelu5 --bias -8"];
    for case in cases {
        for epochs in AFTER {
            let scratch = Scratch::new();
            scratch.gradscope(&format!("run {case} --epochs {epochs} --out out -q")).expect(0);
            let summary = scratch.summary("out");
            assert_eq!(summary["verdict"], "unhealthy", "{case} after {epochs}");
            let roots = roots(&summary);
            assert!(
                !roots.is_empty() && roots.iter().all(|r| r["family"] == "vanishing"),
                "{case}: {roots:#?}"
            );
            assert!(!families(&summary).contains(&"dead-relu"), "{case} after {epochs}");
        }
    }
}

#[test]
fn a_well_initialised_network_learns_and_is_called_healthy() {
    let scratch = Scratch::new();
    let words = "run --model mlp --hidden 16,16 --act relu --init kaiming-normal --bias 0 --optimizer adam \
                 --lr 0.01 --batch-size 64 --data moons --epochs 60 --fail-on any --out out";
    for seed in 0..4 {
        scratch.gradscope(&format!("{words} --seed {seed}")).expect(0);
        let summary = scratch.summary("out");
        assert_eq!(summary["verdict"], "healthy", "seed {seed}");
        assert!(findings(&summary).iter().all(|f| f["severity"] == "info"), "seed {seed}");
        let last = &summary["epochs"][59];
        assert!(
            number(&last["train_score"]) > 0.95 && number(&last["dev_score"]) > 0.95,
            "seed {seed}: {last}"
        );
        assert!(number(&summary["test"]["score"]) > 0.95, "seed {seed}");
    }
}

/// A summary without what may differ between equal runs.
fn timeless(mut summary: Value) -> Value {
    for key in ["wall_s", "capture_overhead"] {
        assert!(summary["run"].as_object_mut().unwrap().remove(key).is_some(), "{key}");
    }
    summary
}

#[test]
fn the_same_command_gives_the_same_summary_and_another_seed_does_not() {
    let scratch = Scratch::new();
    let words = "run --model mlp --hidden 8 --dropout 0.2 --batch-size 50 --epochs 3 --threads 1 -q";
    scratch.gradscope(&format!("{words} --seed 5 --out a")).expect(0);
    scratch.gradscope(&format!("{words} --seed 5 --out b")).expect(0);
    scratch.gradscope(&format!("{words} --seed 6 --out c")).expect(0);
    let [a, b, c] = ["a", "b", "c"].map(|d| timeless(scratch.summary(d)));
    assert_eq!(a, b);
    assert_ne!(a["layers"], c["layers"]);
    assert_ne!(a["epochs"], c["epochs"]);
}

#[test]
fn another_initialiser_does_not_shift_the_data() {
    let scratch = Scratch::new();
    for (out, init) in [("a", "default"), ("b", "orthogonal")] {
        scratch.gradscope(&format!("run --model relu5 --init {init} --epochs 1 --out {out} -q")).expect(0);
    }
    let [a, b] = ["a", "b"].map(|d| scratch.summary(d));
    assert_eq!(a["run"]["chance_loss"], b["run"]["chance_loss"]);
    assert_ne!(a["layers"], b["layers"]);
}

#[test]
fn fail_on_decides_the_exit_status() {
    let scratch = Scratch::new();
    let dead = "run --model relu5 --bias -8 --epochs 1 -q --out dead";
    for (what, status) in [
        ("dead-relu", 1),
        ("dead-layer", 1),
        ("error", 1),
        ("warning", 1),
        ("any", 1),
        ("exploding", 0),
        ("symmetric,dead-relu", 1),
    ] {
        scratch.gradscope(&format!("{dead} --fail-on {what}")).expect(status);
    }
    scratch.gradscope(dead).expect(0);
    scratch.gradscope(&format!("{dead} --fail-on any --off dead-layer --fail-on-nothing")).expect(2);
    scratch.gradscope("run --model sigmoid5 --epochs 1 -q --out v --fail-on vanishing").expect(1);
    scratch.gradscope("run --model sigmoid5 --epochs 1 -q --out v --fail-on dead-relu").expect(0);
}

#[test]
fn progress_is_one_plain_line_an_epoch_and_the_verdict_is_on_standard_output() {
    let scratch = Scratch::new();
    let ran = scratch.gradscope("run --model relu5 --bias -8 --epochs 3 --out out").expect(0);
    let lines: Vec<String> = ran.stderr().lines().map(String::from).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[1].starts_with("epoch 2/3 ")
            && lines[1].contains("loss")
            && lines[1].contains("dead-layer at fc1")
    );
    let verdict = ran.stdout();
    insta::assert_snapshot!(verdict);
    assert!(!verdict.contains('\x1b'));
    let quiet = scratch.gradscope("run --model relu5 --bias -8 --epochs 3 --out out -q").expect(0);
    assert_eq!(quiet.stderr(), "");
    assert!(verdict.starts_with(&quiet.stdout()));
    let colour =
        scratch.gradscope("run --model relu5 --bias -8 --epochs 3 --out out -q --color always").expect(0);
    assert!(colour.stdout().contains('\x1b'));
}

#[test]
fn json_prints_the_summary_that_is_in_the_file() {
    let scratch = Scratch::new();
    let ran = scratch.gradscope("run --model tanh5 --epochs 2 --out out --json").expect(0);
    assert_eq!(ran.stdout(), scratch.read("out/summary.json"));
}

#[test]
fn the_report_directory_holds_what_the_contract_names() {
    let scratch = Scratch::new();
    scratch.gradscope("run --model relu5 --epochs 2 --out out -q").expect(0);
    assert_eq!(scratch.list("out"), ["plots", "record.jsonl", "report.html", "summary.json"]);
    let plots = scratch.list("out/plots");
    let mut expected: Vec<String> = [
        "accuracy",
        "loss",
        "norms",
        "violin-activations",
        "violin-gradients",
        "violin-gradients-log",
        "violin-weights",
    ]
    .map(|n| format!("{n}.svg"))
    .to_vec();
    for layer in 1..=5 {
        expected.extend(["gradients", "weights"].map(|what| format!("histogram-fc{layer}-{what}.svg")));
    }
    expected.sort();
    assert_eq!(plots, expected);
}

#[test]
fn a_csv_is_trained_on_for_regression_and_for_three_classes() {
    let scratch = Scratch::new();
    let mut regression = String::from("a,b,y\n");
    let mut classes = String::from("a,kind,b\n");
    for i in 0..120 {
        let (a, b) = (f64::from(i % 12) / 6.0 - 1.0, f64::from(i % 7) / 3.0 - 1.0);
        regression += &format!("{a},{b},{}\n", 2.0 * a - b + 0.5);
        classes += &format!(
            "{a},{},{b}\n",
            if a > 0.3 {
                "high"
            } else if a < -0.3 {
                "low"
            } else {
                "mid"
            }
        );
    }
    scratch.file("r.csv", &regression);
    scratch.file("c.csv", &classes);
    let mlp =
        "run --model mlp --hidden 16 --optimizer adam --lr 0.02 --batch-size 16 --epochs 40 -q --standardize";
    scratch.gradscope(&format!("{mlp} --data csv:r.csv --out r")).expect(0);
    let summary = scratch.summary("r");
    assert_eq!((&summary["run"]["task"], &summary["run"]["loss"]), (&"regression".into(), &"mse".into()));
    assert!(number(&summary["test"]["score"]) > -0.01, "{}", summary["test"]);
    scratch.gradscope(&format!("{mlp} --data csv:c.csv --target kind --out c")).expect(0);
    let summary = scratch.summary("c");
    assert_eq!(summary["run"]["loss"], "cross-entropy");
    assert!(number(&summary["test"]["score"]) > 0.9, "{}", summary["test"]);
}

#[test]
fn a_run_that_breaks_names_the_first_bad_number() {
    let scratch = Scratch::new();
    let words =
        "run --model mlp --hidden 8 --optimizer sgd --init normal:0,1e25 --epochs 3 --loss bce --out out -q";
    scratch.gradscope(&format!("{words} --fail-on non-finite")).expect(1);
    let summary = scratch.summary("out");
    assert_eq!(roots(&summary)[0]["rule"], "non-finite", "{:#}", summary["findings"]);
}

#[test]
fn every_norm_optimizer_and_activation_trains() {
    let scratch = Scratch::new();
    let mlp = "run --model mlp --hidden 6,6 --epochs 2 --out out -q";
    for norm in ["batch-pre", "batch-post", "layer"] {
        scratch.gradscope(&format!("{mlp} --norm {norm} --dropout 0.1")).expect(0);
    }
    for optimizer in ["sgd --momentum 0.9", "adam", "adamw --weight-decay 0.01", "rmsprop"] {
        scratch.gradscope(&format!("{mlp} --optimizer {optimizer} --clip-norm 1")).expect(0);
    }
    for act in ["relu", "lrelu", "elu", "gelu", "selu", "silu", "sigmoid", "tanh", "identity"] {
        scratch.gradscope(&format!("{mlp} --act {act} --capture-every 7")).expect(0);
    }
}

#[test]
fn the_learning_rate_of_every_epoch_is_the_one_that_was_used() {
    let scratch = Scratch::new();
    let words = "run --model relu5 --init normal:0,1 --epochs 4 --lr 0.5 -q";
    scratch.gradscope(&format!("{words} --out constant")).expect(0);
    scratch.gradscope(&format!("{words} --out step --lr-decay step:2,0.1")).expect(0);
    let [constant, step] = ["constant", "step"].map(|d| scratch.summary(d));
    let rates =
        |s: &Value| s["epochs"].as_array().unwrap().iter().map(|e| number(&e["lr"])).collect::<Vec<_>>();
    assert_eq!(rates(&constant), [0.5; 4]);
    assert_eq!(rates(&step), [0.5, 0.5, 0.05, 0.05]);
    assert_eq!((&step["run"]["lr_decay"], &step["run"]["lr"]), (&"step:2,0.1".into(), &0.5.into()));
    assert!(constant["run"].get("lr_decay").is_none());
    // One full batch an epoch: the same up to the third, whose update is a tenth.
    let update = |s: &Value, e: usize| number(&s["layers"][4]["epochs"][e]["update_ratio"]);
    assert_eq!(constant["epochs"][2]["grad_l2"], step["epochs"][2]["grad_l2"]);
    assert!((update(&constant, 2) / update(&step, 2) - 10.0).abs() < 1e-3);
}

#[test]
fn clipped_values_bound_the_update_and_not_what_is_recorded() {
    let scratch = Scratch::new();
    let words = "run --model relu5 --init normal:0,1 --epochs 1 --lr 1 -q";
    scratch.gradscope(&format!("{words} --out free")).expect(0);
    scratch.gradscope(&format!("{words} --out clipped --clip-value 0.001")).expect(0);
    let [free, clipped] = ["free", "clipped"].map(|d| scratch.summary(d));
    assert_eq!(free["epochs"][0]["grad_l2"], clipped["epochs"][0]["grad_l2"]);
    assert_eq!(clipped["run"]["clip_value"], 0.001);
    let update = |s: &Value| number(&s["layers"][4]["epochs"][0]["update_ratio"]);
    assert!(update(&clipped) < 0.1 * update(&free), "{} {}", update(&clipped), update(&free));
}
