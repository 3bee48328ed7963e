//! Descriptions that are read, planned and refused.

use super::zoo::ZOO;
use super::*;
use crate::record::Activation;
use crate::record::Layer;
use crate::record::settings::Named;
use crate::train::TrainError;

fn plan(text: &str, sizes: Sizes) -> Result<Plan, TrainError> {
    let model = Model::parse("net.toml", text)?;
    let sequence = match model.inputs {
        Some(Inputs::Sequence(shape)) => Some(shape),
        _ => None,
    };
    Plan::new(&model, Sizes { sequence, ..sizes })
}

/// Every operation with its shape, and every layer.
fn shown(plan: &Plan) -> String {
    format!("{:#?}\n{:#?}", plan.ops, plan.layers)
}

fn row(columns: u64) -> Sizes {
    Sizes { columns, image: None, sequence: None, outputs: 1 }
}

fn image(image: [u64; 3]) -> Sizes {
    Sizes { columns: image.iter().product(), image: Some(image), sequence: None, outputs: 10 }
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
    assert_eq!(shown(&plan(short, row(2)).unwrap()), shown(&plan(&long, row(2)).unwrap()));
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

/// Returns the message of a description that is wrong.
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
        format!("inputs = [1, 28, 28, 3]\n{short}"),
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
        "[[layers]]\ntype = \"lstn\"\n".into(),
        format!("[[layers]]\ntype = \"lstm\"\n{linear}"),
        format!("[[layers]]\ntype = \"lstm\"\nunits = 3\nact = \"relu\"\n{linear}"),
        format!("[[layers]]\ntype = \"rnn\"\nunits = 3\nsteps = \"first\"\n{linear}"),
        format!("[[layers]]\ntype = \"residual\"\nlayers = []\n{linear}"),
        format!("[[layers]]\ntype = \"residual\"\nlayers = [{{ type = \"linear\" }}]\n{linear}"),
        format!(
            "[[layers]]\ntype = \"residual\"\ninit = \"zeros\"\nlayers = [{{ type = \"flatten\" }}]\n{linear}"
        ),
        format!(
            "layers = [{}{{ type = \"linear\" }}{}, {{ type = \"linear\" }}]\n",
            "{ type = \"residual\", layers = [".repeat(9),
            "]}".repeat(9)
        ),
        "[[layers]]\ntype = \"residual\"\nlayers = [{ type = \"flatten\" }]\n".into(),
        format!("[[layers]]\ntype = \"dropout\"\np = 1\n{linear}"),
        format!("[[layers]]\ntype = \"batch-norm\"\ninit = \"orthogonal\"\n{linear}"),
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
        (format!("[[layers]]\ntype = \"group-norm\"\ngroups = 3\n{linear}"), row(4)),
        (
            format!(
                "[[layers]]\ntype = \"residual\"\nlayers = [{{ type = \"linear\", units = 3 }}]\n{linear}"
            ),
            row(4),
        ),
        (
            format!(
                "{conv}[[layers]]\ntype = \"residual\"\nshortcut = \"projection\"\nlayers = [{{ type = \"flatten\" }}]\n{linear}"
            ),
            image([1, 4, 4]),
        ),
        (format!("inputs = [3, 2]\n[[layers]]\ntype = \"gru\"\nunits = 3\n{linear}"), row(7)),
        (
            format!(
                "[[layers]]\ntype = \"gru\"\nunits = 3\n[[layers]]\ntype = \"lstm\"\nunits = 3\n{linear}"
            ),
            row(7),
        ),
        (format!("[[layers]]\ntype = \"gru\"\nunits = 3\nsteps = \"all\"\n{linear}"), row(7)),
        (format!("[[layers]]\ntype = \"conv1d\"\nchannels = 3\nkernel = 8\n{linear}"), row(7)),
        (
            format!("{linear}units = 3\n[[layers]]\ntype = \"embedding\"\nwords = 9\nunits = 2\n{linear}"),
            row(7),
        ),
        (format!("[[layers]]\ntype = \"rnn\"\nunits = 3\n{linear}"), row(20_000)),
        (format!("{conv}init = \"sparse:0.5\"\n[[layers]]\ntype = \"flatten\"\n{linear}"), image([1, 8, 8])),
    ];
    let messages: Vec<String> = cases.iter().map(|(text, sizes)| refused(text, *sizes)).collect();
    insta::assert_snapshot!(messages.join("\n"));
}

/// Layers as `name shape activation branch`.
fn layers(plan: &Plan) -> Vec<String> {
    let shown = plan.layers.iter().map(|l| {
        let Layer { name, shape, activation, branch, .. } = &l.layer;
        let branch = branch.map_or(String::new(), |place| format!(" {place}"));
        format!("{name} {shape:?} {}{branch}", activation.name())
    });
    shown.collect()
}

/// A convolution, a block with a projection, a block within a block.
const BLOCKS: &str = r#"
        act = "relu"
        [[layers]]
        type = "conv2d"
        channels = 4
        kernel = 3
        padding = 1
        norm = "batch-pre"

        [[layers]]
        type = "residual"
        act = "relu"
        shortcut = "projection"
        [[layers.layers]]
        type = "conv2d"
        channels = 8
        kernel = 3
        padding = 1
        stride = 2
        norm = "batch-pre"
        [[layers.layers]]
        type = "conv2d"
        channels = 8
        kernel = 3
        padding = 1
        [[layers.layers]]
        type = "group-norm"
        groups = 2
        init = "zeros"

        [[layers]]
        type = "residual"
        layers = [{ type = "residual", layers = [{ type = "conv2d", channels = 8, kernel = 1 }] }, { type = "conv2d", channels = 8, kernel = 1 }]

        [[layers]]
        type = "adaptive-avg-pool2d"
        [[layers]]
        type = "flatten"
        [[layers]]
        type = "linear"
    "#;

#[test]
fn blocks_have_names_of_their_own_and_their_layers_places_in_the_branch() {
    let plan = plan(BLOCKS, image([3, 9, 9])).unwrap();
    assert_eq!(
        layers(&plan),
        [
            "conv1 [4, 3, 3, 3] relu",
            "bn1 [4] identity",
            "block1.conv1 [8, 4, 3, 3] relu 1",
            "block1.bn1 [8] identity 1",
            "block1.conv2 [8, 8, 3, 3] identity 2",
            "block1.gn2 [8] identity 2",
            "block1.shortcut [8, 4, 1, 1] identity",
            "block2.block1.conv1 [8, 8, 1, 1] identity 1",
            "block2.conv1 [8, 8, 1, 1] identity 2",
            "fc1 [10, 8] identity",
        ]
    );
    // 5 × 5 by the stride, in branch and shortcut alike.
    let table = ParameterTable::new(&plan, 1);
    let row = |name: &str| table.layers.iter().find(|row| row.name == name).unwrap();
    assert_eq!((row("block1").output.as_slice(), row("block1").activation), (&[8, 5, 5][..], Some("relu")));
    assert_eq!(row("block1.shortcut").output, [8, 5, 5]);
    assert!(!plan.layers[6].layer.bias && plan.layers[4].layer.normalized);
}

#[test]
fn a_nonlinearity_that_stands_alone_is_that_of_the_layer_before_it() {
    let linear = "[[layers]]\ntype = \"linear\"\nunits = 4\n";
    let relu = "[[layers]]\ntype = \"activation\"\nact = \"relu\"\n";
    let between = |what: &str| format!("{linear}{what}{relu}[[layers]]\ntype = \"linear\"\n");
    let first = |text: &str| plan(text, row(3)).unwrap().layers[0].layer.clone();
    assert_eq!(first(&between("")).activation, Activation::Relu);
    let normalised = first(&between("[[layers]]\ntype = \"batch-norm\"\n"));
    assert_eq!((normalised.activation, normalised.normalized), (Activation::Relu, true));
    let silenced = between("[[layers]]\ntype = \"dropout\"\np = 0.5\n");
    assert_eq!(first(&silenced).activation, Activation::Relu);
    // Behind a sum it is nobody's, and a second one is not the layer's either.
    let block = "[[layers]]\ntype = \"residual\"\nlayers = [{ type = \"linear\", units = 4 }]\n";
    let plan = plan(&between(block), row(3)).unwrap();
    assert_eq!(layers(&plan)[..2], ["fc1 [4, 3] identity", "block1.fc1 [4, 4] identity 1"]);
    let twice = "[[layers]]\ntype = \"activation\"\nact = \"tanh\"\n";
    assert_eq!(first(&between(twice)).activation, Activation::Tanh);
    // The same network either way.
    let attribute = format!("{linear}act = \"relu\"\n[[layers]]\ntype = \"linear\"\n");
    assert_eq!(
        shown(&super::tests::plan(&between(""), row(3)).unwrap()),
        shown(&super::tests::plan(&attribute, row(3)).unwrap())
    );
}

#[test]
fn flags_reach_into_blocks_and_leave_straight_layers_straight() {
    let text = "[[layers]]\ntype = \"residual\"\nshortcut = \"projection\"\nact = \"relu\"\nlayers = [{ type = \
                \"linear\", units = 4, act = \"relu\" }, { type = \"linear\", units = 4 }]\n[[layers]]\ntype = \"linear\"\n";
    let mut model = Model::parse("net.toml", text).unwrap();
    let changes = Changes {
        act: Some(Activation::Tanh),
        norm: Some(Norm::Layer),
        init: Some("zeros".into()),
        ..Changes::default()
    };
    model.change(&changes).unwrap();
    assert_eq!(model.activation(), "tanh");
    let plan = Plan::new(&model, row(3)).unwrap();
    assert_eq!(
        layers(&plan),
        [
            "block1.fc1 [4, 3] tanh 1",
            "block1.ln1 [4] identity 1",
            "block1.fc2 [4, 4] identity 2",
            "block1.ln2 [4] identity 2",
            "block1.shortcut [4, 3] identity",
            "fc1 [1, 4] identity",
        ]
    );
    assert_eq!(plan.init_text(|(w, _)| w), "zeros");
    let cell = Changes { cell: Some(Cell::Lstm), ..Changes::default() };
    let message = model.change(&cell).unwrap_err().to_string();
    assert!(message.contains("--cell would change nothing"), "{message}");
    let lstm = "[[layers]]\ntype = \"lstm\"\nunits = 3\n[[layers]]\ntype = \"linear\"\n";
    let mut model = Model::parse("net.toml", lstm).unwrap();
    assert!(model.change(&changes).unwrap_err().to_string().contains("--act would change nothing"));
    model
        .change(&Changes { cell: Some(Cell::Rnn), act: Some(Activation::Relu), ..Changes::default() })
        .unwrap();
    assert_eq!(model.activation(), "relu");
}
