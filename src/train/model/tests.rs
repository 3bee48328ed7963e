//! Descriptions that are read, planned and refused.

use super::*;
use crate::record::Layer;

fn plan(text: &str, sizes: Sizes) -> Result<Plan, TrainError> {
    Plan::new(&Model::parse("net.toml", text)?, sizes)
}

fn row(columns: u64) -> Sizes {
    Sizes { columns, image: None, outputs: 1 }
}

fn image(image: [u64; 3]) -> Sizes {
    Sizes { columns: image.iter().product(), image: Some(image), outputs: 10 }
}

/// The parameters of every layer of a zoo model at its stated sizes.
fn parameters(name: &str) -> Vec<u64> {
    let model = Model::named(name).unwrap();
    let plan = Plan::new(&model, model.stated_sizes().unwrap()).unwrap();
    plan.layers.iter().map(|l| l.layer.parameters).collect()
}

#[test]
fn every_built_in_description_is_valid_and_says_all_of_it() {
    for ((name, text), model) in ZOO.iter().zip(zoo().unwrap()) {
        assert_eq!(model.name, *name);
        assert!(!model.about.is_empty() && model.stated_sizes().is_some(), "{name}");
        for key in ["optimizer", "lr", "batch-size", "epochs", "init", "bias"] {
            assert!(text.contains(&format!("\n{key} = ")), "{name} leaves {key} out");
        }
        model.schemes().unwrap();
    }
}

#[test]
fn the_zoo_has_the_parameters_of_the_teaching_material() {
    assert_eq!(parameters("softmax3"), [12, 8, 6]);
    assert_eq!(parameters("fashion").iter().sum::<u64>(), 235_146);
    assert_eq!(parameters("sigmoid5"), [9, 12, 12, 12, 4]);
    assert_eq!(parameters("moons2"), [15, 18, 4]);
    assert_eq!(parameters("conv"), [80, 1_168, 7_850]);
}

#[test]
fn the_short_form_is_sugar_for_the_list() {
    let short = "hidden = [4, 3]\nact = \"tanh\"\nnorm = \"batch-pre\"\ndropout = 0.5\n";
    let layer = |units: u64| {
        format!(
            "[[layers]]\ntype = \"linear\"\nunits = {units}\nact = \"tanh\"\nnorm = \"batch-pre\"\ndropout = 0.5\n"
        )
    };
    let long = format!("{}{}[[layers]]\ntype = \"linear\"\n", layer(4), layer(3));
    assert_eq!(plan(short, row(2)).unwrap(), plan(&long, row(2)).unwrap());
}

#[test]
fn a_list_becomes_layers_with_their_names_and_shapes() {
    let text = r#"
        act = "relu"
        [[layers]]
        type = "conv2d"
        channels = 4
        kernel = 3
        stride = 2
        bias = false
        norm = "batch-post"
        [[layers]]
        type = "flatten"
        [[layers]]
        type = "linear"
        units = 5
        act = "sigmoid"
        init = "orthogonal"
        bias = -1
        norm = "layer"
        trainable = false
        [[layers]]
        type = "linear"
    "#;
    let plan = plan(text, image([2, 9, 9])).unwrap();
    let shown = plan.layers.iter().map(|l| {
        let Layer { name, shape, fan_in, parameters, activation, trainable, .. } = &l.layer;
        format!("{name} {shape:?} {fan_in} {parameters} {} {trainable}", activation.name())
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "conv1 [4, 2, 3, 3] 18 72 relu true",
            "bn1 [4] 1 8 identity true",
            "fc1 [5, 64] 64 325 sigmoid false",
            "ln2 [5] 1 10 identity false",
            "fc2 [10, 5] 5 60 identity true",
        ]
    );
    assert_eq!((plan.layers[0].fan_out, plan.layers[2].fan_out), (36, 5));
    assert_eq!(plan.init_text(|(w, _)| w), "conv1 default, fc1 orthogonal, fc2 default");
    assert_eq!(plan.init_text(|(_, b)| b), "conv1 default, fc1 -1, fc2 default");
}

#[test]
fn flags_win_over_what_layers_say() {
    let mut model = Model::named("softmax3").unwrap();
    let changes = Changes {
        act: Some(Activation::Tanh),
        norm: Some(Norm::BatchPre),
        init: Some("zeros".into()),
        ..Changes::default()
    };
    model.change(&changes).unwrap();
    let plan = Plan::new(&model, model.stated_sizes().unwrap()).unwrap();
    assert_eq!((model.activation(), plan.init_text(|(w, _)| w)), ("tanh".into(), "zeros".into()));
    assert_eq!(plan.layers.len(), 5);
    let hidden = Changes { hidden: Some(vec![4]), ..Changes::default() };
    let message = model.change(&hidden).unwrap_err().to_string();
    assert!(message.contains("--hidden") && message.contains("softmax3"), "{message}");
}

/// What is said of a description that is wrong.
fn refused(text: &str, sizes: Sizes) -> String {
    plan(text, sizes).expect_err(text).to_string()
}

#[test]
fn what_is_wrong_in_a_file_is_said_with_its_line() {
    let linear = "[[layers]]\ntype = \"linear\"\n";
    let conv = "[[layers]]\ntype = \"conv2d\"\nchannels = 2\nkernel = 3\n";
    let short = "hidden = [3]\nact = \"relu\"\n";
    let cases = [
        format!("{short}colour = 1\n"),
        format!("{short}[defaults]\nlr = 0.1\nepoch = 3\n"),
        format!("{short}[defaults]\nlr = -0.1\n"),
        format!("{short}[defaults]\ninit = \"xavier\"\n"),
        "hidden = [3]\n".into(),
        "hidden = [0]\nact = \"relu\"\n".into(),
        "hidden = [3]\nact = \"rleu\"\n".into(),
        "hidden = [3\n".into(),
        format!("{short}{linear}"),
        format!("name = \"../x\"\n{short}"),
        format!("inputs = [1, 28]\n{short}"),
        "about = \"nothing\"\n".into(),
        "layers = []\n".into(),
        format!("{linear}colour = 1\n"),
        format!("{linear}{linear}"),
        format!("{linear}kernel = 3\n"),
        format!("{linear}units = 3\ndropout = 1.0\n{linear}"),
        format!("{linear}norm = \"layer\"\n"),
        format!("{linear}init = \"normal:1\"\n"),
        format!("{linear}bias = \"orthogonal\"\n"),
        format!("{linear}bias = [1]\n"),
        format!("{linear}trainable = false\n"),
        "[[layers]]\nunits = 3\n".into(),
        "[[layers]]\ntype = \"lstm\"\n".into(),
        conv.into(),
        format!("{conv}stride = 0\n{linear}"),
        format!("[[layers]]\ntype = \"max-pool2d\"\nkernel = 2\npadding = 2\n{linear}"),
    ];
    let messages: Vec<String> = cases
        .iter()
        .map(|text| format!("{}\n  {}", text.trim_end().replace('\n', " | "), refused(text, row(2))))
        .collect();
    insta::assert_snapshot!(messages.join("\n\n"));
}

#[test]
fn shapes_that_do_not_fit_are_said_with_the_layer_and_both_shapes() {
    let linear = "[[layers]]\ntype = \"linear\"\n";
    let conv = "[[layers]]\ntype = \"conv2d\"\nchannels = 2\nkernel = 3\n";
    let pool = "[[layers]]\ntype = \"max-pool2d\"\nkernel = 3\n";
    let cases = [
        (format!("{conv}{linear}"), image([1, 8, 8])),
        (format!("{conv}[[layers]]\ntype = \"flatten\"\n{linear}"), row(64)),
        (format!("{linear}units = 4\n{conv}{linear}"), row(2)),
        (format!("{conv}{conv}{conv}{linear}"), image([1, 5, 8])),
        (format!("{conv}{pool}{pool}{linear}"), image([3, 9, 9])),
        (format!("{linear}units = 3\n"), image([1, 2, 2])),
        (format!("{linear}units = 32768\n{linear}units = 32768\n{linear}units = 9\n{linear}"), row(32_769)),
        (format!("{conv}init = \"sparse:0.5\"\n[[layers]]\ntype = \"flatten\"\n{linear}"), image([1, 8, 8])),
    ];
    let messages: Vec<String> = cases.iter().map(|(text, sizes)| refused(text, *sizes)).collect();
    insta::assert_snapshot!(messages.join("\n"));
}
