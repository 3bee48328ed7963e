//! The sample report in the repository is what this version makes of its record.

use std::path::Path;

use crate::support::{Scratch, fixture};

#[test]
fn the_sample_is_not_stale() {
    let scratch = Scratch::new();
    let record = fixture("records/sigmoid5.jsonl.gz");
    scratch.gradscope_words(&["report", record.to_str().unwrap(), "--out", "out", "-q"]).expect(0);
    let page = scratch.read("out/report.html");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/sample/report.html");
    let committed = std::fs::read_to_string(&sample).unwrap_or_default();
    // Not `assert_eq!`, which would print both pages.
    assert!(page == committed, "{} is stale: `make sample` renders it again", sample.display());
    assert!(page.len() < 1_000_000, "{} bytes are too large for twenty epochs of five layers", page.len());
}
