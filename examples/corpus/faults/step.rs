//! What happens to a step after backward: clipping and weight decay.

use crate::build::{init_of, mlp};
use crate::case::{Case, Kind, kind};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("clip-tiny", "gradients are clipped to a ten-thousandth and less", clip_norm),
    kind("clip-value-tiny", "every value of the gradient is clipped to a millionth and less", clip_value),
    kind("decay-sgd", "a step of decay takes a tenth of every weight and more", decay_sgd),
    kind("decay-adamw", "the same, decoupled from the gradient", decay_adamw),
    kind("decay-adam", "decay that Adam sees as the larger part of every gradient", decay_adam),
];

fn network(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 5), d.width(8, 64));
    let (act, data) = (d.pick(&["relu", "tanh", "gelu"]), d.pick(&["moons", "circles"]));
    mlp(d, depth, width, act, data).with("init", init_of(act))
}

fn clip_norm(d: &mut Draw) -> Case {
    network(d)
        .step("sgd", d.log(0.01, 0.1))
        .with("clip-norm", d.log(1e-7, 1e-5))
        .fault(&["clip-dominated"], &["stalled", "slow", "plateau", "layer-frozen"])
        .undone_by("clip-norm", 1)
}

fn clip_value(d: &mut Draw) -> Case {
    network(d)
        .step("sgd", d.log(0.01, 0.1))
        .with("clip-value", d.log(1e-9, 1e-7))
        .fault(&["clip-dominated"], &["stalled", "slow", "plateau", "layer-frozen"])
        .undone_by("clip-value", 1)
}

const DECAYED: &[&str] = &[
    "vanishing-all",
    "vanishing-depth",
    "constant-output",
    "plateau",
    "stalled",
    "dead-layer",
    "symmetric",
    "update-high",
];

fn decay_sgd(d: &mut Draw) -> Case {
    let lr = d.log(0.03, 0.2);
    let decay = format!("{:.2}", d.uniform(0.1, 0.5) / lr);
    network(d)
        .step("sgd", lr)
        .with("weight-decay", decay)
        .fault(&["decay-dominated"], DECAYED)
        .undone_by("weight-decay", 0)
}

fn decay_adamw(d: &mut Draw) -> Case {
    let lr = d.log(0.001, 0.01);
    let decay = format!("{:.2}", d.uniform(0.15, 0.5) / lr);
    network(d)
        .step("adamw", lr)
        .with("weight-decay", decay)
        .fault(&["decay-dominated"], DECAYED)
        .undone_by("weight-decay", 0)
}

fn decay_adam(d: &mut Draw) -> Case {
    let decay = format!("{:.1}", d.uniform(1.0, 5.0));
    network(d)
        .step("adam", d.log(0.003, 0.01))
        .with("weight-decay", decay)
        .fault(&["decay-dominated"], DECAYED)
        .undone_by("weight-decay", 0)
}
