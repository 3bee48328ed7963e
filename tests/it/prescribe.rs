//! `gradscope prescribe`: nothing is claimed that was not run.

use crate::support::{Scratch, number};
use serde_json::Value;

fn prescribed(scratch: &Scratch, words: &str) -> Value {
    let ran = scratch.gradscope(&format!("prescribe {words} --json --quiet")).expect(0);
    serde_json::from_str(&ran.stdout()).expect("valid JSON")
}

fn words(command: &Value) -> Vec<&str> {
    command.as_array().expect("a command").iter().map(|w| w.as_str().unwrap()).collect()
}

fn last_loss(summary: &Value) -> f64 {
    number(&summary["epochs"].as_array().unwrap().last().unwrap()["train_loss"])
}

#[test]
fn what_is_prescribed_does_what_is_said_with_both_seeds() {
    let scratch = Scratch::new();
    let said = prescribed(&scratch, "--model relu5 --bias -8 --epochs 60 --out p");
    let prescription = &said["prescription"];
    assert_eq!(prescription["outcome"], "works");
    assert_eq!(said["best"], prescription["flags"]);
    let command = words(&prescription["command"]);
    let other = prescription["confirmed_with_seed"].to_string();
    let run = |more: &[&str], out: &str| {
        let all = [&command[1..], more, &["--out", out, "--quiet"]].concat();
        scratch.gradscope_words(&all).expect(0);
        scratch.summary(out)
    };
    let (own, confirmed) = (run(&[], "own"), run(&["--seed", &other], "other"));
    let best = said["variants"].as_array().unwrap().iter().find(|v| v["label"] == said["best"]).unwrap();
    assert_eq!(last_loss(&own), number(&best["train_loss"]));
    assert_eq!(last_loss(&confirmed), number(&prescription["confirmed_loss_after"]));
    for summary in [&own, &confirmed] {
        assert!(summary["findings"].as_array().unwrap().iter().all(|f| f["rule"] != "dead-layer"));
    }
    assert!(number(&prescription["confirmed_loss_after"]) < number(&prescription["confirmed_loss_before"]));
    // Before and after, beside each other.
    let page = scratch.read("p/report.html");
    assert!(page.contains(&command.join(" ")) && page.contains("variants/as-it-is/report.html"));
    assert!(
        scratch
            .list("p/plots")
            .iter()
            .any(|p| p.starts_with("violin-gradients") && p.ends_with("as-it-is.svg"))
    );
}

#[test]
fn a_record_is_as_good_as_the_flags_that_made_it() {
    let scratch = Scratch::new();
    scratch
        .gradscope("run --model mlp --hidden 8 --init zeros --bias 0 --epochs 4 --out r --quiet")
        .expect(0);
    let from_record = prescribed(&scratch, "r --out a");
    let from_flags = prescribed(&scratch, "--model mlp --hidden 8 --init zeros --bias 0 --epochs 4 --out b");
    assert_eq!(from_record["sentence"], from_flags["sentence"]);
    assert_eq!(from_record["prescription"], from_flags["prescription"]);
}

#[test]
fn the_budget_bounds_the_runs_and_what_is_not_confirmed_is_said() {
    let scratch = Scratch::new();
    let tight = "--model relu5 --bias -8 --epochs 60 --budget 3";
    let said = prescribed(&scratch, &format!("{tight} --out p"));
    // The run as it is, one remedy, and two to confirm it.
    assert_eq!(said["variants"].as_array().unwrap().len(), 2);
    assert_eq!(scratch.list("p/variants").len(), 4);
    assert_eq!(said["prescription"]["outcome"], "works");
}

#[test]
fn what_cannot_be_cured_by_flags_is_not_prescribed_for() {
    let scratch = Scratch::new();
    let healthy = prescribed(&scratch, "--model mlp --hidden 16 --lr 0.01 --epochs 8 --out h");
    assert_eq!(healthy["prescription"]["outcome"], "healthy");
    assert!(healthy["prescription"]["command"].is_null());
    let scaled =
        prescribed(&scratch, "--model mlp --hidden 8 --data polynomial:w=2000,-1000 --epochs 3 --out n");
    assert_eq!(scaled["prescription"]["outcome"], "no-remedy", "{}", scaled["sentence"]);
    assert!(scaled["best"].is_null() && scaled["variants"].as_array().unwrap().len() == 1);
}

#[test]
fn bad_requests_are_refused_before_anything_is_written() {
    let scratch = Scratch::new();
    scratch.file("other.jsonl", "{}\n");
    for words in [
        "prescribe --out p",
        "prescribe nothing-there --out p",
        "prescribe other.jsonl --out p",
        "prescribe other.jsonl --lr 1 --out p",
        "prescribe --model relu5 --budget 2 --out p",
        "prescribe --model nothing --out p",
    ] {
        scratch.gradscope(words).expect(2);
        assert!(scratch.list("p").is_empty(), "{words}");
    }
}
