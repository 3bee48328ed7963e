//! `gradscope check`: one line a finding, and an exit status that a pipeline can gate on. Needs no
//! libtorch.

use std::fs;

use crate::support::{Scratch, fixture};
use gradscope::diagnose::{Settings, diagnose};
use gradscope::record::Record;

const DEAD: &str = "records/relu5-dead.jsonl";

/// The record of a dead network, and its report, in a scratch directory.
fn reported() -> Scratch {
    let scratch = Scratch::new();
    fs::copy(fixture(DEAD), scratch.path().join("dead.jsonl")).unwrap();
    scratch.gradscope("report dead.jsonl --out r --quiet").expect(0);
    scratch
}

#[test]
fn record_summary_and_directory_say_the_same() {
    let scratch = reported();
    let record = scratch.gradscope("check dead.jsonl").expect(0).stdout();
    assert_eq!(record, scratch.gradscope("check r/summary.json").expect(0).stdout());
    assert_eq!(record, scratch.gradscope("check r").expect(0).stdout());
    insta::assert_snapshot!("lines", record);
}

#[test]
fn the_exit_status_is_that_of_fail_on() {
    let scratch = reported();
    for file in ["dead.jsonl", "r/summary.json"] {
        let check = |what: &str| scratch.gradscope(&format!("check {file} --fail-on {what}")).status();
        assert_eq!(check("dead-relu"), 1);
        assert_eq!(check("error"), 1);
        assert_eq!(check("any"), 1);
        assert_eq!(check("symmetric,exploding"), 0);
        assert_eq!(check("nothing-such"), 2);
    }
}

#[test]
fn a_gate_that_can_never_close_is_refused() {
    let scratch = reported();
    for (off, fail_on, status) in [
        ("dead-layer", "dead-layer", 2),
        ("dead-layer,dead-units,dormant-units", "vanishing,dead-relu", 2),
        ("dead-layer", "dead-relu", 0),
        ("slow", "dead-layer", 1),
    ] {
        let ran = scratch.gradscope(&format!("check dead.jsonl --off {off} --fail-on {fail_on}"));
        assert_eq!(ran.status(), status, "{off} {fail_on}: {}", ran.stderr());
        assert_eq!(ran.stderr().contains("would never fail: --off switches it off"), status == 2);
    }
    let none = scratch.gradscope("check dead.jsonl --set non-finite.limit=1").stderr();
    assert!(none.ends_with("has no parameter \"limit\": it has none\n"), "{none}");
}

#[test]
fn names_that_mean_harm_stay_within_the_line() {
    let ran = Scratch::new().gradscope_words(&["check", "no\n::error::x\u{1b}[31m\u{202e}"]);
    assert_eq!(ran.status(), 2);
    let said = ran.stderr();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("no\\n::error::x\\u{1b}[31m\\u{202e}"), "{said}");
}

#[test]
fn silence_is_golden() {
    let scratch = Scratch::new();
    let record = fs::read_to_string(fixture(DEAD)).unwrap();
    let everything: Vec<&str> = gradscope::diagnose::rules().map(|rule| rule.name).collect();
    scratch.file("dead.jsonl", &record);
    let ran = scratch
        .gradscope(&format!("check dead.jsonl --fail-on any --off {}", everything.join(",")))
        .expect(0);
    assert_eq!(ran.stdout(), "");
}

#[test]
fn what_was_not_measured_has_not_passed() {
    let scratch = Scratch::new();
    let record = fs::read_to_string(fixture(DEAD)).unwrap();
    scratch.file("begun.jsonl", &format!("{}\n", record.lines().next().unwrap()));
    let said = scratch.gradscope("check begun.jsonl --fail-on any").expect(2).stderr();
    assert_eq!(said, "error: begun.jsonl holds no measurement yet: there is nothing to judge\n");
}

#[test]
fn thresholds_apply_to_records_and_are_refused_for_summaries() {
    let scratch = reported();
    let off = "--off dead-layer --fail-on dead-relu";
    scratch.gradscope(&format!("check dead.jsonl {off}")).expect(0);
    let message = scratch.gradscope(&format!("check r/summary.json {off}")).expect(2).stderr();
    assert!(message.contains("give its record.jsonl"), "{message}");
}

#[test]
fn what_cannot_be_read_is_no_success() {
    let scratch = reported();
    let summary = scratch.read("r/summary.json");
    scratch.file("cut.json", &summary[..summary.len() / 2]);
    scratch.file("later.json", &summary.replacen("gradscope.summary/1", "gradscope.summary/9", 1));
    scratch.file("empty.json", "");
    let message = |words: &str| scratch.gradscope(words).expect(2).stderr();
    insta::assert_snapshot!(
        ["check cut.json", "check later.json", "check empty.json", "check nothing", "check"]
            .map(|words| message(words).lines().next().unwrap_or_default().to_owned())
            .join("\n")
    );
}

/// A small generator of numbers (Knuth, 1997), so that the same mutations are tried everywhere.
fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 1u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    }
}

/// A record with some of its bytes changed, cut out or repeated.
fn mutated(record: &[u8], number: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut bytes = record.to_vec();
    for _ in 0..=number(4) {
        let at = number(bytes.len());
        let end = (at + 1 + number(40)).min(bytes.len());
        match number(4) {
            0 => bytes[at] = number(256) as u8,
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

#[test]
fn a_thousand_mangled_records_end_in_a_verdict_or_an_error_and_never_in_a_panic() {
    let scratch = Scratch::new();
    let record = fs::read(fixture(DEAD)).unwrap();
    let mut number = numbers();
    for round in 0..1_000 {
        let bytes = mutated(&record, &mut number);
        let path = scratch.path().join("m.jsonl");
        fs::write(&path, &bytes).unwrap();
        let read = Record::read(&path);
        if let Ok((record, _)) = &read {
            let _ = diagnose(record, &Settings::default());
        }
        // Whole processes cost more where each loads libtorch: some of them.
        if cfg!(not(feature = "train")) || round % 25 == 0 {
            let status = scratch.gradscope("check m.jsonl").status();
            let found = |r: &Record| !diagnose(r, &Settings::default()).findings.is_empty();
            let judged = read.is_ok_and(|(record, _)| !record.epochs.is_empty() || found(&record));
            assert_eq!(status, if judged { 0 } else { 2 }, "round {round}");
        }
    }
}
