//! `gradscope run`, as a process: the teaching cases, what is printed, what repeats.

use crate::support::{Scratch, number};
use serde_json::Value;

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
fn networks_with_tiny_weights_vanish_because_of_them_and_are_not_called_dead() {
    let cases = ["--model sigmoid5", "--model relu5", "--model lrelu5", "--model lrelu5 --bias -8"];
    for case in cases {
        for epochs in AFTER {
            let scratch = Scratch::new();
            scratch.gradscope(&format!("run {case} --epochs {epochs} --out out -q")).expect(0);
            let summary = scratch.summary("out");
            assert_eq!(summary["verdict"], "unhealthy", "{case} after {epochs}");
            let roots = roots(&summary);
            assert_eq!(roots.len(), 1, "{case} after {epochs}: {roots:#?}");
            assert_eq!((&roots[0]["rule"], &roots[0]["layer"]), (&"init-scale".into(), &"fc1".into()));
            let vanishing = |f: &&Value| f["family"] == "vanishing" && f["caused_by"] == 0;
            assert!(findings(&summary).iter().any(|f| vanishing(&f)), "{case} after {epochs}");
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

#[test]
fn a_long_run_of_a_vanishing_network_has_one_root_still() {
    let scratch = Scratch::new();
    for model in ["relu5", "lrelu5"] {
        scratch.gradscope(&format!("run --model {model} --epochs 1000 --out out -q")).expect(0);
        let summary = scratch.summary("out");
        let roots = roots(&summary);
        assert_eq!(roots.len(), 1, "{model}: {roots:#?}");
        assert_eq!((&roots[0]["family"], &roots[0]["first_epoch"]), (&"init".into(), &0.into()));
        assert!(families(&summary).contains(&"vanishing"), "{model}");
        // One step an epoch: the step curve is thinned all the same, and so are the captures.
        let record = scratch.read("out/record.jsonl");
        assert!(record.matches("\"kind\":\"step\"").count() < 800);
        assert!(summary["epochs"].as_array().unwrap().len() < 450);
        assert_eq!(summary["epochs"].as_array().unwrap().last().unwrap()["epoch"], 999);
    }
}

#[test]
fn a_layer_that_is_silent_only_in_evaluation_is_not_called_dead() {
    // The running statistics of batch normalisation start at 0 and 1 and lag behind.
    let scratch = Scratch::new();
    for case in ["relu5 --bias -8 --norm batch-pre --epochs 20", "mlp --bias -8 --norm batch-pre --epochs 1"]
    {
        scratch.gradscope(&format!("run --model {case} --out out -q")).expect(0);
        let rules: Vec<_> = findings(&scratch.summary("out")).iter().map(|f| f["rule"].clone()).collect();
        assert!(!rules.contains(&"dead-layer".into()), "{case}: {rules:?}");
    }
}

#[test]
fn broken_runs_have_the_root_that_was_put_in() {
    let mlp = "--model mlp --hidden 8,8 --epochs 6";
    let cases = [
        (format!("{mlp} --init zeros --bias 0"), "symmetric"),
        (format!("{mlp} --optimizer sgd --lr 1e-9"), "stalled"),
        (format!("{mlp} --optimizer sgd --lr 1000000"), "update-high"),
        (format!("{mlp} --optimizer sgd --init normal:0,100000"), "init-scale"),
        (format!("{mlp} --optimizer sgd --init normal:0,1e25"), "non-finite"),
        (format!("{mlp} --bias -100"), "dead-layer"),
        (format!("{mlp} --optimizer sgd --lr 0.0001 --lr-decay exponential:0.01"), "slow"),
    ];
    for (case, expected) in cases {
        let scratch = Scratch::new();
        scratch.gradscope(&format!("run {case} --out out -q")).expect(0);
        let summary = scratch.summary("out");
        let rules: Vec<_> = roots(&summary).iter().map(|r| r["rule"].as_str().unwrap().to_owned()).collect();
        assert_eq!(rules, [expected], "{case}");
        // Every remedy is a command that runs.
        let command: Vec<String> = serde_json::from_value(summary["run"]["command"].clone()).unwrap();
        for remedy in roots(&summary)[0]["remedies"].as_array().unwrap() {
            let flags = remedy["flag"].as_str().unwrap();
            let whole = gradscope::report::command::with_flags(&command, flags).unwrap();
            let words = whole.strip_prefix("gradscope ").unwrap();
            scratch
                .gradscope(&format!("{words} --epochs 1 --out remedy -q").replace("--epochs 6", ""))
                .expect(0);
        }
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
    let headers = ["a", "b"].map(|d| {
        let record = scratch.read(&format!("{d}/record.jsonl"));
        serde_json::from_str::<Value>(record.lines().next().unwrap()).unwrap()["data"].clone()
    });
    assert_eq!(headers[0], headers[1]);
    assert!(number(&headers[0]["input_rms"]) > 0.5);
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

/// util-linux's `script` gives the program a terminal.
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_there_is_a_bar_and_the_verdict_is_wrapped_to_its_width() {
    let scratch = Scratch::new();
    let program = env!("CARGO_BIN_EXE_gradscope");
    let run = format!("stty rows 24 cols 60; {program} run --model relu5 --bias -8 --epochs 300 --out out");
    let ran = std::process::Command::new("script")
        .args(["-qec", &run, "/dev/null"])
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{text}");
    assert!(text.contains("█") && text.contains("epoch") && text.contains("dead-layer at fc1"), "{text}");
    let verdict = &text[text.find("unhealthy").unwrap()..];
    for line in verdict.lines().filter(|l| !l.contains("gradscope") && !l.contains("report:")) {
        let plain = line.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "");
        assert!(plain.trim_end().chars().count() <= 60, "{line}");
    }
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
        "boundary",
        "loss",
        "norms",
        "over-time",
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

/// The summary of a small run with these flags.
fn small(flags: &str) -> Value {
    let scratch = Scratch::new();
    let words = format!("run --model mlp --hidden 6,6 --epochs 2 --batch-size 64 --out out -q {flags}");
    scratch.gradscope(&words).expect(0);
    scratch.summary("out")
}

/// One number of a layer at its last captured epoch.
fn at_end(summary: &Value, layer: usize, path: &str) -> f64 {
    let epochs = summary["layers"][layer]["epochs"].as_array().unwrap();
    number(epochs.last().unwrap().pointer(path).unwrap())
}

#[test]
fn every_flag_of_training_has_its_effect() {
    let plain = small("--optimizer sgd --lr 0.1");
    let names = |s: &Value| {
        let layers = s["layers"].as_array().unwrap().iter();
        layers.map(|l| l["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&plain), "fc1 fc2 fc3");
    assert_eq!(names(&small("--norm batch-pre")), "fc1 bn1 fc2 bn2 fc3");
    assert_eq!(names(&small("--norm batch-post")), "fc1 bn1 fc2 bn2 fc3");
    assert_ne!(small("--norm batch-pre")["layers"], small("--norm batch-post")["layers"]);
    assert_eq!(names(&small("--norm layer")), "fc1 ln1 fc2 ln2 fc3");
    // Everything that changes training changes the weights that it ends with.
    let mut weights = vec![at_end(&plain, 1, "/weight/l2")];
    for flags in [
        "--optimizer sgd --lr 0.2",
        "--optimizer sgd --lr 0.1 --momentum 0.9",
        "--optimizer sgd --lr 0.1 --weight-decay 0.5",
        "--optimizer sgd --lr 0.1 --dropout 0.4",
        "--optimizer sgd --lr 0.1 --clip-norm 0.001",
        "--optimizer sgd --lr 0.1 --batch-size 32",
        "--optimizer sgd --lr 0.1 --seed 1",
        "--optimizer sgd --lr 0.1 --noise 0.4",
        "--optimizer sgd --lr 0.1 --loss cross-entropy",
        "--optimizer sgd --lr 0.1 --standardize",
        "--optimizer adam --lr 0.1",
        "--optimizer adamw --lr 0.1",
        "--optimizer rmsprop --lr 0.1",
    ] {
        let words = flags.replace("--batch-size 32", "");
        let summary = if words == flags {
            small(flags)
        } else {
            let scratch = Scratch::new();
            scratch
                .gradscope(&format!("run --model mlp --hidden 6,6 --epochs 2 --out out -q {flags}"))
                .expect(0);
            scratch.summary("out")
        };
        weights.push(at_end(&summary, 1, "/weight/l2"));
    }
    for activation in ["lrelu", "elu", "gelu", "selu", "silu", "sigmoid", "tanh", "identity"] {
        weights.push(at_end(
            &small(&format!("--optimizer sgd --lr 0.1 --act {activation}")),
            1,
            "/weight/l2",
        ));
    }
    let mut distinct = weights.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    assert_eq!(distinct.len(), weights.len(), "{weights:?}");
}

#[test]
fn updates_are_the_optimizers_and_gradients_are_from_before_clipping() {
    // Plain SGD: the update is the rate times the gradient, layer by layer.
    let plain = small("--optimizer sgd --lr 0.1");
    for layer in 0..3 {
        let (w, g) = (at_end(&plain, layer, "/weight/l2"), at_end(&plain, layer, "/weight_grad/l2"));
        let units = if layer == 2 { 1.0f64 } else { 6.0 };
        let expected = 0.1 * g / w.max(0.1 * units.sqrt());
        let found = at_end(&plain, layer, "/update_ratio");
        assert!((found / expected - 1.0).abs() < 1e-3, "{found} instead of {expected}");
    }
    let clipped = small(
        "--optimizer sgd --lr 0.1 --clip-norm 0.001 --epochs 1 --batch-size full"
            .split(" --epochs")
            .next()
            .unwrap(),
    );
    assert!(number(&clipped["epochs"][1]["grad_l2"]) > 0.01, "the gradient is given as it was");
    for layer in 0..3 {
        let w = at_end(&clipped, layer, "/weight/l2");
        assert!(at_end(&clipped, layer, "/update_ratio") * w <= 0.1 * 0.001 * 1.01, "the update is clipped");
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

#[test]
fn a_column_that_hardly_varies_is_drawn_all_the_same() {
    let scratch = Scratch::new();
    let rows: String = (0..60).map(|i| format!("{},{},{}\n", i % 7, 20_240_000 + i % 5, i % 2)).collect();
    scratch.file("dates.csv", &format!("a,date,y\n{rows}"));
    let rows: String = (0..60).map(|i| format!("{},7,{}\n", i % 7, i % 2)).collect();
    scratch.file("constant.csv", &format!("a,b,y\n{rows}"));
    for name in ["dates", "constant"] {
        let words = format!(
            "run --model mlp --hidden 4 --epochs 1 --data csv:{name}.csv --standardize --out {name} -q"
        );
        scratch.gradscope(&words).expect(0);
        assert!(scratch.list(&format!("{name}/plots")).contains(&"boundary.svg".to_owned()));
    }
}
