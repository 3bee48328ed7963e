//! `gradscope compare`: the same data and seed under several variants, side by side.

use crate::support::{Scratch, number};
use serde_json::Value;

fn comparison(scratch: &Scratch, directory: &str) -> Value {
    serde_json::from_str(&scratch.read(&format!("{directory}/compare.json"))).expect("valid JSON")
}

/// The text of the page without its pictures and markup.
fn text_of(page: &str) -> String {
    let body = page.split_once("<body>").expect("a body").1;
    let mut text = String::new();
    let mut rest = body;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        let end = match after {
            picture if picture.starts_with("svg") => "</svg>",
            script if script.starts_with("script") => "</script>",
            _ => ">",
        };
        rest = after.split_once(end).map_or("", |(_, after)| after);
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

const THREE: &str = "compare --model mlp --hidden 8 --epochs 4 --samples 200 --seed 1 --vary init=zeros;kaiming-normal;normal:0,0.01 --bias 0";

#[test]
fn every_variant_is_the_run_that_its_command_gives() {
    let scratch = Scratch::new();
    scratch.gradscope(&format!("{THREE} --out c --quiet")).expect(0);
    let all = comparison(&scratch, "c");
    assert_eq!(all["schema"], "gradscope.compare/1");
    assert_eq!(scratch.list("c"), ["compare.json", "plots", "report.html", "variants"]);
    for variant in all["variants"].as_array().unwrap() {
        let words: Vec<&str> =
            variant["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        let directory = variant["directory"].as_str().unwrap();
        scratch.gradscope_words(&[&words[1..], &["--out", "alone", "--force", "--quiet"]].concat()).expect(0);
        let (alone, compared) = (scratch.summary("alone"), scratch.summary(&format!("c/{directory}")));
        for part in ["findings", "layers", "epochs", "test", "headline"] {
            assert_eq!(alone[part], compared[part], "{part} of {words:?}");
        }
        assert_eq!(alone["run"]["command"], compared["run"]["command"]);
        assert_eq!(variant["verdict"], compared["verdict"]);
        assert_eq!(variant["test"], compared["test"]);
        let last = compared["epochs"].as_array().unwrap().last().unwrap();
        assert_eq!(variant["train_loss"], last["train_loss"]);
        assert_eq!(variant["dev_score"], last["dev_score"]);
    }
}

#[test]
fn the_verdict_table_and_page_say_which_learned_best_and_why() {
    let scratch = Scratch::new();
    let ran = scratch.gradscope(&format!("{THREE} --out c --quiet")).expect(0);
    insta::assert_snapshot!("the_terminal", ran.stdout());
    let page = scratch.read("c/report.html");
    insta::assert_snapshot!("the_page", text_of(&page));
    for name in ["zeros", "kaiming-normal", "normal-0,0.01"] {
        assert!(page.contains(&format!("href=\"variants/{name}/report.html\"")), "{name}");
        assert!(scratch.list(&format!("c/variants/{name}")).contains(&"report.html".to_owned()));
        assert!(scratch.list("c/plots").contains(&format!("violin-weights-{name}.svg")));
    }
    let stored: Value = comparison(&scratch, "c");
    let printed: Value = serde_json::from_str(
        &scratch.gradscope(&format!("{THREE} --out d --quiet --json")).expect(0).stdout(),
    )
    .expect("valid JSON");
    assert_eq!(stored["sentence"], printed["sentence"]);
    assert_eq!(stored["best"], printed["best"]);
}

/// The vertical places of an axis' labels in a picture.
fn axis(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    let group = document.descendants().find(|n| n.attribute("class") == Some("gs-axis")).expect("an axis");
    let texts = group.descendants().filter(|n| n.has_tag_name("text"));
    texts.map(|n| format!("{} at {}", n.text().unwrap_or(""), n.attribute("y").unwrap_or(""))).collect()
}

#[test]
fn violins_share_an_axis_and_curves_a_chart() {
    let scratch = Scratch::new();
    scratch.gradscope(&format!("{THREE} --out c --quiet --plot-batches 10")).expect(0);
    let plots = scratch.list("c/plots");
    for kind in ["violin-gradients", "violin-weights", "violin-activations"] {
        let of_kind: Vec<&String> = plots.iter().filter(|p| p.starts_with(kind)).collect();
        assert_eq!(of_kind.len(), 3, "{kind}: {plots:?}");
        let axes: Vec<_> = of_kind.iter().map(|p| axis(&scratch.read(&format!("c/plots/{p}")))).collect();
        assert!(axes.windows(2).all(|w| w[0] == w[1]), "{kind}: {axes:?}");
    }
    for curves in ["loss", "accuracy", "norms", "first-batches"] {
        let svg = scratch.read(&format!("c/plots/{curves}.svg"));
        for label in ["zeros", "kaiming-normal", "normal:0,0.01"] {
            assert!(svg.contains(&format!("<title>{label}: ")), "{label} in {curves}");
        }
    }
    // The first ten batches, no more.
    let page = scratch.read("c/report.html");
    assert!(page.contains("Loss of the first 10 batches") && page.contains("(10 rows)"));
}

#[test]
fn the_sentence_holds_against_the_numbers() {
    let scratch = Scratch::new();
    let command = "compare --model mlp --hidden 16 --epochs 15 --variant";
    let words: Vec<&str> = command.split(' ').collect();
    let words =
        [&words[..], &["good: --lr 0.01", "--variant", "slow: --lr 0.00001", "--out", "c", "-q"]].concat();
    scratch.gradscope_words(&words).expect(0);
    let all = comparison(&scratch, "c");
    assert_eq!(all["best"], "good");
    assert_eq!(all["decided_on"], "test");
    let [good, slow] = [0, 1].map(|i| number(&all["variants"][i]["test"]["score"]));
    assert!(good > slow + 0.1, "{good} {slow}");
    let sentence = all["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("good learned best (accuracy "), "{sentence}");
}

#[test]
fn a_score_is_said_to_be_of_the_epoch_that_it_is_of() {
    let scratch = Scratch::new();
    let words =
        ["compare", "--model", "mlp", "--hidden", "6", "--batch-size", "64", "--seed", "3", "--epochs", "12"];
    let variants = ["--variant", "shaky: --lr 0.3", "--variant", "slow: --lr 1e-6", "--out", "c", "-q"];
    scratch.gradscope_words(&[&words[..], &variants].concat()).expect(0);
    let all = comparison(&scratch, "c");
    let best = all["variants"][0]["test"]["epoch"].as_u64().unwrap();
    assert!(best < 11, "the last epoch is the best: nothing is shown");
    let sentence = all["sentence"].as_str().unwrap();
    assert!(sentence.contains(&format!("with the parameters of epoch {best}, of 12 epochs")), "{sentence}");
}

#[test]
fn what_was_not_trained_is_named_and_the_directory_stays_ours() {
    let scratch = Scratch::new();
    let words =
        ["compare", "--model", "moons1", "--vary", "lr=1;2;3", "--epochs", "100000", "--out", "c", "-q"];
    let mut child = scratch.command().args(words).spawn().unwrap();
    let first = scratch.path().join("c/variants/lr=1/record.jsonl");
    while std::fs::metadata(&first).map_or(0, |m| m.len()) < 20_000 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let all = comparison(&scratch, "c");
    assert_eq!(all["variants"].as_array().unwrap().len(), 1);
    assert_eq!(all["missing"], serde_json::json!(["lr=2", "lr=3"]));
    let page = text_of(&scratch.read("c/report.html"));
    assert!(
        page.contains("Ended early: lr=1 was stopped after") && page.contains("lr=2, lr=3 were not trained")
    );
    // The next comparison may take its place.
    scratch.gradscope("compare --model moons1 --vary lr=1;2 --epochs 2 --out c -q").expect(0);
    assert!(comparison(&scratch, "c").get("missing").is_none());
}

#[test]
fn a_switch_that_is_off_is_off_even_where_all_others_have_it() {
    let scratch = Scratch::new();
    let rows: String = (0..60).map(|i| format!("{},{}\n", i * 1000, i % 2)).collect();
    scratch.file("far.csv", &format!("x,y\n{rows}"));
    scratch.gradscope("compare --model mlp --data csv:far.csv --epochs 2 --standardize --vary standardize=on;off --out c -q").expect(0);
    let commands: Vec<String> = comparison(&scratch, "c")["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["command"].to_string())
        .collect();
    assert!(commands[0].contains("--standardize") && !commands[1].contains("--standardize"), "{commands:?}");
}

#[test]
fn a_gate_looks_at_every_variant() {
    let scratch = Scratch::new();
    let command = "compare --model relu5 --epochs 2 --vary bias=1;-8 --quiet";
    scratch.gradscope(&format!("{command} --fail-on dead-relu --out a")).expect(1);
    scratch.gradscope(&format!("{command} --fail-on symmetric --out b")).expect(0);
}

#[test]
fn bad_variants_are_refused_before_anything_is_written() {
    let scratch = Scratch::new();
    let refuse = |words: &[&str]| {
        let words = [&["compare", "--out", "c"], words].concat();
        let ran = scratch.gradscope_words(&words).expect(2);
        assert!(scratch.list("c").is_empty(), "{words:?}");
        ran.stderr()
    };
    let refused = [
        refuse(&["--model", "relu5"]),
        refuse(&["--model", "relu5", "--variant", "alone: --bias 0"]),
        refuse(&["--model", "relu5", "--vary", "bias=0;1", "--variant", "a:"])
            .lines()
            .next()
            .unwrap()
            .to_owned()
            + "\n",
        refuse(&["--model", "relu5", "--vary", "bais=0;1"]),
        refuse(&["--model", "relu5", "--vary", "init=default;xavier-unifrom"]),
        refuse(&["--vary", "model=relu5;sigmoid4"]),
        refuse(&["--vary", "model=relu5;nothing"]),
        refuse(&["--model", "relu5", "--vary", "seed=0;1"]),
        refuse(&["--model", "relu5", "--vary", "samples=100;200"]),
        refuse(&["--model", "relu5", "--variant", "a:", "--variant", "b: --epochs none"]),
        refuse(&["--model", "relu5", "--variant", "a:", "--variant", "a: --bias 0"]),
        refuse(&["--vary", "lr=1;2"]),
        refuse(&["--model", "relu5", "--batch-size", "1", "--vary", "norm=none;batch-pre"]),
        refuse(&[
            "--model",
            "relu5",
            "--split",
            "0.8,0,0.2",
            "--variant",
            "a:",
            "--variant",
            "b: --patience 2",
        ]),
        refuse(&["--model", "relu5", "--data", "csv:nowhere.csv", "--vary", "bias=0;1"]),
        refuse(&["--model", "mlp", "--momentum", "0.9", "--vary", "optimizer=sgd;adam"]),
        refuse(&["--model", "relu5", "--vary", "bias=0;1", "--plot-batches", "0"])
            .lines()
            .next()
            .unwrap()
            .to_owned()
            + "\n",
    ];
    insta::assert_snapshot!("refused", refused.concat());
}
