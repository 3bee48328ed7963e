//! `gradscope models` and `gradscope summary`: what there is, and what it is made of.
#![cfg(feature = "train")]

mod support;

use serde_json::Value;
use support::Scratch;

fn json(scratch: &Scratch, words: &str) -> Value {
    serde_json::from_str(&scratch.gradscope(words).expect(0).stdout()).expect("valid JSON")
}

#[test]
fn every_model_is_listed_with_its_parameters() {
    let scratch = Scratch::new();
    insta::assert_snapshot!(scratch.gradscope("models").expect(0).stdout());
    for model in json(&scratch, "models --json").as_array().unwrap() {
        let name = model["name"].as_str().unwrap();
        let summary = json(&scratch, &format!("summary --json --model {name}"));
        assert_eq!(model["parameters"], summary["parameters"], "{name}");
    }
}

#[test]
fn parameter_tables() {
    let scratch = Scratch::new();
    let tables: String =
        ["softmax3", "fashion", "conv", "mlp --hidden 8,4 --norm batch-pre --dropout 0.5 --batch-size 1"]
            .iter()
            .map(|words| {
                format!(
                    "$ gradscope summary --model {words}\n{}\n",
                    scratch.gradscope(&format!("summary --model {words}")).expect(0).stdout()
                )
            })
            .collect();
    insta::assert_snapshot!(tables);
}

#[test]
fn the_teaching_counts() {
    let scratch = Scratch::new();
    let summary = json(&scratch, "summary --model softmax3 --json");
    let counts: Vec<&Value> =
        summary["layers"].as_array().unwrap().iter().map(|l| &l["parameters"]).collect();
    assert_eq!((counts, &summary["parameters"]), (vec![&12.into(), &8.into(), &6.into()], &26.into()));
    let summary = json(&scratch, "summary --model fashion --json");
    assert_eq!((&summary["parameters"], &summary["trainable"]), (&235_146.into(), &235_146.into()));
    assert_eq!(summary["memory"]["parameters_bytes"], 235_146 * 4);
}

#[test]
fn sizes_come_from_the_data_where_there_is_some() {
    let scratch = Scratch::new();
    let rows: String = (0..30).map(|i| format!("{i},{},{},{}\n", i * i, i % 4, i % 3)).collect();
    scratch.file("t.csv", &format!("a,b,c,y\n{rows}"));
    let summary = json(&scratch, "summary --model mlp --hidden 5 --data csv:t.csv --json");
    assert_eq!((&summary["input"], &summary["outputs"]), (&vec![3].into(), &3.into()));
    assert_eq!(summary["parameters"], 3 * 5 + 5 + 5 * 3 + 3);
    scratch.file("bare.toml", "hidden = [4]\nact = \"relu\"\n");
    let message = scratch.gradscope("summary --model bare.toml").expect(2).stderr();
    assert!(message.contains("--data"), "{message}");
}
