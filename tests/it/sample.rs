//! The sample report in the repository is what this version makes of its record.

use crate::support::{Scratch, assert_committed, fixture};

#[test]
fn the_sample_is_not_stale() {
    let scratch = Scratch::new();
    let record = fixture("records/sigmoid5.jsonl.gz");
    scratch.gradscope_words(&["report", record.to_str().unwrap(), "--out", "out", "-q"]).expect(0);
    let page = scratch.read("out/report.html");
    assert_committed("reports/sample/report.html", &page);
    assert!(page.len() < 1_000_000, "{} bytes are too large for twenty epochs of five layers", page.len());
}
