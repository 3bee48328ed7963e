//! That verdicts are right: the quick part of the corpus, against floors that its verdicts reach today
//! with a margin. The whole is `make corpus`.

use std::path::Path;
use std::process::Command;

use crate::support::Scratch;
use serde_json::Value;

/// A share that the program counted: hits over all.
fn share(count: &Value) -> f64 {
    let number = |key: &str| count[key].as_f64().expect("a number");
    assert!(number("of") > 0.0, "nothing was counted: {count}");
    number("hits") / number("of")
}

#[test]
fn the_quick_part_of_the_corpus_is_judged_as_its_labels_say() {
    let scratch = Scratch::new();
    let program = Path::new(env!("CARGO_BIN_EXE_gradscope"));
    let corpus = program.with_file_name("examples").join("corpus");
    let ran = Command::new(corpus)
        .args([program, Path::new("out")])
        .args(["--quick", "--markdown", "corpus.md", "--json", "corpus.json"])
        .current_dir(scratch.path())
        .output()
        .expect("the example is built");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let page = scratch.read("corpus.md");
    let all: Value = serde_json::from_str(&scratch.read("corpus.json")).expect("valid JSON");
    let scoring = &all["scoring"];

    let kinds = |key: &str| scoring[key].as_u64().expect("a number");
    assert!(kinds("fault_kinds") >= 20 && kinds("healthy_kinds") >= kinds("fault_kinds"), "{page}");
    // A label that the run itself contradicts says nothing about the rules.
    for key in ["contradicted_faulty", "contradicted_healthy"] {
        assert!(share(&scoring[key]) <= 0.05, "{key}:\n{page}");
    }
    for (key, floor) in FLOORS {
        assert!(share(&scoring[key]) >= floor, "{key} is below {floor}:\n{page}");
    }
    for (key, ceiling) in CEILINGS {
        assert!(share(&scoring[key]) <= ceiling, "{key} is above {ceiling}:\n{page}");
    }
    for tool in scoring["tools"].as_array().expect("a list") {
        let (ours, theirs) = (&scoring["tools"][0], tool);
        assert!(share(&ours["faulty_end"]) >= share(&theirs["faulty_end"]), "{}:\n{page}", tool["name"]);
    }
}

/// What must be at least so often right.
const FLOORS: [(&str, f64); 5] =
    [("fires", 0.97), ("root", 0.95), ("as_many", 0.95), ("layer", 0.9), ("onset", 0.95)];

/// What must not happen more often.
const CEILINGS: [(&str, f64); 3] = [("healthy_error", 0.0), ("healthy_alarm", 0.0), ("healthy_ever", 0.06)];
