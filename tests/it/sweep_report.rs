//! Runs that lie in one directory become one table, in either build: whatever trained them, and whatever
//! else lies there.

use std::fs;
use std::path::Path;

use crate::report_support::{diagnosis, figures, healthy, record, text};
use crate::support::Scratch;
use gradscope::record::{Outcome, TestResult, Writer};
use gradscope::report::{OutputDir, RunReport};

/// A run as `cells/NAME`: with this test score, or without its end.
fn run(sweep: &Path, name: &str, flags: &str, score: Option<f64>) {
    let mut record = record();
    let words = format!("gradscope run --model tiny {flags}");
    record.header.command = words.split_whitespace().map(str::to_owned).collect();
    if let Some(end) = &mut record.end {
        end.test = score.map(|score| TestResult { loss: 1.0 - score, score, epoch: 1 });
        end.outcome = if score.is_some() { Outcome::Finished } else { Outcome::Interrupted };
    }
    let diagnosis = if score.is_some_and(|s| s > 0.8) { healthy() } else { diagnosis() };
    let dir = OutputDir::check(&sweep.join("cells").join(name), false).unwrap();
    RunReport::with_figures(&record, &diagnosis, figures()).write(&dir).unwrap();
}

/// Two flags, one of them without a value: a tie, a run that diverged and one that was interrupted.
fn grid(scratch: &Scratch) {
    let sweep = scratch.path().join("s");
    run(&sweep, "a", "--hidden 5,3 --lr 0.1", Some(0.9));
    run(&sweep, "b", "--hidden 5,3 --lr 1", Some(f64::NAN));
    run(&sweep, "c", "--hidden 16 --lr 0.1 --threads 1", Some(0.9));
    run(&sweep, "d", "--hidden 16 --lr 1 --fail-on any", Some(0.5));
    run(&sweep, "e", "--hidden 5,3 --lr 10 ", None);
}

/// A grid, and everything that can lie beside one.
fn grid_and_more(scratch: &Scratch) {
    grid(scratch);
    let cells = scratch.path().join("s/cells");
    for name in ["empty", "foreign", "broken", "killed", "later"] {
        fs::create_dir_all(cells.join(name)).unwrap();
    }
    fs::write(cells.join("joblog.txt"), "mine").unwrap();
    fs::write(cells.join(".hidden"), "mine").unwrap();
    fs::write(cells.join("foreign/notes.txt"), "mine").unwrap();
    fs::write(cells.join("broken/summary.json"), "{\"schema\": \"gradscope.su").unwrap();
    let later = scratch.read("s/cells/a/summary.json").replace("gradscope.summary/1", "gradscope.summary/2");
    fs::write(cells.join("later/summary.json"), later).unwrap();
    let mut header = record().header;
    header.command =
        ["gradscope", "run", "--model", "tiny", "--hidden", "16", "--lr", "10"].map(Into::into).into();
    Writer::create(&cells.join("killed/record.jsonl"), &header).unwrap();
}

#[test]
fn the_table_of_a_terminal() {
    let scratch = Scratch::new();
    grid_and_more(&scratch);
    let ran = scratch.gradscope("sweep --collect s").expect(3);
    assert_eq!(ran.stderr(), "");
    insta::assert_snapshot!(ran.stdout());
}

#[test]
fn the_text_of_the_page() {
    let scratch = Scratch::new();
    grid_and_more(&scratch);
    scratch.gradscope("sweep --collect s").expect(3);
    insta::assert_snapshot!(text(&scratch.read("s/report.html")));
}

#[test]
fn the_table_of_a_spreadsheet() {
    let scratch = Scratch::new();
    grid(&scratch);
    scratch.gradscope("sweep --collect s --quiet").expect(3);
    insta::assert_snapshot!(scratch.read("s/sweep.csv"));
}

#[test]
fn collecting_again_changes_nothing_and_json_is_the_file() {
    let scratch = Scratch::new();
    grid_and_more(&scratch);
    let first = scratch.gradscope("sweep --collect s --json").expect(3).stdout();
    let page = scratch.read("s/report.html");
    assert_eq!(scratch.gradscope("sweep --collect s --json").expect(3).stdout(), first);
    assert_eq!(scratch.read("s/sweep.json"), first);
    assert_eq!(scratch.read("s/report.html"), page);
    assert_eq!(scratch.read("s/cells/foreign/notes.txt"), "mine");
    assert_eq!(scratch.list("s/plots"), ["heatmap.svg"]);
}

#[test]
fn the_sort_can_be_chosen_and_is_named() {
    let scratch = Scratch::new();
    grid(&scratch);
    for (sort, heading) in [("test", "test accuracy"), ("dev", "dev accuracy"), ("train", "train accuracy")] {
        let ran = scratch.gradscope(&format!("sweep --collect s --sort {sort}")).expect(3);
        assert!(ran.stdout().contains(heading), "{}", ran.stdout());
    }
}

#[test]
fn a_whole_grid_ends_with_0_and_a_finding_that_is_named_with_1() {
    let scratch = Scratch::new();
    let sweep = scratch.path().join("s");
    run(&sweep, "a", "--lr 0.1", Some(0.9));
    run(&sweep, "b", "--lr 1", Some(0.5));
    scratch.gradscope("sweep --collect s").expect(0);
    scratch.gradscope("sweep --collect s --fail-on dead-relu").expect(1);
    scratch.gradscope("sweep --collect s --fail-on exploding").expect(0);
    // A combination that nothing stands for is named, and is no success.
    run(&sweep, "c", "--lr 1 --seed 2", Some(0.5));
    let ran = scratch.gradscope("sweep --collect s").expect(3);
    assert!(ran.stdout().contains("1 combination is not there") && ran.stdout().contains("lr=0.1 seed=2"));
}

#[test]
fn what_is_no_sweep_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path().join("mine/cells/a")).unwrap();
    scratch.file("mine/cells/a/notes.txt", "mine");
    let said = |words: &str| scratch.gradscope(words).expect(2).stderr();
    insta::assert_snapshot!(
        [
            "sweep --collect nowhere",
            "sweep --collect mine",
            "sweep --collect mine --lr 1",
            "sweep --collect mine --out x"
        ]
        .map(said)
        .concat()
    );
    assert_eq!(scratch.list("mine"), ["cells"]);
    assert_eq!(scratch.list("."), ["mine"]);
}
