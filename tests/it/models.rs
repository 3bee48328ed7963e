//! `gradscope models` and `gradscope summary`: what there is, and what it is made of.

use crate::support::Scratch;
use serde_json::Value;

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

/// PyTorch's counts: a ResNet's basic block with a projection, and recurrent layers with two biases.
#[test]
fn blocks_and_recurrent_layers_have_pytorchs_parameters() {
    let scratch = Scratch::new();
    let conv = |out: u64, more: &str| {
        format!(
            "{{ type = \"conv2d\", channels = {out}, kernel = 3, padding = 1, bias = false, norm = \"batch-pre\"{more} }}"
        )
    };
    let block = format!(
        "{{ type = \"residual\", act = \"relu\", shortcut = \"projection\", layers = [{}, {}] }}",
        conv(16, ", act = \"relu\", stride = 2"),
        conv(16, "")
    );
    let more = "{ type = \"adaptive-avg-pool2d\" }, { type = \"flatten\" }, { type = \"linear\" }";
    scratch.file(
        "res.toml",
        &format!("inputs = [3, 8, 8]\noutputs = 10\nlayers = [{}, {block}, {more}]\n", conv(8, "")),
    );
    let sequence = "inputs = [7, 3]\noutputs = 2\n";
    for cell in ["rnn", "lstm", "gru"] {
        let file =
            format!("{sequence}layers = [{{ type = \"{cell}\", units = 5 }}, {{ type = \"linear\" }}]\n");
        scratch.file(&format!("{cell}.toml"), &file);
    }
    let embedding = "inputs = 7\noutputs = 2\nlayers = [{ type = \"embedding\", words = 11, units = 3 }, { type = \"conv1d\", \
                     channels = 4, kernel = 3 }, { type = \"max-pool1d\", kernel = 2 }, { type = \"flatten\" }, { type = \"linear\" }]\n";
    scratch.file("words.toml", embedding);
    let count =
        |model: &str| json(&scratch, &format!("summary --model {model}.toml --json"))["parameters"].as_u64();
    // 3·8·9 + 2·8; 8·16·9 + 16·16·9 + 2·2·16 + 8·16; 16·10 + 10.
    assert_eq!(count("res"), Some(216 + 16 + 1_152 + 2_304 + 64 + 128 + 170));
    // sum(p.numel() for p in nn.LSTM(3, 5).parameters()) and so on, and 12 of the output.
    assert_eq!([count("rnn"), count("lstm"), count("gru")], [Some(50 + 12), Some(200 + 12), Some(150 + 12)]);
    assert_eq!(count("words"), Some(33 + 40 + 18));
    insta::assert_snapshot!(scratch.gradscope("summary --model res.toml").expect(0).stdout());
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
