//! `gradscope report` and the records it is given; runs in both builds.

use crate::support::{Scratch, fixture};

/// The lines of a small record: relu5 with bias -8 over two epochs.
fn lines() -> Vec<String> {
    let text = std::fs::read_to_string(fixture("records/relu5-dead.jsonl")).unwrap();
    text.lines().map(|l| format!("{l}\n")).collect()
}

#[test]
fn a_record_is_rendered_without_libtorch_and_without_training() {
    let scratch = Scratch::new();
    scratch.file("run.jsonl", &lines().concat());
    let ran = scratch.gradscope("report run.jsonl --fail-on dead-relu").expect(1);
    assert!(ran.stdout().contains("fc1 was born dead"), "{}", ran.stdout());
    assert_eq!(scratch.list("reports/run"), ["plots", "record.jsonl", "report.html", "summary.json"]);
    assert_eq!(scratch.read("reports/run/record.jsonl"), lines().concat());
    // Again, from the directory and into it.
    let html = scratch.read("reports/run/report.html");
    scratch.gradscope("report reports/run").expect(0);
    assert_eq!(scratch.read("reports/run/report.html"), html);
}

#[cfg(feature = "train")]
#[test]
fn report_renders_exactly_what_run_rendered() {
    let scratch = Scratch::new();
    scratch.gradscope("run --model lrelu5 --epochs 3 --out a -q").expect(0);
    scratch.gradscope("report a/record.jsonl --out b -q").expect(0);
    for name in ["report.html", "summary.json", "record.jsonl"] {
        assert_eq!(scratch.read(&format!("a/{name}")), scratch.read(&format!("b/{name}")), "{name}");
    }
    assert_eq!(scratch.list("a/plots"), scratch.list("b/plots"));
    for name in scratch.list("a/plots") {
        assert_eq!(
            scratch.read(&format!("a/plots/{name}")),
            scratch.read(&format!("b/plots/{name}")),
            "{name}"
        );
    }
}

#[test]
fn a_record_cut_anywhere_after_its_header_is_rendered_as_ended_early() {
    let lines = lines();
    let text = lines.concat();
    let scratch = Scratch::new();
    for cut in [
        lines[0].len(),
        lines[0].len() + 1,
        text.len() / 2,
        text.len() - 2,
        text.len() - lines.last().unwrap().len(),
    ] {
        scratch.file("run.jsonl", &text[..cut]);
        scratch.gradscope("report run.jsonl --out out").expect(0);
        assert_eq!(scratch.summary("out")["run"]["outcome"], "killed", "cut at {cut}");
        assert!(scratch.read("out/report.html").contains("ended early"), "cut at {cut}");
    }
}

#[test]
fn records_that_cannot_be_read_are_refused_with_their_place() {
    let lines = lines();
    let scratch = Scratch::new();
    let with = |i: usize, from: &str, to: &str| {
        let mut changed = lines.clone();
        assert!(changed[i].contains(from), "{from} in {}", changed[i]);
        changed[i] = changed[i].replacen(from, to, 1);
        changed.concat()
    };
    let mut cases = vec![
        ("empty", String::new()),
        ("blank", "\n".into()),
        ("half-header", lines[0][..100].into()),
        ("no-header", lines[1..].concat()),
        ("not-json", "hello\n".into()),
        ("other-json", "{\"a\": 1}\n".into()),
        ("later-schema", with(0, "gradscope.record/1", "gradscope.record/2")),
        ("no-layers", with(0, "\"layers\":[", "\"leyers\":[")),
        ("corrupt-middle", with(2, "\"kind\"", "\"kind")),
        ("unknown-kind", with(1, "\"kind\":\"step\"", "\"kind\":\"stop\"")),
        ("two-headers", [lines[0].clone(), lines.concat()].concat()),
        ("after-the-end", [lines.concat(), lines[1].clone()].concat()),
        ("out-of-order", [lines[0].clone(), lines[2..4].concat(), lines[1].clone()].concat()),
        ("impossible-count", with(0, "\"epochs\":2", "\"epochs\":18446744073709551615")),
        ("impossible-size", with(0, "\"parameters\":9", "\"parameters\":18446744073709551615")),
        ("two-of-a-name", with(0, "\"name\":\"fc2\"", "\"name\":\"fc1\"")),
        ("nameless", with(0, "\"name\":\"fc2\"", "\"name\":\"\"")),
        ("miscounted", with(2, "\"n\":9", "\"n\":10")),
    ];
    let mut said = String::new();
    cases.sort_by_key(|(name, _)| *name);
    for (name, content) in cases {
        scratch.file("run.jsonl", &content);
        let ran = scratch.gradscope("report run.jsonl --out out").expect(2);
        assert_eq!((ran.stdout().as_str(), scratch.list("out").len()), ("", 0), "{name}");
        said += &format!("{name}: {}", ran.stderr());
    }
    let missing = scratch.gradscope("report none.jsonl --out out").expect(2);
    said += &format!("missing: {}", missing.stderr());
    insta::assert_snapshot!(said);
}

#[test]
fn explain_and_rules_speak_of_the_same_rules() {
    let scratch = Scratch::new();
    let rules = scratch.gradscope("rules").expect(0).stdout();
    assert_eq!(rules.lines().count(), gradscope::diagnose::rules().count(), "{rules}");
    for line in rules.lines() {
        let rule = line.split_whitespace().next().unwrap();
        assert!(scratch.gradscope(&format!("explain {rule}")).expect(0).stdout().starts_with(rule));
    }
    let unknown = scratch.gradscope("explain dead-leyer").expect(2);
    assert!(unknown.stderr().contains("dead-layer"), "{}", unknown.stderr());
}
