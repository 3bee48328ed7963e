//! `gradscope run --resume`: a run that was stopped and goes on ends as if it had never been stopped.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::Scratch;
use serde_json::Value;

/// What is left of a summary when times are taken out.
fn timeless(scratch: &Scratch, directory: &str) -> Value {
    let mut summary = scratch.summary(directory);
    for key in ["wall_s", "capture_overhead", "command"] {
        summary["run"].as_object_mut().unwrap().remove(key);
    }
    summary
}

/// Lines of a kind in a record, if there is one.
fn lines(scratch: &Scratch, directory: &str, kind: &str) -> usize {
    let path = scratch.path().join(directory).join("record.jsonl");
    std::fs::read_to_string(path).unwrap_or_default().matches(&format!("\"kind\":\"{kind}\"")).count()
}

/// Everything in a record between the header and the end, which tell when and how fast it was run.
fn measured(scratch: &Scratch, directory: &str) -> Vec<String> {
    let record = scratch.read(&format!("{directory}/record.jsonl"));
    let between = record.lines().skip(1).filter(|l| !l.contains("\"kind\":\"end\""));
    between.map(str::to_owned).collect()
}

/// The header of a state, and where its tensors begin.
fn header(state: &[u8]) -> (Value, usize) {
    let end = 8 + u64::from_le_bytes(state[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&state[8..end]).unwrap(), end)
}

/// The state with something else in its progress.
fn with_progress(state: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let (mut header, end) = header(state);
    let words = &mut header["__metadata__"]["progress"];
    let mut progress = serde_json::from_str(words.as_str().unwrap()).unwrap();
    change(&mut progress);
    *words = progress.to_string().into();
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &state[end..]].concat()
}

/// The state with another first value in this tensor.
fn with_tensor(state: &[u8], name: &str, value: f32) -> Vec<u8> {
    let (header, end) = header(state);
    let at = end + header[name]["data_offsets"][0].as_u64().expect(name) as usize;
    let mut changed = state.to_vec();
    changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
    changed
}

/// Starts a run, and ends it with a signal once it has captured so many epochs.
fn stopped(scratch: &Scratch, words: &str, signal: &str, epochs: usize) {
    let mut child =
        scratch.command().args(words.split_whitespace()).stdout(Stdio::null()).spawn().expect("it starts");
    let directory = words.split_whitespace().last().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while lines(scratch, directory, "epoch") < epochs {
        assert!(Instant::now() < deadline, "no epochs after two minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
    let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let status = child.wait().unwrap();
    assert_ne!(status.code(), Some(0), "it was over before it was stopped");
}

/// The same run in one go, and stopped by this signal and resumed.
fn resumed_as_if_never_stopped(words: &str, signal: &str, epochs: usize) {
    let scratch = Scratch::new();
    scratch.gradscope(&format!("{words} -q --out whole")).expect(0);
    stopped(&scratch, &format!("{words} -q --save-model --out parts"), signal, epochs);
    scratch.gradscope("run --resume parts -q").expect(0);
    assert_eq!(timeless(&scratch, "parts"), timeless(&scratch, "whole"), "{words} {signal}");
    for kind in ["step", "epoch", "end"] {
        assert_eq!(lines(&scratch, "parts", kind), lines(&scratch, "whole", kind), "{words}: {kind}");
    }
}

const SIGNALS: [&str; 2] = ["-KILL", "-INT"];

#[test]
fn sgd_with_momentum_and_dropout() {
    for signal in SIGNALS {
        resumed_as_if_never_stopped(
            "run --model mlp --hidden 16,16 --optimizer sgd --lr 0.1 --momentum 0.9 --dropout 0.3 --batch-size 30 --epochs 50 --lr-decay cosine",
            signal,
            6,
        );
    }
}

#[test]
fn adam_with_batch_normalisation_and_clipping() {
    for signal in SIGNALS {
        resumed_as_if_never_stopped(
            "run --model mlp --hidden 16,16 --optimizer adam --norm batch-pre --clip-norm 0.5 --batch-size 32 --epochs 40 --capture-every 7",
            signal,
            6,
        );
    }
}

#[test]
fn rmsprop_with_momentum_and_adamw() {
    for (optimizer, signal) in [("rmsprop --momentum 0.5", "-KILL"), ("adamw --weight-decay 0.1", "-INT")] {
        let words = format!(
            "run --model mlp --hidden 16 --optimizer {optimizer} --batch-size 64 --epochs 80 --data blobs:3"
        );
        resumed_as_if_never_stopped(&words, signal, 10);
    }
}

#[test]
fn a_long_run_whose_record_is_thinned_out() {
    // One step an epoch: from 500 steps on a point stands for several, and epochs are left out.
    resumed_as_if_never_stopped("run --model relu5 --init normal:0,1 --epochs 900", "-KILL", 300);
}

#[test]
fn a_finished_run_goes_on_to_a_larger_number_of_epochs() {
    for (first, second) in [(6, 11), (131, 140)] {
        let scratch = Scratch::new();
        let words = "run --model relu3 --init normal:0,1 --optimizer adam --batch-size full -q";
        scratch.gradscope(&format!("{words} --epochs {second} --out whole")).expect(0);
        scratch.gradscope(&format!("{words} --epochs {first} --save-model --out parts")).expect(0);
        scratch.gradscope(&format!("run --resume parts --epochs {second} -q")).expect(0);
        assert_eq!(timeless(&scratch, "parts"), timeless(&scratch, "whole"));
        let command = scratch.summary("parts")["run"]["command"].to_string();
        assert!(command.contains(&format!("\"--epochs\",\"{second}\"")), "{command}");
    }
}

#[test]
fn an_end_that_was_counted_exactly_is_no_end_once_the_run_goes_on() {
    // A pass over the training set is dear enough to be made at the end alone, for the units that were
    // silent in every batch of the epoch.
    let words = "run --model mlp --hidden 200,200 --samples 3000 --batch-size 64 --optimizer adam --lr 0.1 \
                 --bias -0.2 --capture-every 20 -q";
    let scratch = Scratch::new();
    scratch.gradscope(&format!("{words} --epochs 3 --out whole")).expect(0);
    scratch.gradscope(&format!("{words} --epochs 1 --save-model --out parts")).expect(0);
    let first = |d: &str| measured(&scratch, d).into_iter().find(|l| l.contains("\"kind\":\"epoch\""));
    assert_ne!(first("parts"), first("whole"), "the end does not matter here");
    let state = scratch.path().join("parts/state.safetensors");
    let good = std::fs::read(&state).unwrap();
    for key in ["epoch", "layers"] {
        let damaged = with_progress(&good, |progress| match &mut progress["ended"][key] {
            Value::Array(layers) => drop(layers.pop()),
            epoch => *epoch = 1.into(),
        });
        std::fs::write(&state, damaged).unwrap();
        let message = scratch.gradscope("run --resume parts --epochs 3 -q").expect(2).stderr();
        assert!(message.contains("does not fit the record"), "{message}");
    }
    std::fs::write(&state, good).unwrap();
    for epochs in [2, 3] {
        scratch.gradscope(&format!("run --resume parts --epochs {epochs} -q")).expect(0);
    }
    assert_eq!(timeless(&scratch, "parts"), timeless(&scratch, "whole"));
    assert_eq!(measured(&scratch, "parts"), measured(&scratch, "whole"));
}

#[test]
fn what_is_saved_is_what_the_run_goes_on_from() {
    let scratch = Scratch::new();
    let words = "run --model mlp --hidden 8 --optimizer adam --batch-size 32 -q";
    scratch.gradscope(&format!("{words} --epochs 6 --out whole")).expect(0);
    scratch.gradscope(&format!("{words} --epochs 4 --save-model --out parts")).expect(0);
    let names = ["record.jsonl", "state.safetensors"].map(|n| scratch.path().join("parts").join(n));
    let [record, state] = names.each_ref().map(|n| std::fs::read(n).unwrap());
    // Had it begun anew, none of this would show.
    for tensor in ["model.fc1.weight", "optimizer.exp_avg.fc1.weight", "optimizer.exp_avg_sq.fc2.weight"] {
        std::fs::write(&names[0], &record).unwrap();
        std::fs::write(&names[1], with_tensor(&state, tensor, 2.0)).unwrap();
        scratch.gradscope("run --resume parts --epochs 6 -q").expect(0);
        let [parts, whole] = ["parts", "whole"].map(|d| measured(&scratch, d));
        let last = |lines: &[String]| lines.iter().rfind(|l| l.contains("\"epoch\"")).cloned();
        assert_eq!(parts.len(), whole.len());
        assert_ne!(last(&parts), last(&whole), "{tensor}");
        let same = parts.iter().zip(&whole).take_while(|(a, b)| a == b).count();
        assert_eq!(same, 4 * (whole.len() / 6), "{tensor}: it goes on after four epochs of six");
    }
}

#[test]
fn half_a_line_at_the_end_of_a_record_is_dropped_whatever_its_bytes() {
    let scratch = Scratch::new();
    let words = "run --model mlp --hidden 4 -q";
    scratch.gradscope(&format!("{words} --epochs 3 --out whole")).expect(0);
    scratch.gradscope(&format!("{words} --epochs 2 --save-model --out parts")).expect(0);
    let record = scratch.read("parts/record.jsonl");
    let lines: Vec<&str> = record.lines().filter(|l| !l.contains("\"kind\":\"end\"")).collect();
    let mut bytes = (lines.join("\n") + "\n").into_bytes();
    bytes.extend(b"\xff\xfe{");
    std::fs::write(scratch.path().join("parts/record.jsonl"), bytes).unwrap();
    scratch.gradscope("run --resume parts --epochs 3 -q").expect(0);
    assert_eq!(timeless(&scratch, "parts"), timeless(&scratch, "whole"));
    assert_eq!(measured(&scratch, "parts"), measured(&scratch, "whole"));
}

#[test]
fn time_adds_up_and_the_model_is_that_of_the_whole_run() {
    let scratch = Scratch::new();
    let words = "run --model mlp --hidden 8 --batch-size 32 -q --save-model";
    scratch.gradscope(&format!("{words} --epochs 20 --out whole")).expect(0);
    scratch.gradscope(&format!("{words} --epochs 10 --out parts")).expect(0);
    // A thousand seconds so far: how fast this machine is now does not matter.
    let state = scratch.path().join("parts/state.safetensors");
    let slow = with_progress(&std::fs::read(&state).unwrap(), |progress| progress["wall_s"] = 1e3.into());
    std::fs::write(&state, slow).unwrap();
    scratch.gradscope("run --resume parts --epochs 20 -q").expect(0);
    let both = scratch.summary("parts")["run"]["wall_s"].as_f64().unwrap();
    assert!((1e3..1.5e3).contains(&both), "{both}");
    let model = |d: &str| std::fs::read(scratch.path().join(d).join("model.safetensors")).unwrap();
    assert_eq!(model("parts"), model("whole"));
}

#[test]
fn a_run_that_was_interrupted_in_its_first_epoch_begins_again() {
    let scratch = Scratch::new();
    let words = "run --model mlp --samples 20000 --batch-size 20 --epochs 1 -q";
    scratch.gradscope(&format!("{words} --out whole")).expect(0);
    let mut child = scratch
        .command()
        .args(format!("{words} --save-model --out parts").split(' '))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while lines(&scratch, "parts", "step") < 20 {
        assert!(Instant::now() < deadline, "no steps after a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    scratch.gradscope("run --resume parts -q").expect(0);
    assert_eq!(timeless(&scratch, "parts"), timeless(&scratch, "whole"));
}

#[test]
fn findings_can_be_asked_for_anew() {
    let scratch = Scratch::new();
    let words = "run --model relu5 --bias -8 --save-model -q --fail-on dead-relu";
    scratch.gradscope(&format!("{words} --epochs 1 --out out")).expect(1);
    scratch.gradscope("run --resume out --epochs 2 -q").expect(1);
    scratch.gradscope("run --resume out --epochs 3 -q --fail-on exploding").expect(0);
}

mod refused {
    use super::*;

    /// What was said, with nothing changed.
    fn refused(scratch: &Scratch, words: &str) -> String {
        let content = |name: &str| std::fs::read(scratch.path().join(name)).ok();
        let files = ["out/record.jsonl", "out/state.safetensors", "out/summary.json"];
        let (before, listed) = (files.map(content), scratch.list("out"));
        let ran = scratch.gradscope(words);
        let message = ran.stderr();
        assert_eq!((ran.status(), ran.stdout().as_str()), (2, ""), "{words}: {message}");
        assert_eq!(files.map(content), before, "{words} changed something");
        assert_eq!(scratch.list("out"), listed, "{words}");
        assert!(!message.contains("panicked"), "{message}");
        message.trim_end().to_owned()
    }

    fn ran(flags: &str) -> Scratch {
        let scratch = Scratch::new();
        let words = "run --model mlp --hidden 4 --batch-size 64 --epochs 2 -q --out out";
        scratch.gradscope(&format!("{words} {flags}")).expect(0);
        scratch
    }

    #[test]
    fn what_cannot_be_resumed() {
        let scratch = ran("--save-model");
        let mut messages = String::new();
        let mut refuse = |words: &str| {
            messages +=
                &format!("$ gradscope run {words}\n{}\n\n", refused(&scratch, &format!("run {words}")));
        };
        refuse("--resume out");
        refuse("--resume out --epochs 1");
        refuse("--resume nowhere --epochs 9");
        refuse("--resume out/record.jsonl --epochs 9");
        refuse("--resume out --epochs 9 --patience 0");
        scratch.gradscope("run --model mlp --epochs 1 -q --out plain").expect(0);
        refuse("--resume plain --epochs 9");
        scratch
            .gradscope("run --model mlp --epochs 2 --lr-decay cosine --save-model -q --out cosine")
            .expect(0);
        refuse("--resume cosine --epochs 9");
        scratch.gradscope("run --model mlp --data polynomial --epochs 2 --save-model -q --out all").expect(0);
        refuse("--resume all --epochs 9 --patience 2");
        insta::assert_snapshot!(messages);
    }

    #[test]
    fn flags_that_change_training_or_move_the_output() {
        let scratch = ran("--save-model");
        for flag in [
            "--model mlp",
            "--lr 0.1",
            "--seed 1",
            "--hidden 4",
            "--data moons",
            "--device cpu",
            "--threads 1",
            "--standardize",
            "--out other",
            "--force",
            "--capture-every 3",
        ] {
            let message = refused(&scratch, &format!("run --resume out --epochs 9 {flag}"));
            let name = flag.split(' ').next().unwrap();
            assert!(message.contains(name) && message.contains("cannot be used with"), "{flag}: {message}");
        }
    }

    #[test]
    fn a_state_of_another_run_or_none_at_all() {
        let scratch = ran("--save-model");
        let state = scratch.path().join("out/state.safetensors");
        let good = std::fs::read(&state).unwrap();
        let try_with = |bytes: &[u8]| {
            std::fs::write(&state, bytes).unwrap();
            refused(&scratch, "run --resume out --epochs 9")
        };
        let other = ran("--save-model --seed 1");
        let message = try_with(&std::fs::read(other.path().join("out/state.safetensors")).unwrap());
        assert!(message.contains("another run") && message.contains("run.seed"), "{message}");
        scratch.gradscope("run --model mlp --hidden 5 --epochs 1 -q --save-model --out wide").expect(0);
        let message = try_with(&std::fs::read(scratch.path().join("wide/state.safetensors")).unwrap());
        assert!(message.contains("another run"), "{message}");
        assert!(try_with(b"").contains("cannot be read"));
        assert!(try_with(&good[..good.len() / 2]).contains("cannot be read"));
        assert!(try_with(&[&u64::MAX.to_le_bytes()[..], &good[8..]].concat()).contains("cannot be read"));
        assert!(
            try_with(&std::fs::read(scratch.path().join("out/model.safetensors")).unwrap())
                .contains("no state of a run")
        );
        // Whatever a byte of the header becomes, it is read or refused.
        let record = scratch.read("out/record.jsonl");
        let length = header(&good).1;
        for at in (8..length).step_by(length / 25) {
            let mut mangled = good.clone();
            mangled[at] = b'9';
            std::fs::write(&state, &mangled).unwrap();
            let ran = scratch.gradscope("run --resume out --epochs 3 -q");
            assert!([0, 2].contains(&ran.status()), "{at}: {}", ran.stderr());
            assert!(!ran.stderr().contains("panicked"), "{at}: {}", ran.stderr());
            scratch.file("out/record.jsonl", &record);
        }
    }

    #[test]
    fn a_record_that_is_behind_its_state_or_whose_data_has_changed() {
        let scratch = ran("--save-model");
        let record = scratch.read("out/record.jsonl");
        let first: Vec<&str> = record.lines().take(4).collect();
        scratch.file("out/record.jsonl", &(first.join("\n") + "\n"));
        assert!(refused(&scratch, "run --resume out").contains("does not fit the record"));
        scratch.file("out/record.jsonl", &record.replacen("mlp", "relu5", 2));
        assert!(refused(&scratch, "run --resume out --epochs 9").contains("cannot be resumed"));
        scratch.file("out/record.jsonl", &record.replacen("\"--hidden\"", "\"--hiden\"", 1));
        assert!(refused(&scratch, "run --resume out --epochs 9").contains("cannot be run"));
    }
}
