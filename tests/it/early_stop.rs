//! `--patience`: a run that no longer gets better on the dev set is over, and says so.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::Scratch;

const RUN: &str = "run --model mlp --hidden 16 --lr 0.02 --batch-size 32 --epochs 200";

#[test]
fn a_run_stops_when_the_dev_score_has_not_risen_for_so_many_epochs() {
    let scratch = Scratch::new();
    let ran = scratch.gradscope(&format!("{RUN} --patience 5 --out out -q --fail-on error")).expect(0);
    let summary = scratch.summary("out");
    let run = &summary["run"];
    assert_eq!((&run["outcome"], &run["patience"]), (&"finished".into(), &5.into()));
    let (done, best) =
        (run["epochs_done"].as_u64().unwrap(), run["early_stop"]["best_epoch"].as_u64().unwrap());
    assert_eq!(done, best + 1 + 5);
    assert!(done < 200);
    assert_eq!(summary["test"]["epoch"], best);
    let score = |e: u64| summary["epochs"][e as usize]["dev_score"].as_f64().unwrap();
    assert!((0..best).all(|e| score(e) < score(best)));
    assert!((best + 1..done).all(|e| score(e) <= score(best)));
    let said = format!(
        "stopped by --patience 5 after {done} of 200 epochs: no better on the dev set since epoch {best}"
    );
    let flat = ran.stdout().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(&said), "{flat}");
    assert!(summary["headline"].as_str().unwrap().contains(&said));
    let page = scratch.read("out/report.html");
    assert!(page.contains("Stopped early") && !page.contains("ended early"));
    // The same again from the record.
    scratch.gradscope("report out --out again -q").expect(0);
    assert_eq!(scratch.read("again/summary.json"), scratch.read("out/summary.json"));
}

#[test]
fn more_patience_goes_on_as_if_there_had_been_more_from_the_beginning() {
    let scratch = Scratch::new();
    scratch.gradscope(&format!("{RUN} --patience 3 --out parts -q --save-model")).expect(0);
    let message = scratch.gradscope("run --resume parts").expect(2).stderr();
    assert!(message.contains("larger --patience"), "{message}");
    scratch.gradscope("run --resume parts --patience 8 -q").expect(0);
    scratch.gradscope(&format!("{RUN} --patience 8 --out whole -q")).expect(0);
    let [mut parts, mut whole] = ["parts", "whole"].map(|d| scratch.summary(d));
    for summary in [&mut parts, &mut whole] {
        for key in ["wall_s", "capture_overhead", "command"] {
            summary["run"].as_object_mut().unwrap().remove(key);
        }
    }
    assert_eq!(parts, whole);
}

#[test]
fn a_shorter_patience_that_is_over_already_is_not_said_to_have_stopped_the_run() {
    let scratch = Scratch::new();
    scratch.gradscope(&format!("{RUN} --patience 3 --out out -q --save-model")).expect(0);
    let run = scratch.summary("out")["run"].clone();
    let message = scratch.gradscope("run --resume out --patience 1").expect(2).stderr();
    let said = format!(
        "after {} epochs, the run is no better on the dev set since epoch {}, which is the end of --patience 1;",
        run["epochs_done"], run["early_stop"]["best_epoch"]
    );
    assert!(message.contains(&said), "{message}");
}

#[test]
#[cfg(unix)]
fn part_of_an_epoch_ends_no_patience() {
    let scratch = Scratch::new();
    // Never better than at first: the second epoch is the end of patience, once it is whole.
    let words = "run --model relu5 --lr 1e-30 --samples 8000 --batch-size 4 --epochs 9 --patience 1";
    let words = format!("{words} --save-model -q --out out");
    let mut child = scratch.command().args(words.split(' ')).spawn().unwrap();
    let record = scratch.path().join("out/record.jsonl");
    let deadline = Instant::now() + Duration::from_secs(120);
    while !std::fs::read_to_string(&record).unwrap_or_default().contains("\"kind\":\"epoch\"") {
        assert!(Instant::now() < deadline, "no epoch after two minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let summary = scratch.summary("out");
    assert_eq!(
        (&summary["run"]["outcome"], &summary["epochs"][1]["partial"]),
        (&"interrupted".into(), &true.into())
    );
    assert!(summary["run"]["early_stop"].is_null(), "{}", summary["run"]);
    scratch.gradscope("run --resume out -q").expect(0);
    let run = &scratch.summary("out")["run"];
    assert_eq!((&run["outcome"], &run["epochs_done"]), (&"finished".into(), &2.into()));
    assert_eq!(run["early_stop"]["best_epoch"], 0);
}

#[test]
fn the_last_epoch_is_captured_also_where_most_are_not() {
    // From 128 captured epochs on not every epoch is; this run moves nothing.
    let scratch = Scratch::new();
    let words = "run --model relu5 --lr 1e-30 --epochs 1000 --patience 151 --out out -q";
    scratch.gradscope(words).expect(0);
    let summary = scratch.summary("out");
    let done = summary["run"]["epochs_done"].as_u64().unwrap();
    assert!(done < 1000);
    assert_eq!(summary["epochs"].as_array().unwrap().last().unwrap()["epoch"], done - 1);
}

#[test]
fn patience_without_a_dev_set_is_refused() {
    let scratch = Scratch::new();
    let ran = scratch.gradscope("run --model mlp --data polynomial --patience 3 --out out").expect(2);
    assert!(ran.stderr().contains("--split") && ran.stderr().lines().count() == 1, "{}", ran.stderr());
    assert!(scratch.list(".").is_empty());
}
