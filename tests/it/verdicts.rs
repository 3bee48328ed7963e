//! Verdicts of real runs that are labelled by construction: a fault that was put in is the one root, and
//! a healthy run has nothing above info.

use crate::support::Scratch;
use serde_json::Value;

const SEEDS: u64 = 2;
const SMALL: &str = "mlp --hidden 16,16 --epochs 12 --batch-size 64";
const DEEP: &str = "mlp --hidden 16,16,16,16,16,16,16,16 --epochs 12 --batch-size 64";

/// Runs of one kind.
struct Kind {
    network: &'static str,
    flags: &'static str,
    /// The root that was put in, with its layer; none where the kind is healthy.
    root: Option<(&'static str, Option<&'static str>)>,
}

const fn fault(
    network: &'static str,
    flags: &'static str,
    rule: &'static str,
    layer: Option<&'static str>,
) -> Kind {
    Kind { network, flags, root: Some((rule, layer)) }
}

const fn healthy(network: &'static str, flags: &'static str) -> Kind {
    Kind { network, flags, root: None }
}

/// Tables of two inputs: a ring to tell from its centre, and a polynomial, on other scales.
fn tables(scratch: &Scratch) {
    let mut state = 7u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    };
    let rows: Vec<(f64, f64)> = (0..400).map(|_| (2.0 * uniform(), 2.0 * uniform())).collect();
    let classes = |scale: f64| {
        let row = |(a, b): &(f64, f64)| {
            let class = if a * a + b * b < 2.5 { "in" } else { "out" };
            format!("{},{},{class}\n", a * scale, b * scale)
        };
        "a,b,y\n".to_owned() + &rows.iter().map(row).collect::<String>()
    };
    let numbers = |scale: f64, offset: f64| {
        let row = |(a, b): &(f64, f64)| format!("{a},{b},{}\n", scale * (2.0 * a - b + a * b) + offset);
        "a,b,y\n".to_owned() + &rows.iter().map(row).collect::<String>()
    };
    scratch.file("tiny.csv", &classes(1e-3));
    scratch.file("huge.csv", &classes(1e4));
    scratch.file("plain.csv", &classes(1.0));
    scratch.file("far.csv", &numbers(1.0, 500.0));
    scratch.file("wide.csv", &numbers(1000.0, 0.0));
    let frozen = "[[layers]]\ntype = \"linear\"\nunits = 16\nact = \"relu\"\n";
    let rest = "[[layers]]\ntype = \"linear\"\nunits = 16\nact = \"relu\"\n\n[[layers]]\ntype = \"linear\"\n";
    scratch.file("frozen.toml", &format!("{frozen}trainable = false\n\n{rest}"));
}

/// Rule, layer and severity of what the verdict of a run rests on.
fn verdict(scratch: &Scratch, words: &str) -> Vec<(String, Option<String>, String)> {
    scratch.gradscope(&format!("run --model {words} --out out --force -q")).expect(0);
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let summary = scratch.summary("out");
    let findings = summary["findings"].as_array().unwrap();
    // A verdict rests on roots; nothing else may be above info without one.
    let told = findings.iter().filter(|f| f["root"] == true || f["severity"] != "info");
    let roots: Vec<&Value> = told.clone().filter(|f| f["root"] == true).collect();
    assert!(!roots.is_empty() || told.count() == 0, "{words}: {findings:#?}");
    let root =
        |f: &&Value| (text(&f["rule"]).unwrap(), text(&f["layer"]), text(&f["severity"]).unwrap_or_default());
    roots.iter().map(root).collect()
}

fn check(kinds: &[Kind]) {
    let scratch = Scratch::new();
    tables(&scratch);
    let idx = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/idx");
    let mut wrong = String::new();
    for Kind { network, flags, root } in kinds {
        for seed in 0..SEEDS {
            let words = format!("{network} {flags} --seed {seed}").replace("IDX", idx);
            let roots = verdict(&scratch, &words);
            let as_labelled = match (root, roots.as_slice()) {
                (None, []) => true,
                (Some((rule, layer)), [(found, at, _)]) => {
                    found == rule && layer.is_none_or(|l| at.as_deref() == Some(l))
                }
                _ => false,
            };
            if !as_labelled {
                wrong += &format!("{words}: {root:?} was put in, {roots:?} found\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn faults_of_data_and_initial_weights_are_named() {
    check(&[
        fault(SMALL, "--data csv:tiny.csv --optimizer sgd --lr 0.1", "input-scale", None),
        fault(SMALL, "--data csv:huge.csv --optimizer sgd --lr 0.1", "input-scale", None),
        fault(SMALL, "--data csv:wide.csv --optimizer sgd --lr 0.01", "target-scale", None),
        fault(SMALL, "--data polynomial:w=2000,-1000 --optimizer adam --lr 0.001", "target-scale", None),
        fault(SMALL, "--init zeros --bias 0 --optimizer sgd --lr 0.1", "symmetric", Some("fc1")),
        fault(DEEP, "--init normal:0,0.001 --optimizer sgd --lr 0.05", "init-scale", Some("fc1")),
        fault(DEEP, "--init normal:0,0.001 --optimizer adam --lr 0.01", "init-scale", Some("fc1")),
        fault(DEEP, "--init normal:0,5 --optimizer sgd --lr 0.05", "init-scale", None),
        fault(DEEP, "--act sigmoid --optimizer sgd --lr 0.1", "vanishing-depth", Some("fc1")),
        fault(SMALL, "--bias -20 --optimizer sgd --lr 0.1", "dead-layer", Some("fc1")),
        fault(SMALL, "--bias 20 --act sigmoid --optimizer sgd --lr 0.1", "saturated", Some("fc1")),
        fault(SMALL, "--bias 20 --act tanh --optimizer sgd --lr 0.1", "saturated", Some("fc1")),
    ]);
}

#[test]
fn faults_of_training_are_named() {
    check(&[
        fault(SMALL, "--optimizer sgd --lr 0.1 --weight-decay 1", "decay-dominated", None),
        fault(DEEP, "--optimizer sgd --lr 0.05 --weight-decay 1", "decay-dominated", None),
        fault(SMALL, "--optimizer adamw --lr 0.01 --weight-decay 20", "decay-dominated", None),
        fault(SMALL, "--optimizer sgd --lr 0.1 --clip-norm 1e-6", "clip-dominated", None),
        fault(SMALL, "--optimizer sgd --lr 0.1 --clip-value 1e-7", "clip-dominated", None),
        fault(SMALL, "--optimizer sgd --lr 1e-4", "slow", None),
        fault(SMALL, "--optimizer adam --lr 1e-6", "slow", None),
        fault(SMALL, "--optimizer sgd --lr 1e-6", "stalled", None),
        fault(SMALL, "--optimizer sgd --lr 50", "update-high", None),
        fault(SMALL, "--optimizer sgd --lr 10000", "update-high", None),
    ]);
}

#[test]
fn the_teaching_networks_are_judged_alike_however_long_they_train() {
    let scratch = Scratch::new();
    let vanishing = ["init-scale", "vanishing-depth", "vanishing-all"];
    for epochs in [1, 2, 5, 20] {
        let root = |flags: &str| verdict(&scratch, &format!("{flags} --epochs {epochs}"));
        let dead = root("relu5 --bias -8");
        assert_eq!(dead, [("dead-layer".into(), Some("fc1".into()), "error".into())], "{epochs} epochs");
        for flags in ["sigmoid5", "relu5", "lrelu5", "lrelu5 --bias -8"] {
            let roots = root(flags);
            let [(rule, layer, severity)] = roots.as_slice() else { panic!("{flags} {epochs}: {roots:?}") };
            assert!(vanishing.contains(&rule.as_str()), "{flags} {epochs}: {rule}");
            assert_eq!((layer.as_deref(), severity.as_str()), (Some("fc1"), "error"), "{flags} {epochs}");
            let summary = scratch.summary("out");
            let is =
                |family: &str| summary["findings"].as_array().unwrap().iter().any(|f| f["family"] == family);
            assert!(is("vanishing") && !is("dead-relu"), "{flags} {epochs}");
        }
    }
}

#[test]
fn two_independent_faults_are_two_roots() {
    let scratch = Scratch::new();
    tables(&scratch);
    for (flags, expected) in [
        (
            format!("{DEEP} --init normal:0,0.001 --optimizer sgd --clip-norm 1e-7"),
            ["clip-dominated", "init-scale"],
        ),
        (format!("{SMALL} --bias -20 --data csv:wide.csv --optimizer sgd"), ["target-scale", "dead-layer"]),
    ] {
        let roots = verdict(&scratch, &flags);
        let rules: Vec<&str> = roots.iter().map(|r| r.0.as_str()).collect();
        assert_eq!(rules, expected, "{flags}");
    }
}

#[test]
fn networks_that_learn_are_left_alone() {
    let adam = "--optimizer adam --lr 0.01";
    let act = |act: &str| -> &'static str { format!("--act {act} {adam}").leak() };
    check(&[
        healthy(SMALL, act("relu")),
        healthy(SMALL, act("tanh")),
        healthy(SMALL, act("gelu")),
        healthy(SMALL, act("sigmoid")),
        healthy(SMALL, "--optimizer sgd --lr 0.3"),
        healthy(SMALL, "--optimizer sgd --lr 0.1 --momentum 0.9"),
        healthy(SMALL, "--optimizer sgd --lr 0.3 --weight-decay 1e-3"),
        healthy("mlp --hidden 32,32 --epochs 25 --batch-size 64", "--dropout 0.5 --optimizer adam --lr 0.01"),
        healthy(DEEP, "--norm batch-pre --optimizer adam --lr 0.01"),
        healthy(DEEP, "--norm layer --optimizer adam --lr 0.01"),
        healthy(
            "mlp --hidden 16,16,16,16,16,16,16,16,16,16,16,16,16,16,16,16,16,16,16,16 --epochs 8 --batch-size 64",
            "--norm batch-pre --optimizer adam --lr 0.01",
        ),
        healthy("conv --epochs 6", "--data idx:IDX"),
        healthy("fashion --epochs 6", "--data idx:IDX"),
    ]);
}

#[test]
fn what_looks_like_a_fault_and_is_none_is_left_alone() {
    check(&[
        healthy("mlp --hidden 16,16 --epochs 120 --batch-size 128", "--optimizer adam --lr 0.02"),
        healthy(
            "mlp --hidden 16,16 --epochs 25 --batch-size 64",
            "--lr-decay cosine --optimizer adam --lr 0.01",
        ),
        healthy(SMALL, "--clip-norm 1 --optimizer sgd --lr 0.3"),
        healthy(SMALL, "--clip-norm 0.0001 --optimizer adam --lr 0.01"),
        healthy(SMALL, "--data polynomial --noise 5 --optimizer adam --lr 0.01"),
        healthy("frozen.toml --epochs 12", "--data moons --optimizer adam --lr 0.01"),
        healthy("moons1 --epochs 20", "--lr 5"),
        healthy("sigmoid2 --epochs 20", ""),
        healthy("tanh3 --epochs 20", ""),
        healthy("relu3 --epochs 20", ""),
        healthy(SMALL, "--data csv:huge.csv --standardize --optimizer adam --lr 0.01"),
    ]);
}
