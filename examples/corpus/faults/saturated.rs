//! Units that sit where their nonlinearity is flat.

use crate::build::{file, init_of, linear, mlp, parts, run_of};
use crate::case::{Case, Kind, kind};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("saturated-sigmoid-bias", "a bias beyond which float32 knows no slope of the sigmoid", sigmoid_bias),
    kind("saturated-tanh-bias", "the same of tanh", tanh_bias),
    kind("saturated-tanh-init", "weights that throw every tanh to its ends, from layer to layer", tanh_init),
    kind("saturated-output", "the output's sigmoid is at 1 for every row, half of which are 0", output),
];

const SIGNS: &[&str] = &[
    "vanishing-all",
    "vanishing-depth",
    "stalled",
    "slow",
    "layer-frozen",
    "constant-output",
    "plateau",
    "update-high",
    "symmetric",
];

fn sigmoid_bias(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 4), d.width(8, 32));
    let sign = d.pick(&[1.0, -1.0]);
    mlp(d, depth, width, "sigmoid", "moons")
        .with("init", "xavier-normal")
        .with("bias", sign * d.uniform(25.0, 40.0).round())
        .step("sgd", d.log(0.01, 0.05))
        .fault(&["saturated"], SIGNS)
        .undone_by("bias", 0)
}

fn tanh_bias(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 4), d.width(8, 32));
    let sign = d.pick(&[1.0, -1.0]);
    mlp(d, depth, width, "tanh", "moons")
        .with("init", "xavier-normal")
        .with("bias", sign * d.uniform(15.0, 30.0).round())
        .step("sgd", d.log(1e-3, 0.01))
        .fault(&["saturated"], SIGNS)
        .undone_by("bias", 0)
}

fn tanh_init(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(4, 7), d.width(16, 48));
    mlp(d, depth, width, "tanh", "circles")
        .with("init", format!("normal:0,{:.1}", d.uniform(5.0, 15.0)))
        .step("sgd", d.log(1e-4, 1e-3))
        .fault(&["saturated", "init-scale", "exploding-depth"], SIGNS)
        .undone_by("init", init_of("tanh"))
}

fn output(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 4), d.width(8, 32));
    let mut parts = parts(depth, width, "tanh");
    *parts.last_mut().expect("an output") = linear(None, "xavier-normal", "60");
    run_of(d, file("tanh", "sigmoid", &parts), "moons")
        .step("sgd", d.log(0.01, 0.1))
        .fault(&["output-saturated"], SIGNS)
        .at(&[format!("fc{}", depth + 1)])
}
