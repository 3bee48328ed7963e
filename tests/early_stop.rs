//! `--patience`: a run that no longer gets better on the dev set is over, and says so.
#![cfg(feature = "train")]

mod support;

use support::Scratch;

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
