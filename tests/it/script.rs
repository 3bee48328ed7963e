//! TorchScript programs: trained as models that are described are, told from files that are none, and never
//! said to be measured inside of.

use std::fs;
use std::path::Path;

use crate::support::Scratch;
use serde_json::Value;

/// The data and the settings under which the programs of the fixtures are what the zoo's models are.
const TEACHING: &str = "--split 640,160,200 --no-shuffle-split --optimizer sgd --batch-size full --seed 3";

/// A place among the fixtures.
fn fixture(name: &str) -> String {
    crate::support::fixture(name).display().to_string()
}

/// Runs with the sample table, into `out`.
fn run(scratch: &Scratch, out: &str, flags: &str) -> Value {
    let data = fixture("moons.csv");
    scratch.gradscope(&format!("run --data csv:{data} {TEACHING} -q --out {out} {flags}")).expect(0);
    scratch.summary(out)
}

fn rules(summary: &Value, key: &str) -> Vec<String> {
    let of = |f: &Value| f["rule"].as_str().unwrap().to_owned();
    summary[key].as_array().unwrap().iter().map(of).collect()
}

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some(text) => text.parse().unwrap_or(f64::NAN),
        None => value.as_f64().unwrap_or_else(|| panic!("{value} is no number")),
    }
}

/// Within 1e-4 of the larger.
fn close(a: &Value, b: &Value) -> bool {
    let (a, b) = (number(a), number(b));
    (a - b).abs() <= (1e-4 * a.abs().max(b.abs())).max(1e-12)
}

#[test]
fn a_model_a_file_and_a_program_are_trained_alike() {
    let scratch = Scratch::new();
    let zoo = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/train/zoo/{name}.toml"));
    for (case, name, flags, healthy) in [
        ("healthy", "moons1", "--lr 2 --epochs 150 --loss bce", true),
        ("dead", "relu5", "--lr 0.01 --epochs 20 --loss bce", false),
        ("vanishing", "sigmoid5", "--lr 0.01 --epochs 20 --loss bce", false),
    ] {
        let bias = match case {
            "healthy" => "0",
            "dead" => "-8",
            _ => "1",
        };
        let model = run(&scratch, &format!("{case}-model"), &format!("--model {name} --bias {bias} {flags}"));
        let file = zoo(name).display().to_string();
        let described =
            run(&scratch, &format!("{case}-toml"), &format!("--model {file} --bias {bias} {flags}"));
        let script = fixture(&format!("scripts/{case}.pt"));
        let program = run(&scratch, &format!("{case}-script"), &format!("--model {script} {flags}"));
        assert_eq!(described["findings"], model["findings"], "{case}");
        assert_eq!(described["layers"], model["layers"], "{case}");
        assert_eq!(program["verdict"], model["verdict"], "{case}");
        assert_eq!(program["verdict"] == "healthy", healthy, "{case}: {}", program["findings"]);
        // What was measured of a program says the same; its root is the other's, unless that asks for what was not.
        let told = |s: &Value, roots: bool| -> Vec<[Value; 4]> {
            let all = s["findings"].as_array().unwrap().iter().filter(|f| !roots || f["root"] == true);
            let fields = ["rule", "layer", "severity", "first_epoch"];
            all.map(|f| fields.map(|key| f[key].clone())).collect()
        };
        let (own, theirs) = (told(&program, false), told(&model, false));
        assert!(own.iter().all(|f| theirs.contains(f)), "{case}: {own:?} {theirs:?}");
        let missing = rules(&program, "not_measured");
        let seen = |f: &[Value; 4]| !missing.contains(&f[0].as_str().unwrap().to_owned());
        if told(&model, true).iter().all(seen) {
            assert_eq!(told(&program, true), told(&model, true), "{case}");
        }
        let epochs = |s: &Value| s["epochs"].as_array().unwrap().clone();
        assert_eq!(epochs(&program).len(), epochs(&model).len(), "{case}");
        for (a, b) in epochs(&program).iter().zip(&epochs(&model)) {
            for key in ["train_loss", "dev_loss", "train_score", "dev_score", "grad_l2"] {
                assert!(close(&a[key], &b[key]), "{case}: {key} {} {}", a[key], b[key]);
            }
        }
        let layers = |s: &Value| s["layers"].as_array().unwrap().clone();
        assert_eq!(layers(&program).len(), layers(&model).len());
        for (a, b) in layers(&program).iter().zip(&layers(&model)) {
            for key in ["name", "kind", "parameters"] {
                assert_eq!(a[key], b[key], "{case}");
            }
            for (a, b) in a["epochs"].as_array().unwrap().iter().zip(b["epochs"].as_array().unwrap()) {
                assert!(close(&a["update_ratio"], &b["update_ratio"]), "{case}");
                for tensor in ["weight", "bias", "weight_grad", "bias_grad"] {
                    assert!(close(&a[tensor]["l2"], &b[tensor]["l2"]), "{case}: {tensor}");
                }
                assert!(a["activation"].is_null());
            }
        }
        assert!(close(&program["test"]["loss"], &model["test"]["loss"]), "{case}");
    }
}

#[test]
fn what_cannot_be_seen_is_not_measured_and_dead_units_are_judged_by_their_gradients() {
    let scratch = Scratch::new();
    let dead = run(
        &scratch,
        "dead",
        &format!("--model {} --lr 0.01 --epochs 3 --loss bce", fixture("scripts/dead.pt")),
    );
    let missing = rules(&dead, "not_measured");
    for rule in [
        "dormant-units",
        "saturated",
        "output-saturated",
        "output-activation",
        "constant-output",
        "init-scale",
        "exploding-depth",
        "vanishing-time",
    ] {
        assert!(missing.contains(&rule.to_owned()), "{rule}: {missing:?}");
        assert!(!rules(&dead, "findings").contains(&rule.to_owned()), "{rule}");
    }
    assert!(!missing.contains(&"dead-layer".to_owned()) && !missing.contains(&"vanishing-all".to_owned()));
    let finding = &dead["findings"][0];
    assert_eq!((&finding["rule"], &finding["root"]), (&"dead-layer".into(), &true.into()));
    assert_eq!(finding["layers"], serde_json::json!(["fc1", "fc2", "fc3", "fc4"]));
    let message = finding["message"].as_str().unwrap();
    assert!(
        message.contains("indirect test") && message.contains("activations were not measured"),
        "{message}"
    );
    let page = scratch.read("dead/report.html");
    assert!(page.contains("judged indirectly") && page.contains("inside of which nothing can be seen"));
    // The flags of remedies are such as a program takes.
    for remedy in dead["findings"].as_array().unwrap().iter().flat_map(|f| f["remedies"].as_array().unwrap())
    {
        assert!(!remedy["flag"].as_str().unwrap().contains("--bias"), "{remedy}");
    }

    let half = fixture("scripts/half.pt");
    let half = run(&scratch, "half", &format!("--model {half} --lr 0.1 --epochs 30 --loss bce"));
    let units = half["findings"].as_array().unwrap().iter().find(|f| f["rule"] == "dead-units").unwrap();
    assert_eq!((&units["layer"], number(&units["value"])), (&"fc1".into(), 0.5));

    // Nothing stands in for them where gradients are not looked at.
    let norms = run(
        &scratch,
        "norms",
        &format!("--model {} --loss bce --capture norms --epochs 3", fixture("scripts/dead.pt")),
    );
    assert!(rules(&norms, "not_measured").contains(&"dead-layer".to_owned()));
}

#[test]
fn layers_that_somebody_wrote_are_not_judged_by_rows_and_what_is_left_out_at_times_is_not_frozen() {
    let scratch = Scratch::new();
    let own = fixture("scripts/own.pt");
    // An epoch of two batches: in a quarter of the epochs the block is in neither.
    let flags = "--data moons --loss bce --lr 0.1 --batch-size 320";
    scratch.gradscope(&format!("run --model {own} {flags} --epochs 12 -q --out own")).expect(0);
    let own = scratch.summary("own");
    let found = rules(&own, "findings");
    for rule in ["dead-layer", "dead-units", "layer-frozen"] {
        assert!(!found.contains(&rule.to_owned()), "{rule}: {found:?}");
    }
    assert!(scratch.read("own/record.jsonl").contains("zero_rows"), "the block is one of PyTorch's");
}

#[test]
fn a_class_that_holds_itself_comes_to_an_end() {
    let scratch = Scratch::new();
    let said =
        refused(&scratch, &format!("--model {} --data moons --loss bce", fixture("scripts/endless.pt")));
    assert!(said.contains("its classes declare too much"), "{said}");
}

#[test]
fn too_little_memory_is_no_fault_of_the_program() {
    let scratch = Scratch::new();
    let words = format!("run --model {} --data moons --loss bce --out out", fixture("scripts/hungry.pt"));
    let ran = scratch.gradscope(&words);
    let message = ran.stderr();
    assert_eq!((ran.status(), message.lines().count()), (3, 1), "{message}");
    assert!(message.contains("can't allocate memory") && !message.contains("does not take"), "{message}");
    assert!(!scratch.path().join("out").exists());
}

#[test]
fn a_file_that_is_called_like_a_model_does_not_hide_it() {
    let scratch = Scratch::new();
    fs::write(scratch.path().join("relu5"), "notes").unwrap();
    scratch.gradscope("run --model relu5 --epochs 1 -q --out out").expect(0);
}

#[test]
fn names_keep_their_dots_and_a_parameter_without_a_gradient_is_named() {
    let scratch = Scratch::new();
    let script = fixture("scripts/parts.pt");
    let words = format!(
        "run --model {script} --data csv:{} {TEACHING} --epochs 4 --loss bce --save-model --out out",
        fixture("moons.csv")
    );
    let ran = scratch.gradscope(&words).expect(0);
    assert!(
        ran.stderr().contains("unused.weight, unused.bias get no gradient: the loss does not depend on them"),
        "{}",
        ran.stderr()
    );
    let summary = scratch.summary("out");
    let layers: Vec<(String, String)> = summary["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| (l["name"].as_str().unwrap().to_owned(), l["kind"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [
        ("scale", "other"),
        ("encoder.0", "linear"),
        ("encoder.3", "linear"),
        ("fixed", "linear"),
        ("lstm.weight_ih_l0", "recurrent"),
        ("lstm.weight_hh_l0", "recurrent"),
        ("unused", "linear"),
        ("head", "linear"),
    ];
    assert_eq!(layers, expected.map(|(name, kind)| (name.to_owned(), kind.to_owned())));
    let frozen = summary["findings"].as_array().unwrap().iter().find(|f| f["layer"] == "unused").unwrap();
    assert_eq!(frozen["rule"], "layer-frozen");
    assert!(frozen["message"].as_str().unwrap().contains("never receives a gradient"), "{frozen}");
    let absent = &summary["layers"][6]["epochs"][0];
    assert!(absent["weight_grad"].is_null() && !summary["layers"][7]["epochs"][0]["weight_grad"].is_null());
    // Frozen by intent, and told so.
    let still =
        summary["findings"].as_array().unwrap().iter().find(|f| f["rule"] == "expected-zero").unwrap();
    assert!(still["message"].as_str().unwrap().contains("fixed is not to be trained"), "{still}");
    let saved = scratch.path().join("out/model.safetensors");
    let text = String::from_utf8_lossy(&fs::read(saved).unwrap()).into_owned();
    assert!(text.contains("\"encoder.0.weight\"") && text.contains("\"lstm.bias_hh_l0\""));
}

#[test]
fn training_and_evaluation_mode_are_kept_apart() {
    let scratch = Scratch::new();
    // Dropout draws in training alone: what is scored without it is the same twice.
    let script = fixture("scripts/parts.pt");
    let flags = format!("--model {script} --epochs 2 --loss bce --lr 1e-9");
    let summary = run(&scratch, "out", &flags);
    let epochs = summary["epochs"].as_array().unwrap();
    let differ = |key: &str| (number(&epochs[0][key]) - number(&epochs[1][key])).abs();
    assert!(differ("train_loss") > 1e-7, "{epochs:?}");
    assert!(differ("dev_loss") < 1e-7, "{epochs:?}");
    // Kinds that the classes of modules tell, and running statistics that learn.
    let odd = run(
        &scratch,
        "odd",
        &format!("--model {} --epochs 2 --loss cross-entropy", fixture("scripts/odd.pt")),
    );
    let kinds: Vec<&str> =
        odd["layers"].as_array().unwrap().iter().map(|l| l["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["conv1d", "batch-norm", "conv-transpose", "group-norm", "linear"]);
    let traced = fixture("scripts/traced.pt");
    run(&scratch, "traced", &format!("--model {traced} --epochs 2 --loss cross-entropy"));
}

#[test]
fn a_program_goes_on_where_it_stopped() {
    let scratch = Scratch::new();
    let flags = |epochs: u64| {
        format!("--model {} --loss bce --save-model --epochs {epochs}", fixture("scripts/parts.pt"))
    };
    run(&scratch, "whole", &format!("{} --lr 0.1", flags(6)));
    run(&scratch, "part", &format!("{} --lr 0.1", flags(3)));
    scratch.gradscope("run --resume part --epochs 6 -q").expect(0);
    let (whole, part) = (scratch.summary("whole"), scratch.summary("part"));
    for key in ["epochs", "layers", "findings", "test"] {
        assert_eq!(whole[key], part[key], "{key}");
    }
    let patient = run(&scratch, "patient", &format!("{} --patience 2 --lr 1e-12", flags(50)));
    assert!(number(&patient["run"]["epochs_done"]) < 50.0);
}

/// What is said of a run that must be refused, with nothing written.
fn refused(scratch: &Scratch, words: &str) -> String {
    let before = scratch.list(".");
    let ran = scratch.gradscope(&format!("run --out out {words}"));
    let message = ran.stderr();
    assert_eq!(ran.status(), 2, "{words}: {message}");
    assert_eq!(scratch.list("."), before, "{words} left something behind");
    for noise in ["panicked", "frame #", "Traceback", "Exception raised"] {
        assert!(!message.contains(noise), "{message}");
    }
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    message.trim_end().to_owned()
}

#[test]
fn what_is_no_program_or_does_not_fit_is_said_in_one_sentence() {
    let scratch = Scratch::new();
    scratch.file("text.pt", "hello, this is no archive");
    scratch.file("empty.pt", "");
    let archive = |name: &str, files: &[(&str, &[u8])]| {
        fs::write(scratch.path().join(name), crate::support::archive(files)).unwrap();
    };
    archive("exported.pt2", &[("serialized_exported_program.json", b"{}"), ("version", b"1")]);
    archive("archive.pt", &[("m/archive_format", b"pt2"), ("m/models/model.json", b"{}")]);
    archive("zip.pt", &[("readme.txt", b"hello")]);
    archive("broken.pt", &[("m/data.pkl", b"."), ("m/code/__torch__.py", b""), ("m/constants.pkl", b".")]);
    for name in ["plain.pt", "legacy.pt", "plain.safetensors", "plain.npz"] {
        fs::copy(fixture(&format!("checkpoints/{name}")), scratch.path().join(name)).unwrap();
    }
    for name in ["healthy", "constant", "double", "tied", "pair", "squeezed", "odd", "traced"] {
        fs::copy(fixture(&format!("scripts/{name}.pt")), scratch.path().join(format!("{name}.pt"))).unwrap();
    }
    let moons = "--data moons --loss bce";
    let cases = [
        format!("--model missing.pt {moons}"),
        format!("--model text.pt {moons}"),
        format!("--model empty.pt {moons}"),
        format!("--model plain.pt {moons}"),
        format!("--model legacy.pt {moons}"),
        format!("--model plain.safetensors {moons}"),
        format!("--model plain.npz {moons}"),
        format!("--model exported.pt2 {moons}"),
        format!("--model archive.pt {moons}"),
        format!("--model zip.pt {moons}"),
        format!("--model broken.pt {moons}"),
        format!("--model constant.pt {moons}"),
        format!("--model double.pt {moons}"),
        format!("--model tied.pt {moons}"),
        format!("--model pair.pt {moons}"),
        format!("--model squeezed.pt {moons}"),
        format!("--model traced.pt {moons}"),
        "--model healthy.pt".into(),
        "--model healthy.pt --data blobs:3".into(),
        "--model healthy.pt --data memory:6 --loss cross-entropy".into(),
        format!("--model healthy.pt {moons} --init xavier-uniform"),
        format!("--model healthy.pt {moons} --bias 0"),
        format!("--model healthy.pt {moons} --act relu"),
        format!("--model healthy.pt {moons} --hidden 4,4"),
        format!("--model healthy.pt {moons} --norm layer"),
        format!("--model healthy.pt {moons} --dropout 0.1"),
        format!("--model healthy.pt {moons} --capture all"),
        "--model odd.pt --data moons --loss cross-entropy --save-model".into(),
    ];
    let said: Vec<String> =
        cases.iter().map(|words| format!("$ gradscope run {words}\n{}", refused(&scratch, words))).collect();
    insta::assert_snapshot!(said.join("\n\n"));
    for command in ["summary", "gradcheck"] {
        let ran = scratch.gradscope(&format!("{command} --model healthy.pt"));
        assert_eq!(ran.status(), 2);
        assert!(ran.stderr().contains("trained with gradscope run"), "{}", ran.stderr());
    }
}
