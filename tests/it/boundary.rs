//! The plane of two inputs: recorded where there are two, drawn, and never trusted when it is read.

use crate::support::{Scratch, number};
use serde_json::{Value, json};

/// The last line of a record.
fn end(scratch: &Scratch, directory: &str) -> Value {
    let record = scratch.read(&format!("{directory}/record.jsonl"));
    serde_json::from_str(record.lines().last().unwrap()).unwrap()
}

#[test]
fn two_inputs_give_a_plane_with_the_scores_of_all_splits() {
    let scratch = Scratch::new();
    let words = "run --model mlp --hidden 16 --lr 0.02 --epochs 12 -q --out out";
    scratch.gradscope(words).expect(0);
    let (boundary, summary) = (end(&scratch, "out")["boundary"].clone(), scratch.summary("out"));
    let splits = boundary["splits"].as_array().unwrap();
    let rows: Vec<_> =
        splits.iter().map(|s| (s["name"].as_str().unwrap(), s["rows"].as_u64().unwrap())).collect();
    assert_eq!(rows, [("train", 640), ("dev", 160), ("test", 200)]);
    assert_eq!(boundary["epoch"], summary["test"]["epoch"]);
    assert_eq!(splits[2]["score"], summary["test"]["score"]);
    let wrong = splits[2]["wrong"].as_f64().unwrap();
    assert!((1.0 - wrong / 200.0 - number(&splits[2]["score"])).abs() < 1e-9);
    assert!(boundary.to_string().len() < 100_000);
    let svg = scratch.read("out/plots/boundary.svg");
    assert!(svg.len() < 150_000 && svg.contains("class 1"), "{}", svg.len());
    assert!(scratch.read("out/report.html").contains("<h2>Decision boundary</h2>"));
}

#[test]
fn inputs_have_their_names_and_units_also_where_they_were_scaled() {
    let scratch = Scratch::new();
    let rows = (0..200).map(|i| (1000 + 10 * (i % 20), i / 20, (i % 20) / 10));
    let rows: String = rows.map(|(a, b, y)| format!("{a},{b},{y}\n")).collect();
    scratch.file("t.csv", &format!("area,rooms,dear\n{rows}"));
    let words = "run --model mlp --hidden 4 --epochs 3 -q --data csv:t.csv";
    scratch.gradscope(&format!("{words} --standardize --out scaled")).expect(0);
    scratch.gradscope(&format!("{words} --out plain")).expect(0);
    for directory in ["scaled", "plain"] {
        let axes = end(&scratch, directory)["boundary"]["axes"].clone();
        assert_eq!((&axes[0]["name"], &axes[1]["name"]), (&json!("area"), &json!("rooms")));
        let (low, high) = (number(&axes[0]["low"]), number(&axes[0]["high"]));
        assert!((950.0..1000.0).contains(&low) && (1190.0..1250.0).contains(&high), "{axes}");
        assert!(scratch.read(&format!("{directory}/plots/boundary.svg")).contains("up: rooms, across: area"));
    }
}

#[test]
fn numbers_are_shaded_and_other_inputs_have_no_plane() {
    let scratch = Scratch::new();
    let words = "run --model mlp --hidden 8 --epochs 3 -q";
    scratch.gradscope(&format!("{words} --data polynomial --out values")).expect(0);
    assert_eq!(end(&scratch, "values")["boundary"]["answers"]["kind"], "values");
    assert!(scratch.read("values/plots/boundary.svg").contains("fill-opacity"));
    scratch.gradscope(&format!("{words} --data polynomial:w=1,2,3 --out three")).expect(0);
    assert!(end(&scratch, "three").get("boundary").is_none());
    assert!(!scratch.list("three/plots").contains(&"boundary.svg".into()));
    // A network that gives NaN has a plane of NaN.
    let broken = "run --model mlp --data polynomial --init normal:0,1e30 --epochs 2 -q --out broken";
    scratch.gradscope(broken).expect(0);
    assert!(scratch.list("broken/plots").contains(&"boundary.svg".into()));
}

#[test]
fn a_plane_that_cannot_be_is_refused_in_one_sentence() {
    let scratch = Scratch::new();
    scratch.gradscope("run --model mlp --hidden 4 --epochs 1 -q --out out").expect(0);
    let record = scratch.read("out/record.jsonl");
    let good = end(&scratch, "out");
    let bytes = |n: usize| json!("A".repeat(n));
    for (place, value) in [
        ("/boundary/axes/0/points", json!(1)),
        ("/boundary/axes/0/points", json!(u64::MAX)),
        ("/boundary/axes/1/points", json!(121)),
        ("/boundary/axes/0/low", json!(1e308)),
        ("/boundary/axes/0/high", json!(-9.0)),
        ("/boundary/axes/0/low", json!("NaN")),
        ("/boundary/answers/class", bytes(8)),
        ("/boundary/answers/class", json!("/".repeat(19_200))),
        ("/boundary/answers/margin", json!("!")),
        ("/boundary/answers/kind", json!("values")),
        ("/boundary/splits/0/x", bytes(16)),
        ("/boundary/splits/0/target", json!("/".repeat(3_414))),
        ("/boundary/splits/0/rows", json!(3)),
        ("/boundary/splits/1/name", json!("train")),
        ("/boundary/splits/2/wrong", json!(201)),
    ] {
        let mut mangled = good.clone();
        *mangled.pointer_mut(place).unwrap() = value.clone();
        let lines: Vec<&str> = record.lines().collect();
        let text = lines[..lines.len() - 1].join("\n") + "\n" + &mangled.to_string() + "\n";
        scratch.file("mangled.jsonl", &text);
        let ran = scratch.gradscope("report mangled.jsonl --out other").expect(2);
        assert_eq!(ran.stderr().lines().count(), 1, "{place}: {}", ran.stderr());
        assert!(scratch.list("other").is_empty());
    }
}

#[test]
fn the_test_set_is_followed_and_nothing_is_chosen_by_it() {
    let scratch = Scratch::new();
    let words = "run --model mlp --hidden 16 --lr 0.02 --epochs 8 -q";
    scratch.gradscope(&format!("{words} --out out")).expect(0);
    let summary = scratch.summary("out");
    let epochs = summary["epochs"].as_array().unwrap();
    let test = &summary["test"];
    let chosen = &epochs[test["epoch"].as_u64().unwrap() as usize];
    assert_eq!((&chosen["test_loss"], &chosen["test_score"]), (&test["loss"], &test["score"]));
    let best = epochs.iter().map(|e| number(&e["dev_score"])).fold(f64::MIN, f64::max);
    assert_eq!(number(&chosen["dev_score"]), best);
    assert!(scratch.read("out/plots/loss.svg").contains(">test</text>"));
    assert!(scratch.read("out/report.html").contains(">test loss</th>"));
    scratch.gradscope(&format!("{words} --split 640,160,0 --out none")).expect(0);
    assert!(scratch.summary("none")["epochs"][0]["test_loss"].is_null());
    assert!(!scratch.read("none/plots/loss.svg").contains(">test</text>"));
    assert!(!scratch.read("none/report.html").contains(">test loss</th>"));
}
