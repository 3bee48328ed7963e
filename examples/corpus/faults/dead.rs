//! Layers that never fire.

use crate::build::{conv, file, flatten, images, linear, mlp, parts, pool, run_of};
use crate::case::{Case, Kind, kind};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("dead-bias", "a bias far below anything that weights of this size can lift above zero", bias),
    kind("dead-bias-tiny", "a negative bias beside tiny weights, as in the teaching network", tiny),
    kind("dead-bias-layer", "one hidden layer's bias is far below what reaches it", one_layer),
    kind("dead-negative-layer", "one layer's weights are all negative, and what reaches it is not", negative),
    kind("dead-zero-layer", "one ReLU layer has no weights: nothing lifts it above zero", zero_layer),
    kind("dead-conv", "a convolution's bias is far below what brightness can lift above zero", convolution),
    kind("dead-images", "a bias far below what the pixels of an image can lift above zero", pixels),
];

const SIGNS: &[&str] =
    &["vanishing-all", "vanishing-depth", "stalled", "layer-frozen", "constant-output", "plateau"];

fn bias(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 7), d.width(8, 64));
    let data = d.pick(&["moons", "circles", "spirals"]);
    let (optimizer, lr) = d.pick(&[("sgd", 0.05), ("adam", 0.002), ("rmsprop", 0.001)]);
    mlp(d, depth, width, "relu", data)
        .with("init", d.pick(&["kaiming-normal", "xavier-uniform", "default"]))
        .with("bias", -d.uniform(15.0, 40.0).round())
        .step(optimizer, lr)
        .fault(&["dead-layer"], SIGNS)
        .at(&["fc1".into()])
        .undone_by("bias", 0)
}

fn tiny(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(3, 6), d.width(4, 24));
    mlp(d, depth, width, "relu", "moons")
        .with("init", "normal:0,0.01")
        .with("bias", -d.uniform(2.0, 9.0).round())
        .step("sgd", d.log(0.01, 0.1))
        .fault(&["dead-layer"], SIGNS)
        .at(&["fc1".into()])
        .undone_by("bias", 0)
        .undone_by("init", "kaiming-normal")
}

/// A number of a hidden layer, from 2 (counted from 1).
fn inner(d: &mut Draw, depth: u64) -> u64 {
    d.pick(&(2..=depth).collect::<Vec<_>>())
}

fn one_layer(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(3, 6), d.width(8, 48));
    let k = inner(d, depth);
    let mut parts = parts(depth, width, "relu");
    parts[k as usize - 1] = linear(Some(width), "kaiming-normal", &format!("-{}", d.pick(&[40, 60, 90])));
    let data = d.pick(&["moons", "circles"]);
    run_of(d, file("relu", "identity", &parts), data)
        .step("sgd", d.log(0.01, 0.05))
        .fault(&["dead-layer"], SIGNS)
        .at(&[format!("fc{k}")])
}

fn negative(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(3, 6), d.width(8, 48));
    let k = inner(d, depth);
    let mut parts = parts(depth, width, "relu");
    parts[k as usize - 1] = linear(Some(width), "uniform:-0.5,-0.1", "-0.1");
    let data = d.pick(&["moons", "circles", "spirals"]);
    run_of(d, file("relu", "identity", &parts), data)
        .step("adam", d.log(1e-3, 5e-3))
        .fault(&["dead-layer"], SIGNS)
        .at(&[format!("fc{k}")])
}

fn zero_layer(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(3, 6), d.width(8, 48));
    let k = inner(d, depth);
    let mut parts = parts(depth, width, "relu");
    parts[k as usize - 1] = linear(Some(width), "zeros", "0");
    run_of(d, file("relu", "identity", &parts), "moons")
        .step("adam", d.log(1e-3, 5e-3))
        .fault(&["dead-layer", "symmetric", "layer-frozen"], SIGNS)
        .at(&[format!("fc{k}")])
}

fn convolution(d: &mut Draw) -> Case {
    let (channels, k) = (d.width(4, 16), d.pick(&[1, 2]));
    let bias = |layer: u64| if layer == k { "-40" } else { "0" };
    let init = "kaiming-uniform:nonlinearity=relu";
    let output = linear(None, "default", "0");
    let parts =
        [conv(channels, init, bias(1)), pool(), conv(channels, init, bias(2)), pool(), flatten(), output];
    images(Case::of_file(file("relu", "identity", &parts)), d)
        .step("adam", d.log(1e-3, 3e-3))
        .fault(&["dead-layer"], SIGNS)
        .at(&[format!("conv{k}")])
}

fn pixels(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 5), d.width(16, 48));
    let case = Case::of("mlp").with("hidden", crate::build::hidden(depth, width)).with("act", "relu");
    images(case, d)
        .with("bias", -d.uniform(20.0, 60.0).round())
        .step("adam", d.log(1e-3, 3e-3))
        .fault(&["dead-layer"], SIGNS)
        .at(&["fc1".into()])
        .undone_by("bias", 0)
}
