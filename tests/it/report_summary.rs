//! summary.json: names that scripts rely on, numbers that are not finite, runs that ended early.

use crate::report_support::{diagnosis, record, record_of};
use gradscope::record::Outcome;
use gradscope::report::{RunOutcome, Summary};
use gradscope::stats::Distribution;
use serde_json::{Value, json};

fn value(summary: &Summary) -> Value {
    serde_json::from_str(&summary.to_json().unwrap()).unwrap()
}

#[test]
fn the_whole_file() {
    insta::assert_snapshot!(Summary::new(&record(), &diagnosis()).to_json().unwrap());
}

#[test]
fn it_reads_back_as_it_was_written() {
    let mut diagnosis = diagnosis();
    diagnosis.findings.pop();
    let summary = Summary::new(&record(), &diagnosis);
    assert_eq!(serde_json::from_str::<Summary>(&summary.to_json().unwrap()).unwrap(), summary);
}

#[test]
fn a_recorder_that_does_not_know_the_learning_rate_gives_a_summary_that_is_read() {
    let mut record = record();
    record.header.run.training.lr = f64::NAN;
    record.epochs[0].lr = f64::NAN;
    let text = Summary::new(&record, &crate::report_support::healthy()).to_json().unwrap();
    let read: Summary = serde_json::from_str(&text).unwrap();
    assert!(read.epochs[0].lr.is_nan() && read.run.settings.training.lr.is_nan());
}

#[test]
fn the_update_is_compared_with_the_weight_but_not_with_almost_nothing() {
    let mut record = record();
    let captured = &mut record.epochs[0].layers[1];
    captured.weight = Distribution::new(&[3.0, 4.0, 0.0]);
    captured.update = Some(Distribution::new(&[0.0, 0.5, 0.0]));
    record.epochs[1].layers[1].weight = Distribution::new(&[0.0; 3]);
    record.epochs[1].layers[1].update = Some(Distribution::new(&[0.0, 0.5, 0.0]));
    let layer = &Summary::new(&record, &diagnosis()).layers[1];
    assert_eq!(layer.epochs[0].update_ratio, Some(0.1));
    assert_eq!(layer.epochs[1].update_ratio, Some(5.0), "0.5 over 0.1 · √1");
}

#[test]
fn nothing_that_is_not_finite_is_dropped() {
    let mut record = record();
    record.epochs[1].train_loss = f64::NAN;
    record.epochs[1].grad_l2 = f64::INFINITY;
    let captured = &mut record.epochs[1].layers[0];
    captured.weight = Distribution::new(&[f32::NAN, f32::NAN]);
    captured.weight_grad = Some(Distribution::new(&[1.0, f32::NEG_INFINITY]));
    captured.activations.as_mut().unwrap().pre = Distribution::new(&[f32::NAN]);
    let summary = value(&Summary::new(&record, &diagnosis()));
    assert_eq!(summary["epochs"][1]["train_loss"], json!("NaN"));
    assert_eq!(summary["epochs"][1]["grad_l2"], json!("Infinity"));
    let epoch = &summary["layers"][0]["epochs"][1];
    assert_eq!(epoch["weight"]["l2"], json!("NaN"));
    assert_eq!(epoch["weight"]["nan"], json!(2));
    for absent in ["mean", "std", "min", "max", "q"] {
        assert_eq!(epoch["weight"][absent], Value::Null, "{absent} of no finite value");
    }
    assert_eq!(epoch["weight_grad"]["l2"], json!("Infinity"));
    assert_eq!(epoch["weight_grad"]["mean"], json!(1.0));
    assert_eq!(epoch["update_ratio"], json!("NaN"));
    assert_eq!(epoch["activation"]["dead_units"], Value::Null, "of a NaN nobody knows whether it fires");
    assert_eq!(summary["findings"][2]["value"], json!("NaN"));
}

#[test]
fn it_says_how_a_run_ended_and_how_far_it_came() {
    let mut record = record();
    for (outcome, expected) in [
        (Outcome::Finished, "finished"),
        (Outcome::Interrupted, "interrupted"),
        (Outcome::Terminated, "terminated"),
    ] {
        record.end.as_mut().unwrap().outcome = outcome;
        assert_eq!(value(&Summary::new(&record, &diagnosis()))["run"]["outcome"], json!(expected));
    }
    record.end = None;
    record.epochs[1].partial = true;
    let run = Summary::new(&record, &diagnosis()).run;
    assert_eq!((run.outcome, run.epochs_done, run.steps_done), (RunOutcome::Killed, 1, 2));
    assert_eq!((run.wall_s, run.capture_overhead), (None, None));
}

#[test]
fn the_overhead_is_measured_against_training_alone() {
    let run = Summary::new(&record(), &diagnosis()).run;
    assert_eq!(run.capture_overhead, Some(0.25));
}

#[test]
fn a_hostile_name_is_only_a_name() {
    let name = "</script><img onerror=\"alert('x')\">\u{202e}\\";
    let summary = value(&Summary::new(&record_of([name, "fc2"]), &diagnosis()));
    assert_eq!(summary["layers"][0]["name"], json!(name));
}
