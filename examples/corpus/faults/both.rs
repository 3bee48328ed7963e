//! Two faults at once, neither of which makes the other: two roots.

use crate::build::{Table, hidden, mlp};
use crate::case::{Case, Kind, kind};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("dead-and-targets", "a bias that silences the first layer, and targets of thousands", dead_targets),
    kind("tiny-and-clip", "weights of a thousandth, and a clip of a millionth", tiny_clip),
    kind("zeros-and-targets", "every parameter 0, and targets of thousands", zeros_targets),
    kind("tiny-and-targets", "weights of a thousandth, and targets of thousands", tiny_targets),
];

const INIT: &[&str] = &["init-scale", "vanishing-depth", "vanishing-all"];

/// A network for a table whose targets are thousands of steps away.
fn far_targets(d: &mut Draw, depth: u64) -> Case {
    let table = Table { target_scale: d.log(1e3, 1e4), ..Table::default() };
    let width = d.width(8, 48);
    Case::of("mlp")
        .with("hidden", hidden(depth, width))
        .with("act", "relu")
        .with("seed", d.seed)
        .with("epochs", 10)
        .regression(table.regression(d))
        .step("adam", d.log(1e-3, 5e-3))
}

fn dead_targets(d: &mut Draw) -> Case {
    let depth = d.depth(2, 5);
    far_targets(d, depth)
        .with("init", "kaiming-normal")
        .with("bias", -d.uniform(20.0, 40.0).round())
        .fault(&["target-scale"], &[])
        .and(&["dead-layer"])
}

fn tiny_clip(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(4, 9), d.width(8, 32));
    let (act, data) = (d.pick(&["relu", "tanh", "gelu"]), d.pick(&["moons", "circles"]));
    mlp(d, depth, width, act, data)
        .with("init", format!("normal:0,{}", d.log(5e-4, 3e-3)))
        .with("bias", 0)
        .with("clip-norm", d.log(1e-8, 1e-6))
        .step("sgd", d.log(0.01, 0.1))
        .fault(&["clip-dominated"], &[])
        .and(INIT)
        .undone_by("init", crate::build::init_of(act))
        .undone_by("clip-norm", 1)
}

fn zeros_targets(d: &mut Draw) -> Case {
    let depth = d.depth(1, 4);
    far_targets(d, depth)
        .with("init", "zeros")
        .with("bias", 0)
        .fault(&["target-scale"], &[])
        .and(&["symmetric"])
}

fn tiny_targets(d: &mut Draw) -> Case {
    let depth = d.depth(4, 7);
    let init = format!("normal:0,{}", d.log(5e-4, 3e-3));
    // Adam with larger steps gets there all the same.
    let lr = d.log(5e-4, 1e-3);
    far_targets(d, depth)
        .with("init", init)
        .with("bias", 0)
        .step("adam", lr)
        .fault(&["target-scale"], &[])
        .and(INIT)
}
