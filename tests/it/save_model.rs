//! `--save-model`: the best parameters, readable by whoever reads the safetensors format.

use crate::support::Scratch;
use safetensors::{Dtype, SafeTensors};

const RUN: &str = "run --model mlp --hidden 6 --norm batch-pre --batch-size 64 --epochs 8 --lr 0.05 -q";

/// Names with shapes, sorted.
type Shapes = Vec<(String, Vec<usize>)>;

/// The tensors and the metadata.
fn read(scratch: &Scratch, name: &str) -> (Shapes, Vec<(String, String)>) {
    let bytes = std::fs::read(scratch.path().join(name)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file.iter().map(|(n, t)| (n.to_owned(), t.shape().to_vec())).collect();
    assert!(file.iter().all(|(_, t)| t.dtype() == Dtype::F32));
    tensors.sort();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut metadata: Vec<_> = header.metadata().clone().unwrap().into_iter().collect();
    metadata.sort();
    (tensors, metadata)
}

#[test]
fn the_best_parameters_have_their_names_and_shapes_and_say_what_they_are() {
    let scratch = Scratch::new();
    scratch.gradscope(&format!("{RUN} --save-model --out out")).expect(0);
    assert_eq!(
        scratch.list("out"),
        ["model.safetensors", "plots", "record.jsonl", "report.html", "state.safetensors", "summary.json"]
    );
    let (tensors, metadata) = read(&scratch, "out/model.safetensors");
    let expected = [
        ("bn1.bias", vec![6]),
        ("bn1.running_mean", vec![6]),
        ("bn1.running_var", vec![6]),
        ("bn1.weight", vec![6]),
        ("fc1.bias", vec![6]),
        ("fc1.weight", vec![6, 2]),
        ("fc2.bias", vec![1]),
        ("fc2.weight", vec![1, 6]),
    ];
    assert_eq!(tensors, expected.map(|(name, shape)| (name.to_owned(), shape)));
    let epoch = scratch.summary("out")["test"]["epoch"].to_string();
    let version = env!("CARGO_PKG_VERSION");
    let words = [("epoch", epoch.as_str()), ("format", "pt"), ("gradscope", version), ("model", "mlp")];
    assert_eq!(metadata, words.map(|(k, v)| (k.to_owned(), v.to_owned())));
}

#[test]
fn the_same_run_saves_the_same_bytes_with_and_without_a_test_set() {
    let scratch = Scratch::new();
    let bytes = |name: &str| std::fs::read(scratch.path().join(name)).unwrap();
    for out in ["a", "b"] {
        scratch.gradscope(&format!("{RUN} --save-model --split 640,160,0 --out {out}")).expect(0);
    }
    assert_eq!(bytes("a/model.safetensors"), bytes("b/model.safetensors"));
    // The rows for training and choosing are the same as with a test set, and so is the best epoch.
    scratch.gradscope(&format!("{RUN} --save-model --out c")).expect(0);
    assert_eq!(bytes("a/model.safetensors"), bytes("c/model.safetensors"));
    assert!(scratch.summary("a")["test"].is_null());
}

#[test]
fn without_a_dev_set_the_last_parameters_are_kept() {
    let scratch = Scratch::new();
    let words = "run --model mlp --hidden 4 --data polynomial --epochs 3 -q --save-model --out out";
    scratch.gradscope(words).expect(0);
    let (_, metadata) = read(&scratch, "out/model.safetensors");
    assert!(metadata.contains(&("epoch".into(), "2".into())), "{metadata:?}");
}

#[test]
fn a_model_of_an_earlier_run_does_not_stay_beside_the_record_of_another() {
    let scratch = Scratch::new();
    scratch.gradscope(&format!("{RUN} --save-model --out out")).expect(0);
    scratch.gradscope(&format!("{RUN} --out out")).expect(0);
    assert_eq!(scratch.list("out"), ["plots", "record.jsonl", "report.html", "summary.json"]);
    // Somebody else's file is left alone.
    scratch.file("out/model.safetensors", "mine");
    scratch.gradscope(&format!("{RUN} --out out")).expect(0);
    assert_eq!(scratch.read("out/model.safetensors"), "mine");
}

#[test]
#[cfg(unix)]
fn a_disk_that_fills_leaves_no_half_written_model() {
    let scratch = Scratch::new();
    let program = env!("CARGO_BIN_EXE_gradscope");
    let words = "run --model mlp --hidden 300,300 --epochs 1 --save-model --out out -q";
    // Enough for the record, but not for 360 kB of parameters.
    let script = format!("trap '' XFSZ; ulimit -f 300; exec {program} {words}");
    let ran =
        std::process::Command::new("sh").args(["-c", &script]).current_dir(scratch.path()).output().unwrap();
    let message = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(3), "{message}");
    assert!(message.contains("cannot write") && message.contains(".safetensors"), "{message}");
    assert_eq!(scratch.list("out"), ["record.jsonl"]);
}

#[test]
fn the_saved_parameters_are_those_that_the_best_epoch_left() {
    let scratch = Scratch::new();
    // Steps so large that the score on the dev set goes up and down.
    let run = "run --model mlp --hidden 6 --batch-size 64 --lr 0.3 --seed 3 -q --save-model";
    scratch.gradscope(&format!("{run} --epochs 12 --out long")).expect(0);
    let best = scratch.summary("long")["test"]["epoch"].as_u64().unwrap();
    assert!(best < 11, "the last epoch is the best: nothing is shown");
    scratch.gradscope(&format!("{run} --epochs {} --out short", best + 1)).expect(0);
    let tensors = |name: &str, prefix: &str| {
        let bytes = std::fs::read(scratch.path().join(name)).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors: Vec<(String, Vec<u8>)> = file
            .iter()
            .filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.to_owned(), t.data().to_vec())))
            .collect();
        tensors.sort();
        tensors
    };
    assert_eq!(tensors("long/model.safetensors", ""), tensors("short/state.safetensors", "model."));
    assert_ne!(tensors("long/model.safetensors", ""), tensors("long/state.safetensors", "model."));
}
