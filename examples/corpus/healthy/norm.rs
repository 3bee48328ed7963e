//! Normalisation and dropout.

use crate::build::{init_of, mlp};
use crate::case::{Case, Kind, kind, long};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("batch-norm-8", "BatchNorm before the nonlinearity, depth 8 and 9", |d| batch(d, 8, "batch-pre")),
    long("batch-norm-20", "BatchNorm before the nonlinearity, depth 20 and 21", |d| {
        batch(d, 20, "batch-pre")
    }),
    kind("batch-norm-post", "BatchNorm after the nonlinearity, depth 8 and 9", |d| batch(d, 8, "batch-post")),
    kind("batch-norm-shallow", "BatchNorm of few layers, with SGD", shallow),
    kind("layer-norm", "LayerNorm", layer),
    kind("dropout", "half of all units silenced at each step", dropout),
];

fn batch(d: &mut Draw, depth: u64, norm: &str) -> Case {
    let (depth, width) = (d.depth(depth, depth + 1), d.width(16, 32));
    let act = d.pick(&["relu", "tanh"]);
    mlp(d, depth, width, act, "moons")
        .with("init", init_of(act))
        .with("norm", norm)
        .with("batch-size", 64)
        .step("adam", d.log(2e-3, 5e-3))
}

fn shallow(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 5), d.width(16, 48));
    mlp(d, depth, width, "relu", "moons").with("norm", "batch-pre").step("sgd", d.log(0.05, 0.2))
}

fn layer(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(3, 8), d.width(16, 48));
    let act = d.pick(&["relu", "gelu", "tanh"]);
    mlp(d, depth, width, act, "moons")
        .with("init", init_of(act))
        .with("norm", "layer")
        .step("adam", d.log(2e-3, 5e-3))
}

fn dropout(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(64, 128));
    mlp(d, depth, width, "relu", "moons")
        .with("init", init_of("relu"))
        .with("dropout", 0.5)
        .step("adam", d.log(2e-3, 5e-3))
}
