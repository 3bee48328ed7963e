//! `gradscope merge`: what is of samples adds up, what is replicated is compared. Needs no libtorch.

use std::fs;

use crate::support::{Scratch, fixture};
use serde_json::{Value, json};

const RECORD: &str = "records/relu5-dead.jsonl";

/// The sample record as that of one of two ranks, each line changed in some way.
fn rank(scratch: &Scratch, rank: u64, change: impl Fn(&mut Value)) {
    let text = fs::read_to_string(fixture(RECORD)).unwrap();
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        if value["kind"] == "header" {
            value["ranks"] = json!({ "of": 2, "rank": rank });
        }
        change(&mut value);
        format!("{value}\n")
    };
    scratch.file(&format!("run.rank{rank}.jsonl"), &text.lines().map(line).collect::<String>());
}

fn lines(scratch: &Scratch, name: &str) -> Vec<Value> {
    scratch.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn epochs(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|line| line["kind"] == "epoch").collect()
}

#[test]
fn counts_of_samples_add_up_and_replicas_stay_what_they_are() {
    let scratch = Scratch::new();
    rank(&scratch, 0, |_| {});
    rank(&scratch, 1, |line| {
        if line["kind"] == "step" {
            line["loss"] = json!(1.0);
        }
    });
    scratch.gradscope("merge run.rank1.jsonl run.rank0.jsonl -o run.jsonl").expect(0);
    let (merged, one) = (lines(&scratch, "run.jsonl"), lines(&scratch, "run.rank0.jsonl"));
    assert_eq!(merged[0]["ranks"], json!({ "of": 2 }));
    assert_eq!(merged.len(), one.len());
    let step =
        |lines: &[Value]| lines.iter().find(|l| l["kind"] == "step").unwrap()["loss"].as_f64().unwrap();
    assert!((step(&merged) - (step(&one) + 1.0) / 2.0).abs() < 1e-12);
    for (a, b) in epochs(&merged).into_iter().zip(epochs(&one)) {
        for (a, b) in a["layers"].as_array().unwrap().iter().zip(b["layers"].as_array().unwrap()) {
            assert_eq!(
                (&a["weight"], &a["weight_grad"], &a["update"]),
                (&b["weight"], &b["weight_grad"], &b["update"])
            );
            let count = |l: &Value| l["activations"]["pre"]["n"].as_u64().unwrap();
            assert_eq!(count(a), 2 * count(b));
            if let Some(samples) = b["activations"]["firing"]["samples"].as_u64() {
                let firing = &a["activations"]["firing"];
                assert_eq!(firing["samples"], 2 * samples);
                assert_eq!(firing["rate"], b["activations"]["firing"]["rate"]);
            }
            // Two equal halves of a mean: √2 times half of each.
            let signal = |l: &Value| l["signal_l2"].as_f64().unwrap();
            assert!((signal(a) - signal(b) / 2f64.sqrt()).abs() <= 1e-7 * signal(b));
        }
    }
    let found =
        |file: &str| scratch.gradscope(&format!("check {file} --off ranks-differ")).expect(0).stdout();
    assert_eq!(found("run.jsonl").lines().count(), found("run.rank0.jsonl").lines().count());
    assert!(!scratch.gradscope("check run.jsonl").expect(0).stdout().contains("ranks-differ"));
}

#[test]
fn a_rank_that_holds_other_weights_is_a_finding_that_names_it() {
    let scratch = Scratch::new();
    rank(&scratch, 0, |_| {});
    rank(&scratch, 1, |line| {
        if line["kind"] == "epoch" && line["epoch"].as_u64() >= Some(1) {
            let weight = &mut line["layers"][2]["weight"];
            weight["ss"] = json!(weight["ss"].as_f64().unwrap() * 1.001);
        }
    });
    scratch.gradscope("merge run.rank0.jsonl run.rank1.jsonl -o run.jsonl").expect(0);
    let found = scratch.gradscope("check run.jsonl --fail-on ranks").expect(1).stdout();
    let line = found.lines().find(|l| l.contains("ranks-differ")).unwrap();
    assert!(line.contains("Rank 1 does not hold what rank 0 does: weights of fc3 differ"), "{line}");
}

#[test]
fn the_first_nan_of_any_rank_is_kept_and_steps_are_brought_together() {
    let scratch = Scratch::new();
    rank(&scratch, 1, |_| {});
    let joined = std::cell::Cell::new(0);
    rank(&scratch, 0, |line| {
        // The second step of this rank stands for itself alone there, and breaks here.
        if line["kind"] == "step" && line["step"] == 1 {
            joined.set(joined.get() + 1);
            line["non_finite"] = json!({ "stage": "loss", "layer": null });
        }
    });
    assert_eq!(joined.get(), 1);
    scratch.gradscope("merge run.rank0.jsonl run.rank1.jsonl -o run.jsonl").expect(0);
    let found = scratch.gradscope("check run.jsonl").expect(0).stdout();
    assert!(found.contains("non-finite since step 1"), "{found}");
}

#[test]
fn what_does_not_make_one_run_is_refused_before_anything_is_written() {
    let scratch = Scratch::new();
    rank(&scratch, 0, |_| {});
    rank(&scratch, 1, |line| {
        if line["kind"] == "header" {
            line["layers"][0]["name"] = json!("other");
        }
    });
    fs::copy(fixture(RECORD), scratch.path().join("single.jsonl")).unwrap();
    for (files, why) in [
        ("run.rank0.jsonl", "give the records of all ranks"),
        ("run.rank0.jsonl run.rank0.jsonl", "ranks [0, 0], where there should be one each of 0 to 1"),
        ("run.rank0.jsonl single.jsonl", "with no rank to it"),
        ("run.rank0.jsonl run.rank1.jsonl", "its layers are others"),
        ("run.rank0.jsonl nothing.jsonl", "cannot read"),
    ] {
        let said = scratch.gradscope(&format!("merge {files} -o out.jsonl")).expect(2).stderr();
        assert!(said.contains(why), "{files}: {said}");
        assert!(!scratch.path().join("out.jsonl").exists());
    }
    let said = scratch.gradscope("merge run.rank0.jsonl single.jsonl -o single.jsonl").expect(2).stderr();
    assert!(said.contains("is one of the records to be merged"), "{said}");
    let said =
        scratch.gradscope("merge run.rank0.jsonl run.rank1.jsonl -o single.jsonl.gz").expect(2).stderr();
    assert!(said.contains("not written as gzip"), "{said}");
}
