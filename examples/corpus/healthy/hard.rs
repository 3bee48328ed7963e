//! Hard negatives: what fools thresholds on raw gradients, and some that fool more than these.

use crate::build::{file, init_of, linear, mlp, parts, run_of};
use crate::case::{Case, Kind, kind, long};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("wide", "256 units", |d| shape(d, 256)),
    kind("narrow", "tanh of a few units", narrow),
    kind("sparse-init", "weights of which most start at zero, with Adam", sparse),
    kind("normal-rescued", "N(0, 1) weights, rescued by Adam", normal_rescued),
    kind("small-rescued", "N(0, 0.05) weights of two layers, rescued by Adam", small_rescued),
    kind("sparse-relu", "a negative bias: most units are silent on most rows", sparse_relu),
    kind("zero-output", "an output layer that starts at zero, as is common", zero_output),
    kind("zero-tanh-layer", "a tanh layer that starts at zero: its neighbours break the symmetry", zero_tanh),
    kind("tiny-layer", "one tanh layer that starts near zero and recovers", tiny_layer),
    kind("frozen-layer", "a layer that is not to be trained, by intent", frozen),
    kind("no-bias", "layers without a bias", no_bias),
    kind("small-rate", "a rate at the low end that still learns", |d| {
        shape(d, 64).step("adam", 5e-4).with("batch-size", 16)
    }),
    kind("high-rate", "a rate at the high end that still learns", |d| {
        shape(d, 32).step("sgd", d.log(0.5, 1.0))
    }),
    kind("late-start", "sigmoids that sit at the loss of guessing for epochs, and then learn", late_start),
    long("moons-5", "the teaching network of two moons at rate 5", teaching),
];

fn shape(d: &mut Draw, about: u64) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(about - 7, about));
    mlp(d, depth, width, "relu", "moons").with("init", init_of("relu")).step("adam", d.log(1e-3, 4e-3))
}

fn narrow(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(4, 8));
    mlp(d, depth, width, "tanh", "moons").with("init", init_of("tanh")).step("adam", d.log(0.01, 0.03))
}

fn sparse(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(48, 96));
    mlp(d, depth, width, "relu", "moons").with("init", "sparse:0.5,0.3").step("adam", d.log(3e-3, 8e-3))
}

fn normal_rescued(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(8, 16));
    mlp(d, depth, width, "relu", "moons")
        .with("init", "normal:0,1")
        .with("epochs", 20)
        .step("adam", d.log(0.01, 0.02))
}

fn small_rescued(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(16, 48));
    mlp(d, depth, width, "relu", "moons").with("init", "normal:0,0.05").step("adam", d.log(5e-3, 0.01))
}

fn sparse_relu(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 2), d.width(64, 128));
    mlp(d, depth, width, "relu", "moons")
        .with("init", init_of("relu"))
        .with("bias", format!("{:.1}", -d.uniform(0.8, 1.8)))
        .step("adam", d.log(3e-3, 8e-3))
}

fn zero_output(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 5), d.width(16, 48));
    let act = d.pick(&["relu", "tanh"]);
    let mut parts = parts(depth, width, act);
    *parts.last_mut().expect("an output") = linear(None, "zeros", "0");
    run_of(d, file(act, "identity", &parts), "moons").step("adam", d.log(3e-3, 8e-3))
}

fn zero_tanh(d: &mut Draw) -> Case {
    one_layer(d, "zeros")
}

fn tiny_layer(d: &mut Draw) -> Case {
    one_layer(d, "normal:0,1e-6")
}

fn one_layer(d: &mut Draw, init: &str) -> Case {
    let (depth, width) = (d.depth(2, 4), d.width(16, 48));
    let k = d.pick(&(2..=depth).collect::<Vec<_>>());
    let mut parts = parts(depth, width, "tanh");
    parts[k as usize - 1] = linear(Some(width), init, "0");
    run_of(d, file("tanh", "identity", &parts), "moons").step("adam", d.log(3e-3, 8e-3))
}

fn frozen(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 5), d.width(24, 64));
    let k = d.pick(&(1..=depth).collect::<Vec<_>>());
    let mut parts = parts(depth, width, "relu");
    parts[k as usize - 1].text.push_str("trainable = false\n");
    run_of(d, file("relu", "identity", &parts), "moons").step("adam", d.log(3e-3, 8e-3))
}

fn no_bias(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(24, 64));
    let mut parts: Vec<_> = (0..depth).map(|_| linear(Some(width), init_of("relu"), "false")).collect();
    parts.push(linear(None, "xavier-normal", "false"));
    run_of(d, file("relu", "identity", &parts), "moons").with("epochs", 15).step("adam", d.log(3e-3, 8e-3))
}

fn teaching(d: &mut Draw) -> Case {
    let model = d.pick(&["moons1", "moons2"]);
    Case::of(model).with("lr", 5).with("epochs", 150).with("seed", d.seed)
}

fn late_start(d: &mut Draw) -> Case {
    let width = d.width(24, 48);
    mlp(d, 2, width, "sigmoid", "circles")
        .with("init", init_of("sigmoid"))
        .with("epochs", 60)
        .step("adam", d.log(0.01, 0.02))
}
