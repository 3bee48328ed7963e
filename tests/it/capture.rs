//! `--capture`: what is left out is never made up, and what needs it is never called passed.

use crate::support::Scratch;

/// Rules that a run with these flags could not evaluate.
fn not_measured(scratch: &Scratch, flags: &str) -> Vec<String> {
    scratch
        .gradscope(&format!("run --model relu5 --bias -8 --epochs 3 -q --out out --force {flags}"))
        .expect(0);
    let summary = scratch.summary("out");
    let rules = summary["not_measured"].as_array().unwrap();
    rules.iter().map(|r| r["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn rules_that_lack_what_was_not_captured_are_not_measured() {
    let scratch = Scratch::new();
    assert!(not_measured(&scratch, "").is_empty());
    let without = not_measured(&scratch, "--capture activations=off");
    for rule in ["dead-layer", "dead-units", "constant-output"] {
        assert!(without.contains(&rule.to_owned()), "{rule}: {without:?}");
    }
    assert!(!without.contains(&"stalled".to_owned()), "{without:?}");
    assert!(!scratch.list("out/plots").iter().any(|p| p.contains("activations")));
    let norms = not_measured(&scratch, "--capture norms");
    assert!(
        norms.contains(&"dead-layer".to_owned()) && !norms.contains(&"vanishing-all".to_owned()),
        "{norms:?}"
    );
    let none = not_measured(&scratch, "--capture none");
    for rule in [
        "vanishing-depth",
        "vanishing-all",
        "exploding-depth",
        "exploding-time",
        "dead-layer",
        "dead-units",
        "update-high",
        "stalled",
        "symmetric",
        "constant-output",
    ] {
        assert!(none.contains(&rule.to_owned()), "{rule}: {none:?}");
    }
    // The record alone gives the same page.
    let html = scratch.read("out/report.html");
    scratch.gradscope("report out -q").expect(0);
    assert_eq!(scratch.read("out/report.html"), html);
}

#[test]
fn what_is_captured_does_not_change_training() {
    let scratch = Scratch::new();
    let losses = |flags: &str| {
        let words = "run --model mlp --batch-size 50 --epochs 4 -q --out out --force";
        scratch.gradscope(&format!("{words} {flags}")).expect(0);
        let epochs = scratch.summary("out")["epochs"].clone();
        epochs.as_array().unwrap().iter().map(|e| e["train_loss"].to_string()).collect::<Vec<_>>()
    };
    let all = losses("");
    for flags in ["--capture none", "--capture norms", "--capture activations=off", "--capture-every 1"] {
        assert_eq!(losses(flags), all, "{flags}");
    }
}

#[test]
fn what_cannot_be_captured_is_refused() {
    let scratch = Scratch::new();
    let ran = scratch.gradscope("run --model relu5 --capture everything").expect(2);
    assert!(ran.stderr().contains("activations=off"), "{}", ran.stderr());
}
