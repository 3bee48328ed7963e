//! Runs that do not finish: killed, interrupted, terminated, on a full disk.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::Scratch;

/// A run that would take minutes, seen to have captured some epochs.
fn started(scratch: &Scratch) -> Child {
    let words = "run --model relu5 --epochs 1000000 --out out";
    let child = scratch
        .command()
        .args(words.split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("gradscope starts");
    let deadline = Instant::now() + Duration::from_secs(60);
    let captured = || {
        let record = std::fs::read_to_string(scratch.path().join("out/record.jsonl")).unwrap_or_default();
        record.matches("\"kind\":\"epoch\"").count() >= 5
    };
    while !captured() {
        assert!(Instant::now() < deadline, "no epochs after a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn signal(child: &Child, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_killed_run_leaves_a_record_that_report_renders_as_ended_early() {
    let scratch = Scratch::new();
    let mut child = started(&scratch);
    signal(&child, "-KILL");
    child.wait().unwrap();
    assert_eq!(scratch.list("out"), ["record.jsonl"]);
    scratch.gradscope("report out/record.jsonl").expect(0);
    let summary = scratch.summary("out");
    assert_eq!(summary["run"]["outcome"], "killed");
    assert!(summary["run"]["epochs_done"].as_u64().unwrap() >= 5);
    assert!(scratch.read("out/report.html").contains("ended early"));
}

#[test]
fn sigint_and_sigterm_stop_at_the_next_step_with_everything_written() {
    for (name, status, outcome) in [("-INT", 130, "interrupted"), ("-TERM", 143, "terminated")] {
        let scratch = Scratch::new();
        let mut child = started(&scratch);
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(status));
        assert_eq!(scratch.list("out"), ["plots", "record.jsonl", "report.html", "summary.json"]);
        assert_eq!(scratch.summary("out")["run"]["outcome"], outcome);
        assert!(scratch.read("out/report.html").contains("ended early"));
        assert!(
            scratch.read("out/record.jsonl").trim_end().lines().last().unwrap().contains("\"kind\":\"end\"")
        );
    }
}

#[test]
fn an_interrupted_first_epoch_still_gives_a_report() {
    let scratch = Scratch::new();
    let words = "run --model mlp --samples 2000000 --batch-size 20 --epochs 2 --out out -q";
    let mut child = scratch.command().args(words.split(' ')).stdout(Stdio::null()).spawn().unwrap();
    let record = scratch.path().join("out/record.jsonl");
    let deadline = Instant::now() + Duration::from_secs(60);
    while std::fs::metadata(&record).map_or(0, |m| m.len()) < 100_000 {
        assert!(Instant::now() < deadline, "no steps after a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let summary = scratch.summary("out");
    assert_eq!(summary["run"]["epochs_done"], 0);
    assert_eq!(summary["epochs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_disk_that_fills_ends_with_3_and_leaves_the_earlier_files_intact() {
    let scratch = Scratch::new();
    scratch.gradscope("run --model relu5 --epochs 2 --out out -q").expect(0);
    let [report, summary] = ["out/report.html", "out/summary.json"].map(|f| scratch.read(f));
    // A limit on the size of files is a disk that is full for this process alone.
    let program = env!("CARGO_BIN_EXE_gradscope");
    let script =
        format!("trap '' XFSZ; ulimit -f 40; exec {program} run --model relu5 --epochs 200 --out out -q");
    let ran =
        std::process::Command::new("sh").args(["-c", &script]).current_dir(scratch.path()).output().unwrap();
    let message = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(3), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains("cannot write") && message.contains("record.jsonl"), "{message}");
    assert_eq!(scratch.read("out/report.html"), report);
    assert_eq!(scratch.read("out/summary.json"), summary);
    // What was recorded until then can be read.
    scratch.gradscope("report out/record.jsonl --out again").expect(0);
}

#[test]
fn an_error_of_libtorch_ends_with_3_and_one_sentence() {
    let scratch = Scratch::new();
    let program = env!("CARGO_BIN_EXE_gradscope");
    // Too little memory for a layer of 20,000 by 20,000 (1.6 GB), and too little for a copy of it.
    for kilobytes in [1_500_000, 3_000_000] {
        let words = "run --model mlp --hidden 20000,20000 --out out -q";
        let script = format!("ulimit -v {kilobytes}; exec {program} {words}");
        let ran = std::process::Command::new("sh")
            .args(["-c", &script])
            .current_dir(scratch.path())
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(3), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(
            message.contains("memory") && !message.contains("frame #") && message.len() < 400,
            "{message}"
        );
        assert!(!scratch.path().join("out").join("report.html").exists());
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let scratch = Scratch::new();
    let program = env!("CARGO_BIN_EXE_gradscope");
    let script = format!(
        "{program} run --model relu5 --epochs 60 --out out --json | head -c 1; echo ${{PIPESTATUS[0]}}"
    );
    let ran = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "{0\n", "{}", String::from_utf8_lossy(&ran.stderr));
}
