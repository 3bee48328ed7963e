//! `--output FORMAT=PATH`: what other programs are given, and that a bad path is found out first.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::report_support::{diagnosis, healthy, record, record_of};
use crate::support::{Scratch, fixture};
use gradscope::diagnose::{Diagnosis, Severity, rules};
use gradscope::report::Summary;
use gradscope::report::format::{FORMATS, Format, Subject};
use serde_json::Value;

const DEAD: &str = "records/relu5-dead.jsonl";
/// What would end a cell, a command, a tag, a field or a line.
const HOSTILE: &str = "a|b\"<i>,]]>&'\n::error::x%0A\u{1b}[31m`*_=1+1";

fn text(format: &str, summary: &Summary) -> String {
    known(format, summary, &[])
}

fn known(format: &str, summary: &Summary, known: &[usize]) -> String {
    let known: BTreeSet<usize> = known.iter().copied().collect();
    let subject = Subject { summary, source: Path::new("./runs/record.jsonl"), known: &known };
    Format::named(format).unwrap().text(&subject).unwrap()
}

fn unhealthy() -> Summary {
    Summary::new(&record(), &diagnosis())
}

/// The same with names that mean harm.
fn hostile() -> Summary {
    let mut diagnosis = diagnosis();
    for finding in &mut diagnosis.findings {
        finding.layer = Some(HOSTILE.into());
        finding.layers = vec![HOSTILE.into()];
        finding.message = format!("{HOSTILE} does not learn. {HOSTILE}");
    }
    Summary::new(&record_of([HOSTILE, "fc2"]), &diagnosis)
}

/// Very many findings.
fn endless() -> Summary {
    let mut many: Diagnosis = diagnosis();
    let mut template = many.findings[0].clone();
    template.layer = Some("n".repeat(100_000));
    template.layers = vec![template.layer.clone().unwrap()];
    many.findings = vec![template; 200];
    many.findings[199].severity = Severity::Info;
    Summary::new(&record(), &many)
}

#[test]
fn every_format_as_it_is() {
    let summary = unhealthy();
    let page = fs::read_to_string("docs/ci.md").unwrap();
    for format in FORMATS {
        let name = format.name;
        assert!(page.contains(&format!("\n| `{name}` | ")), "{name} has no row in the table of docs/ci.md");
        match name {
            "json" => assert_eq!(text(name, &summary), summary.to_json().unwrap()),
            _ => insta::assert_snapshot!(name, text(name, &summary)),
        }
    }
}

#[test]
fn a_summary_remembers_which_rules_were_switched_off() {
    let scratch = Scratch::new();
    let record = fixture(DEAD).display().to_string();
    scratch.gradscope_words(&["report", &record, "--out", "out", "--off", "dead-layer", "--quiet"]).expect(0);
    for checked in ["out/summary.json", "out/record.jsonl"] {
        let flags: &[&str] = if checked.ends_with("jsonl") { &["--off", "dead-layer"] } else { &[] };
        let words = [&["check", checked, "--output", "junit=x.xml"], flags].concat();
        scratch.gradscope_words(&words).expect(0);
        let xml = scratch.read("x.xml");
        let skipped = xml.matches("<skipped message=\"not measured: switched off by --off\"/>").count();
        let cases = xml.matches("<testcase name=\"dead-layer\"").count();
        assert!(skipped > 0 && skipped == cases, "{checked}: {skipped} of {cases}");
    }
}

#[test]
fn where_nothing_was_found_there_is_nothing_to_act_on() {
    let summary = Summary::new(&record(), &healthy());
    assert_eq!(text("github", &summary), "");
    assert_eq!(text("gitlab", &summary), "[]\n");
    let xml = text("junit", &summary);
    assert!(xml.contains("failures=\"0\" errors=\"0\"") && !xml.contains("<failure"), "{xml}");
    insta::assert_snapshot!("markdown_healthy", text("markdown", &summary));
}

#[test]
fn names_that_mean_harm_are_only_names() {
    let summary = hostile();
    let xml = text("junit", &summary);
    let document = roxmltree::Document::parse(&xml).unwrap_or_else(|e| panic!("{e}: {xml}"));
    let suites = document.descendants().filter(|n| n.has_tag_name("testsuite")).count();
    assert_eq!(suites, 3, "the run and two layers");

    let lines = text("github", &summary);
    assert_eq!(lines.lines().count(), 3);
    assert!(
        lines.lines().all(|line| line.starts_with("::error title=") || line.starts_with("::notice title="))
    );

    let table = text("markdown", &summary);
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 2 + 3);
    for row in rows {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 8, "{row}");
        assert!(!row.replace("\\<", "").contains('<'), "{row}");
    }

    let issues: Value = serde_json::from_str(&text("gitlab", &summary)).unwrap();
    assert_eq!(issues.as_array().unwrap().len(), 3);
    let _: Value = serde_json::from_str(&text("vega", &summary)).unwrap();
    let table = text("csv", &summary);
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let names: Vec<String> = reader.records().map(|row| row.unwrap()[1].to_owned()).collect();
    assert_eq!(names, [HOSTILE, HOSTILE, "fc2", "fc2"]);
}

#[test]
fn there_is_never_more_than_the_reader_takes() {
    let summary = endless();
    let lines = text("github", &summary);
    assert_eq!(lines.lines().count(), 11);
    assert!(
        lines.ends_with("and 190 more findings: ./runs/record.jsonl\n"),
        "{}",
        &lines[lines.len() - 99..]
    );
    assert!(text("markdown", &summary).len() < 100_000, "a step summary takes 1 MiB");
}

#[test]
fn worst_come_first() {
    let mut upside_down = diagnosis();
    upside_down.findings.reverse();
    for finding in &mut upside_down.findings {
        finding.caused_by = None;
    }
    let lines = text("github", &Summary::new(&record(), &upside_down));
    let kinds: Vec<&str> = lines.lines().map(|l| l.split(" since").next().unwrap()).collect();
    assert_eq!(
        kinds,
        ["::error title=dead-layer fc1", "::error title=stalled fc1", "::notice title=overfit fc2"]
    );
}

#[test]
fn a_test_case_passes_only_where_the_rule_was_evaluated() {
    let mut diagnosis = diagnosis();
    diagnosis.findings.remove(1);
    let xml = text("junit", &Summary::new(&record(), &diagnosis));
    let document = roxmltree::Document::parse(&xml).unwrap();
    let mut seen = BTreeSet::new();
    for case in document.descendants().filter(|n| n.has_tag_name("testcase")) {
        let (class, rule) = (case.attribute("classname").unwrap(), case.attribute("name").unwrap());
        seen.insert(rule.to_owned());
        let children: Vec<&str> =
            case.children().filter(|n| n.is_element()).map(|n| n.tag_name().name()).collect();
        let expected: &[&str] = match (class, rule) {
            ("gradscope.fc1", "dead-layer") => &["failure"],
            ("gradscope.fc2", "overfit") => &["system-out"],
            (_, "plateau" | "slow") => &["skipped"],
            _ => &[],
        };
        assert_eq!(children, expected, "{class} {rule}");
    }
    assert!(rules().all(|rule| seen.contains(rule.name)), "every rule has a test case");
    let failure = document.descendants().find(|n| n.has_tag_name("failure")).unwrap();
    assert_eq!(failure.attribute("type"), Some("error"));
    let told = failure.text().unwrap();
    for part in ["share of units that never fired: 1 (limit 1)", "try: --bias 0"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn what_is_known_is_told_as_such_and_acted_upon_by_nobody() {
    let summary = unhealthy();
    let xml = known("junit", &summary, &[0, 1]);
    assert!(!xml.contains("<failure") && xml.contains("known, in the baseline: fc1 was born dead."), "{xml}");
    assert_eq!(known("github", &summary, &[0, 1]).lines().count(), 1);
    assert!(known("markdown", &summary, &[0]).contains("| error (known) | dead-layer |"));
}

#[test]
fn gitlab_has_every_field_and_the_same_fingerprint_whatever_the_numbers() {
    let issues =
        |summary: &Summary| -> Vec<Value> { serde_json::from_str(&text("gitlab", summary)).unwrap() };
    let first = issues(&unhealthy());
    let mut other = diagnosis();
    other.findings[0].value = 0.9;
    other.findings[0].message = "otherwise".into();
    let second = issues(&Summary::new(&record(), &other));
    for (a, b) in first.iter().zip(&second) {
        assert_eq!(a["fingerprint"], b["fingerprint"]);
        assert_eq!(a["location"]["path"], "runs/record.jsonl");
        assert_eq!(a["location"]["lines"]["begin"], 1);
        let severity = a["severity"].as_str().unwrap();
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&severity));
        assert!(a["description"].is_string() && a["check_name"].is_string());
    }
    let endless = issues(&endless());
    let fingerprints: BTreeSet<&str> = endless.iter().map(|i| i["fingerprint"].as_str().unwrap()).collect();
    assert_eq!(fingerprints.len(), 200, "every entry has one of its own");
}

#[test]
fn a_number_that_is_none_stands_by_its_name() {
    let mut record = record();
    record.epochs[1].layers[0].weight = gradscope::stats::Distribution::new(&[f32::NAN, 1.0]);
    let summary = Summary::new(&record, &diagnosis());
    let table = text("csv", &summary);
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let column = reader.headers().unwrap().iter().position(|h| h == "weight_l2").unwrap();
    let norms: Vec<String> = reader.records().map(|row| row.unwrap()[column].to_owned()).collect();
    assert_eq!(norms[1], "NaN");
    let read: f64 = norms[0].parse().unwrap();
    assert_eq!(read, summary.layers[0].epochs[0].weight.l2, "all digits");
    let spec: Value = serde_json::from_str(&text("vega", &summary)).unwrap();
    let values = spec["data"]["values"].as_array().unwrap();
    let states: BTreeSet<&str> = values.iter().map(|v| v["state"].as_str().unwrap()).collect();
    assert_eq!(states, BTreeSet::from(["NaN", "number", "zero"]));
}

#[test]
fn check_and_report_write_every_format_beside_what_they_say() {
    let scratch = Scratch::new();
    fs::copy(fixture(DEAD), scratch.path().join("dead.jsonl")).unwrap();
    let said = scratch.gradscope("check dead.jsonl").expect(0).stdout();
    let words: Vec<String> = FORMATS.iter().map(|f| format!("--output {0}=out/{0}", f.name)).collect();
    let words = words.join(" ");
    let again = scratch.gradscope(&format!("check dead.jsonl {words}")).expect(0).stdout();
    assert_eq!(said, again);
    let from_record: Vec<String> = FORMATS.iter().map(|f| scratch.read(&format!("out/{}", f.name))).collect();
    scratch.gradscope(&format!("report dead.jsonl --out r --quiet {words}")).expect(0);
    assert_eq!(scratch.read("out/json"), scratch.read("r/summary.json"));
    for (format, text) in FORMATS.iter().zip(&from_record) {
        assert_eq!(*text, scratch.read(&format!("out/{}", format.name)), "{}", format.name);
    }
    // The gate is the same, and everything is written although it is shut.
    fs::remove_dir_all(scratch.path().join("out")).unwrap();
    scratch.gradscope(&format!("check r/summary.json --fail-on error {words}")).expect(1);
    assert_eq!(scratch.read("out/junit"), from_record[0]);
}

#[test]
fn a_dash_takes_the_place_of_what_is_otherwise_printed() {
    let scratch = Scratch::new();
    fs::copy(fixture(DEAD), scratch.path().join("dead.jsonl")).unwrap();
    let whole = scratch.gradscope("check dead.jsonl --output json=-").expect(0).stdout();
    let _: Value = serde_json::from_str(&whole).unwrap();
    let reported = scratch.gradscope("report dead.jsonl --out r --output json=-").expect(0).stdout();
    assert_eq!(whole, reported);
}

#[test]
fn a_bad_target_is_found_out_before_anything_is_read() {
    let scratch = Scratch::new();
    scratch.file("file", "");
    fs::create_dir(scratch.path().join("directory")).unwrap();
    fs::copy(fixture(DEAD), scratch.path().join("dead.jsonl")).unwrap();
    let cases = [
        "--output junit",
        "--output junti=x",
        "--output junit=",
        "--output junit=directory",
        "--output junit=file/x",
        "--output junit=- --output csv=-",
        "--output junit=x --output csv=./x",
    ];
    let mut messages: Vec<String> =
        cases.map(|case| scratch.gradscope(&format!("check nothing {case}")).expect(2).stderr()).into();
    messages.push(scratch.gradscope("check dead.jsonl --output csv=dead.jsonl").expect(2).stderr());
    messages.push(scratch.gradscope("report dead.jsonl --out r --json --output csv=-").expect(2).stderr());
    insta::assert_snapshot!("messages", messages.concat());
    assert_eq!(scratch.list("."), ["dead.jsonl", "directory", "file"]);
    assert_eq!(scratch.read("dead.jsonl"), fs::read_to_string(fixture(DEAD)).unwrap());
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_device_is_written_into() {
    let scratch = Scratch::new();
    scratch.file("old.xml", "old");
    std::os::unix::fs::symlink("old.xml", scratch.path().join("link")).unwrap();
    let words = format!("check {} --output junit=link --output csv=/dev/null", fixture(DEAD).display());
    scratch.gradscope(&words).expect(0);
    assert!(scratch.path().join("link").is_symlink());
    assert!(scratch.read("old.xml").starts_with("<?xml"));
}

#[cfg(feature = "train")]
#[test]
fn a_run_writes_them_and_does_not_train_for_a_bad_one() {
    let scratch = Scratch::new();
    scratch.file("file", "");
    let run = "run --model relu5 --bias -8 --epochs 2 --quiet --out r";
    scratch.gradscope(&format!("{run} --output junit=file/x")).expect(2);
    scratch.gradscope(&format!("{run} --output csv=r/record.jsonl")).expect(2);
    assert_eq!(scratch.list("."), ["file"]);
    let words = "--output junit=r/junit.xml --output github=- --fail-on error";
    let said = scratch.gradscope(&format!("{run} {words}")).expect(1).stdout();
    assert!(said.starts_with("::error title=dead-layer fc1"), "{said}");
    assert!(scratch.read("r/junit.xml").contains("<failure"));
    // The record names the run, and not where its verdict went.
    assert!(!scratch.read("r/summary.json").contains("junit"));
    scratch.gradscope(&format!("{run} {words}")).expect(1);
}
