//! JSON Schemas: committed as the types are, and true of what is written. What the other tests write is
//! held against them where their scratch directories are cleared away (`support`).

use std::fs;

use crate::support::{Scratch, assert_committed, fixture, schemas};
use serde_json::Value;

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let scratch = Scratch::new();
    for name in ["summary", "record", "model"] {
        let file = format!("docs/schemas/{name}.json");
        let printed = scratch.gradscope(&format!("schema {name}")).expect(0).stdout();
        assert_committed(&file, &printed);
    }
    scratch.gradscope("schema nothing").expect(2);
}

#[test]
fn the_fixtures_hold() {
    for name in ["relu5-dead.jsonl", "sigmoid5.jsonl.gz"] {
        assert!(schemas::complaint_about_record(&fixture(&format!("records/{name}"))).is_none());
    }
}

#[test]
fn what_is_not_so_is_noticed() {
    let scratch = Scratch::new();
    let record = fs::read_to_string(fixture("records/relu5-dead.jsonl")).unwrap();
    let broken = |from: &str, to: &str| {
        assert!(record.contains(from), "{from}");
        let path = scratch.file("broken.jsonl", &record.replacen(from, to, 1));
        schemas::complaint_about_record(&path).expect(to)
    };
    broken("\"kind\":\"header\"", "\"kind\":\"heading\"");
    broken("\"gradscope.record/1\"", "\"gradscope.record/2\"");
    broken("\"parameters\":", "\"parametres\":");
    broken("\"train_loss\":", "\"train_loss\":\"nan\",\"was\":");
    let summary = fs::read_to_string(fixture("summaries/relu5-dead.json")).unwrap();
    let mut value: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(schemas::complaint_about_summary(&value), None);
    value["layers"][0]["epochs"][0]["weight"]["l2"] = Value::Null;
    assert!(schemas::complaint_about_summary(&value).is_some());
}

#[test]
fn files_of_the_first_version_are_read_as_they_were() {
    let scratch = Scratch::new();
    let [record, summary] = ["records/relu5-dead.jsonl", "summaries/relu5-dead.json"].map(fixture);
    let [record, summary] = [&record, &summary].map(|p| p.to_str().unwrap());
    let from_summary = scratch.gradscope_words(&["check", summary]).expect(0).stdout();
    assert_eq!(from_summary.lines().count(), 7);
    let from_record = scratch.gradscope_words(&["check", record]).expect(0).stdout();
    let rules = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" since").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(rules(&from_summary), rules(&from_record));
    scratch.gradscope_words(&["diff", summary, record]).expect(0);
}
