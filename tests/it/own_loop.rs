//! A training loop of one's own is recorded, diagnosed and reported as those of the program are.

#[path = "../../examples/own_loop.rs"]
mod example;

use gradscope::diagnose::Verdict;
use gradscope::record::Record;

#[test]
fn a_loop_that_learns_is_healthy_and_one_that_was_born_dead_says_so() {
    let scratch = tempfile::tempdir().unwrap();
    let verdict = |bias| {
        let path = scratch.path().join(format!("{bias}.jsonl"));
        example::train(bias, &path).unwrap();
        let (record, warnings) = Record::read(&path).unwrap();
        assert_eq!(warnings, []);
        assert_eq!((record.epochs.len(), record.end.as_ref().unwrap().steps_done), (10, 160));
        let (diagnosis, page) = example::report(&path, &scratch.path().join(format!("{bias}"))).unwrap();
        assert!(std::fs::read_to_string(page).unwrap().contains("fc2"));
        diagnosis
    };
    let healthy = verdict(0.0);
    assert_eq!(healthy.verdict, Verdict::Healthy, "{}", healthy.headline);
    let dead = verdict(-8.0);
    let roots: Vec<_> = dead.findings.iter().filter(|f| f.root).collect();
    assert_eq!(roots.len(), 1, "{roots:?}");
    assert_eq!(
        (roots[0].rule.as_str(), roots[0].layers.first().map(String::as_str)),
        ("dead-layer", Some("fc1"))
    );
    assert!(
        dead.headline.starts_with("fc1 was born dead: all 16 units are silent on all 512 samples"),
        "{}",
        dead.headline
    );
}
