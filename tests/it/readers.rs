//! What is written for other programs is read by them: TensorBoard and junitparser. Skipped without the
//! packages of `tests/readers/requirements.txt` (`make target/readers`), unless GRADSCOPE_REQUIRE_ALL is set.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::support::{Scratch, fixture};
use gradscope::record::Record;
use serde_json::Value;

/// What a script of `tests/readers` says about a path.
fn read(script: &str, path: &Path) -> Option<BTreeMap<String, Vec<Value>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/readers/bin/python");
    if !python.exists() {
        assert!(
            std::env::var_os("GRADSCOPE_REQUIRE_ALL").is_none(),
            "no target/readers: make target/readers"
        );
        eprintln!("skipped: no target/readers here");
        return None;
    }
    let ran = Command::new(python).arg(root.join("tests/readers").join(script)).arg(path).output().unwrap();
    let errors = String::from_utf8_lossy(&ran.stderr);
    Some(serde_json::from_slice(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {errors}")))
}

#[test]
fn tensorboard_finds_every_scalar_and_every_value_of_every_histogram() {
    for name in ["relu5-dead.jsonl", "sigmoid5.jsonl.gz"] {
        let scratch = Scratch::new();
        let path = fixture(&format!("records/{name}"));
        scratch.gradscope_words(&["export", path.to_str().unwrap(), "--tensorboard", "events"]).expect(0);
        let Some(found) = read("events.py", &scratch.path().join("events")) else { return };
        let (record, _) = Record::read(&path).unwrap();
        let steps: Vec<u64> = found["loss/train"].iter().map(|e| e[0].as_u64().unwrap()).collect();
        assert_eq!(steps, record.epochs.iter().map(|e| e.step).collect::<Vec<_>>(), "{name}");
        assert_eq!(found["batch/loss"].len(), record.steps.len(), "{name}");
        for (i, epoch) in record.epochs.iter().enumerate() {
            assert_eq!(found["loss/train"][i][1].as_f64().unwrap() as f32, epoch.train_loss as f32);
        }
        for (index, layer) in record.header.layers.iter().enumerate() {
            let events = &found[&format!("weight/{}", layer.name)];
            assert_eq!(events.len(), record.epochs.len(), "{name} {}", layer.name);
            for (event, epoch) in events.iter().zip(&record.epochs) {
                let counts = event[1].as_array().unwrap().iter().map(|c| c.as_f64().unwrap());
                let expected = epoch.layers[index].weight.finite() as f64;
                let counted: f64 = counts.sum();
                assert!((counted - expected).abs() < 1e-6 * expected, "{name} {}: {counted}", layer.name);
            }
        }
    }
}

#[test]
fn junitparser_counts_what_there_is() {
    let scratch = Scratch::new();
    let record = fixture("records/relu5-dead.jsonl");
    scratch.gradscope_words(&["check", record.to_str().unwrap(), "--output", "junit=report.xml"]).expect(0);
    let Some(suites) = read("suites.py", &scratch.path().join("report.xml")) else { return };
    assert_eq!(
        suites.keys().map(String::as_str).collect::<Vec<_>>(),
        ["fc1", "fc2", "fc3", "fc4", "fc5", "run"]
    );
    let failures = |suite: &str| suites[suite][1].as_u64().unwrap();
    assert_eq!(["fc1", "fc2", "fc3", "fc4", "run"].map(failures), [3, 3, 3, 3, 0]);
    assert!(suites.values().all(|s| s[0].as_u64().unwrap() > 5));
}

#[test]
fn an_export_says_where_it_is_and_a_bad_path_is_refused() {
    let scratch = Scratch::new();
    scratch.file("file", "");
    let record = fixture("records/relu5-dead.jsonl");
    let record = record.to_str().unwrap();
    let said = scratch.gradscope_words(&["export", record, "--tensorboard", "a/b"]).expect(0).stdout();
    assert!(scratch.path().join(said.trim()).is_file(), "{said}");
    scratch.gradscope_words(&["export", record, "--tensorboard", "file"]).expect(2);
    scratch.gradscope_words(&["export", record]).expect(2);
    scratch.gradscope("export nothing --tensorboard c").expect(2);
    assert_eq!(scratch.list("."), ["a", "file"]);
}
