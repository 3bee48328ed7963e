//! `gradscope diff` and `--baseline`: what is new, worse, better and fixed, and a gate on that alone.

use std::fs;

use crate::report_support::{diagnosis, healthy, record, record_of, text};
use crate::support::{Scratch, fixture};
use gradscope::diagnose::{Diagnosis, Severity};
use gradscope::record::Record;
use gradscope::report::Summary;
use gradscope::report::diff::{Diff, TOLERANCE, known};
use gradscope::stats::Distribution;
use serde_json::Value;

const DEAD: &str = "records/relu5-dead.jsonl";
const SIGMOID: &str = "records/sigmoid5.jsonl.gz";

fn diff(base: &Summary, new: &Summary) -> Diff {
    Diff::new((base, "base.json"), (new, "new.json"), TOLERANCE)
}

fn summary(record: &Record, change: impl FnOnce(&mut Diagnosis)) -> Summary {
    let mut diagnosis = diagnosis();
    change(&mut diagnosis);
    Summary::new(record, &diagnosis)
}

fn rules(findings: &[gradscope::diagnose::Finding]) -> Vec<&str> {
    findings.iter().map(|f| f.rule.as_str()).collect()
}

#[test]
fn the_same_run_differs_in_nothing() {
    let run = summary(&record(), |_| ());
    let diff = diff(&run, &run);
    assert_eq!(diff.sentence(), "the same 3 findings; no layer changed by more than 10%");
    assert!(diff.regressions().is_empty() && diff.layers.is_empty() && diff.fixed.is_empty());
    assert_eq!((diff.unchanged, diff.known.len()), (3, 3));
}

#[test]
fn what_only_one_of_them_has_is_new_or_fixed() {
    let ill = summary(&record(), |_| ());
    let well = Summary::new(&record(), &healthy());
    let worse = diff(&well, &ill);
    assert_eq!(rules(&worse.appeared), ["dead-layer", "stalled", "overfit"]);
    assert!(worse.known.is_empty());
    let better = diff(&ill, &well);
    assert_eq!(rules(&better.fixed), ["dead-layer", "stalled", "overfit"]);
    assert!(better.regressions().is_empty());
}

#[test]
fn severity_layers_and_distance_from_the_limit_make_it_worse() {
    let base = summary(&record(), |d| d.findings[1].severity = Severity::Warning);
    type Change = fn(&mut Diagnosis);
    let cases: [(&str, Change, bool, bool); 7] = [
        ("as it was", |_| (), false, false),
        ("more severe", |d| d.findings[1].severity = Severity::Error, true, false),
        ("less severe", |d| d.findings[1].severity = Severity::Info, false, true),
        ("a further layer", |d| d.findings[1].layers.push("fc2".into()), true, false),
        ("a layer that the base does not have", |d| d.findings[1].layers.push("fc9".into()), false, false),
        ("nearer to a limit from above", |d| d.findings[2].value = 6.0, false, true),
        ("no number any more", |d| d.findings[0].value = f64::NAN, true, false),
    ];
    for (case, change, worse, better) in cases {
        let new = summary(&record(), |d| {
            d.findings[1].severity = Severity::Warning;
            change(d);
        });
        let diff = diff(&base, &new);
        assert_eq!((diff.worse.len(), diff.better.len()), (worse.into(), better.into()), "{case}");
        assert_eq!(diff.regressions().len(), usize::from(worse), "{case}");
    }
}

#[test]
fn on_which_side_of_the_limit_the_harm_is_is_seen_from_the_number() {
    let with = |value: f64, threshold: f64| {
        summary(&record(), |d| (d.findings[0].value, d.findings[0].threshold) = (value, threshold))
    };
    // Above the limit more is worse, below it less is; within the tolerance neither.
    assert_eq!(diff(&with(2.0, 1.0), &with(3.0, 1.0)).worse.len(), 1);
    assert_eq!(diff(&with(3.0, 1.0), &with(2.0, 1.0)).better.len(), 1);
    assert_eq!(diff(&with(1e-5, 1e-3), &with(1e-6, 1e-3)).worse.len(), 1);
    assert_eq!(diff(&with(1e-6, 1e-3), &with(1e-5, 1e-3)).better.len(), 1);
    assert_eq!(diff(&with(2.0, 1.0), &with(2.1, 1.0)).unchanged, 3);
    assert_eq!(diff(&with(2.0, 1.0), &with(9.0, 1.5)).unchanged, 3, "another limit, another number");
}

#[test]
fn a_baseline_looks_at_no_number() {
    let base = summary(&record(), |_| ());
    let moved = summary(&record(), |d| d.findings[0].value = 500.0);
    assert_eq!(diff(&base, &moved).worse.len(), 1);
    assert_eq!(known(&base, &moved).len(), 3);
    let spread = summary(&record(), |d| d.findings[0].layers.push("fc2".into()));
    assert_eq!(known(&base, &spread).into_iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn layers_are_matched_by_name_and_the_rest_is_listed() {
    let base = summary(&record_of(["fc1", "old"]), |_| ());
    let mut record = record_of(["new", "fc1"]);
    record.header.layers.swap(0, 1);
    record.epochs.iter_mut().for_each(|e| e.layers.swap(0, 1));
    record.header.layers[0].shape = vec![7, 2];
    let diff = diff(&base, &summary(&record, |_| ()));
    assert_eq!(
        (diff.only_in_base.as_slice(), diff.only_in_new.as_slice()),
        (&["old".into()][..], &["new".into()][..])
    );
    assert_eq!(diff.reshaped.len(), 1);
    assert!(diff.layers.is_empty(), "numbers of another shape are not compared");
}

#[test]
fn what_moved_beyond_the_tolerance_is_told_the_most_changed_first() {
    let mut moved = record();
    moved.epochs[1].layers[0].weight_grad = Some(Distribution::new(&[1e-3; 6]));
    moved.epochs[1].layers[1].weight = Distribution::new(&[1.0, 1.0, 1.0]);
    let (base, new) = (summary(&record(), |_| ()), summary(&moved, |_| ()));
    let told = |tolerance| {
        let diff = Diff::new((&base, ""), (&new, ""), tolerance);
        let lines = diff.layers.iter().map(|c| format!("{} {}: {}", c.layer, c.quantity, c.in_words()));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(told(0.1)[..2], ["fc1 gradient L2: from nothing", "fc2 weight L2: 3.1 times as much"]);
    assert_eq!(told(0.9), ["fc1 gradient L2: from nothing"]);
}

#[test]
fn a_rule_that_can_no_longer_be_evaluated_is_named() {
    let base = summary(&record(), |d| d.not_measured.clear());
    let new = summary(&record(), |d| drop(d.findings.pop()));
    assert_eq!(diff(&base, &new).no_longer_measured, ["plateau", "slow"]);
}

#[test]
fn the_page_says_it_and_names_that_mean_harm_are_only_names() {
    let base = Summary::new(&record(), &healthy());
    let page = |new: &Summary| {
        let scratch = Scratch::new();
        let out = scratch.path().join("d");
        diff(&base, new).write(&gradscope::report::OutputDir::check(&out, false).unwrap()).unwrap();
        assert_eq!(scratch.list("d"), ["diff.json", "report.html"]);
        scratch.read("d/report.html")
    };
    insta::assert_snapshot!("page", text(&page(&summary(&record(), |_| ()))));
    let hostile = summary(&record_of(["<script>alert(1)</script>", "fc2"]), |d| {
        d.findings[0].message = "<img src=x>".into();
        d.findings[0].layers = vec!["<b>".into()];
    });
    let page = page(&hostile);
    assert!(!page.contains("<script>alert") && !page.contains("<img src") && !page.contains("<b>"));
}

/// Records and summaries of a dead network and of one that vanishes, in a scratch directory.
fn two() -> Scratch {
    let scratch = Scratch::new();
    fs::copy(fixture(DEAD), scratch.path().join("dead.jsonl")).unwrap();
    fs::copy(fixture(SIGMOID), scratch.path().join("sigmoid.jsonl.gz")).unwrap();
    scratch.gradscope("report dead.jsonl --out dead --quiet").expect(0);
    scratch
}

#[test]
fn records_summaries_and_directories_are_compared_alike() {
    let scratch = two();
    let said = scratch.gradscope("diff dead.jsonl sigmoid.jsonl.gz").expect(0).stdout();
    insta::assert_snapshot!("said", said);
    for base in ["dead", "dead/summary.json"] {
        assert_eq!(scratch.gradscope(&format!("diff {base} sigmoid.jsonl.gz")).expect(0).stdout(), said);
    }
    let same = scratch.gradscope("diff dead dead.jsonl --fail-on any").expect(0).stdout();
    assert_eq!(same, "the same 7 findings; no layer changed by more than 10%\n");
    let json = scratch.gradscope("diff dead sigmoid.jsonl.gz --json --out d").expect(0).stdout();
    assert_eq!(json, scratch.read("d/diff.json"));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (json["schema"].as_str(), json["new"]["verdict"].as_str()),
        (Some("gradscope.diff/1"), Some("unhealthy"))
    );
}

#[test]
fn the_gate_looks_at_what_is_new_or_worse() {
    let scratch = two();
    let status = |words: &str| scratch.gradscope(words).status();
    assert_eq!(status("diff dead sigmoid.jsonl.gz --fail-on vanishing"), 1);
    assert_eq!(status("diff dead sigmoid.jsonl.gz --fail-on dead-relu"), 0, "fixed");
    assert_eq!(status("diff sigmoid.jsonl.gz dead --fail-on dead-relu"), 1);
    let junit = scratch.gradscope("diff dead dead.jsonl --output junit=- --fail-on any").expect(0).stdout();
    assert!(junit.contains("failures=\"0\"") && junit.contains("known, in the baseline"), "{junit}");
    let message = scratch.gradscope("diff dead dead.jsonl --output csv=-").expect(2).stderr();
    assert!(message.contains("tells of one run"), "{message}");
}

#[test]
fn a_baseline_leaves_only_what_is_new() {
    let scratch = two();
    for baseline in ["dead", "dead.jsonl", "dead/summary.json"] {
        let ran =
            scratch.gradscope(&format!("check dead.jsonl --baseline {baseline} --fail-on any")).expect(0);
        assert_eq!(ran.stdout(), "");
    }
    let all = scratch.gradscope("check dead.jsonl --fail-on any").expect(1).stdout();
    let new = scratch
        .gradscope("check dead.jsonl --baseline sigmoid.jsonl.gz --fail-on dead-relu")
        .expect(1)
        .stdout();
    assert!(new.lines().count() <= all.lines().count() && new.contains("dead-layer fc1"), "{new}");
    let message = scratch.gradscope("check dead.jsonl --baseline nothing").expect(2).stderr();
    assert!(message.contains("nothing"), "{message}");
}

#[cfg(feature = "train")]
#[test]
fn a_run_fails_on_what_its_baseline_lacks() {
    let scratch = two();
    let run = "run --model relu5 --bias -8 --epochs 3 --quiet --fail-on error --force --out r";
    scratch.gradscope(run).expect(1);
    let said = scratch.gradscope(&format!("{run} --baseline dead")).expect(0).stdout();
    assert!(said.contains("baseline: of 7 findings, 0 not in it"), "{said}");
    scratch.gradscope(&format!("{run} --baseline sigmoid.jsonl.gz")).expect(1);
    assert!(!scratch.read("r/summary.json").contains("baseline"));
}
