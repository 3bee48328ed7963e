//! Every kind of page is valid HTML, by html-validate's recommended rules. Skipped without node and the
//! packages of `tests/npm`, unless GRADSCOPE_REQUIRE_BROWSER is set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::plot_support::gallery;
use crate::support::{Scratch, fixture};
use gradscope::diagnose::{self, Settings};
use gradscope::report::{OutputDir, RunReport};

fn missing(what: &str) {
    assert!(std::env::var_os("GRADSCOPE_REQUIRE_BROWSER").is_none(), "no {what} here");
}

/// Complains about whatever is wrong with these pages.
fn validate(pages: &[PathBuf]) {
    let program = "target/npm/node_modules/html-validate/bin/html-validate.mjs";
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(program);
    if !program.exists() {
        return missing("html-validate (npm ci in target/npm)");
    }
    // Names of layers are part of ids, and HTML allows there what is no space.
    let config = r#"{ "root": true, "extends": ["html-validate:recommended"],
        "rules": { "valid-id": ["error", { "relaxed": true }] } }"#;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    fs::write(&file, config).unwrap();
    let Ok(ran) = Command::new("node").arg(program).arg("--config").arg(file).args(pages).output() else {
        return missing("node");
    };
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn reports_of_every_situation_are_valid() {
    let scratch = Scratch::new();
    let mut pages = Vec::new();
    let situations = gallery().into_iter().filter(|(name, _)| *name != "extremes");
    for (name, scenario) in situations {
        let diagnosis = diagnose::diagnose(&scenario.record, &Settings::default());
        let dir = OutputDir::check(&scratch.path().join(name), false).unwrap();
        pages.push(RunReport::new(&scenario.record, &diagnosis).write(&dir).unwrap().report);
    }
    let mut nothing = crate::report_support::record();
    nothing.epochs.clear();
    let dir = OutputDir::check(&scratch.path().join("nothing"), false).unwrap();
    pages.push(RunReport::new(&nothing, &crate::report_support::healthy()).write(&dir).unwrap().report);
    validate(&pages);
}

#[test]
fn the_page_of_a_sweep_is_valid() {
    let scratch = Scratch::new();
    let record = fs::read_to_string(fixture("records/relu5-dead.jsonl")).unwrap();
    for bias in ["-8", "1"] {
        let name = format!("bias{bias}.jsonl");
        scratch.file(&name, &record.replacen("\"-8\"", &format!("\"{bias}\""), 1));
        scratch
            .gradscope_words(&["report", &name, "--out", &format!("out/cells/bias={bias}"), "-q"])
            .expect(0);
    }
    scratch.gradscope("sweep --collect out -q").expect(0);
    validate(&[scratch.path().join("out/report.html")]);
}

#[test]
fn the_page_of_two_runs_is_valid() {
    let scratch = Scratch::new();
    let [dead, sigmoid] = ["relu5-dead.jsonl", "sigmoid5.jsonl.gz"].map(|n| fixture(&format!("records/{n}")));
    let words = [dead.to_str().unwrap(), sigmoid.to_str().unwrap()];
    scratch.gradscope_words(&["diff", words[0], words[1], "--out", "out"]).expect(0);
    validate(&[scratch.path().join("out/report.html")]);
}
