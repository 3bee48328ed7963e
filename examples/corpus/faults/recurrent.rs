//! Gradients that vanish or explode through the steps of a sequence.

use crate::build::{recurrent, run_of};
use crate::case::{Case, Kind, kind};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("rnn-forgets", "a plain recurrent layer that is to remember the first of 60 steps and more", |d| {
        forgets(d, "tanh")
    }),
    kind("rnn-forgets-sigmoid", "the same of sigmoids, over 30 steps and more", |d| forgets(d, "sigmoid")),
    kind(
        "rnn-explodes",
        "recurrent weights that multiply what they see by two and more at every step",
        explodes,
    ),
    kind(
        "rnn-explodes-tanh",
        "the same with tanh, which keeps the states small and not their gradients",
        |d| explodes_within(d, 4.0),
    ),
];

const PLATEAU: &[&str] = &["plateau", "constant-output", "slow", "dormant-units"];

fn forgets(d: &mut Draw, act: &str) -> Case {
    let (low, high) = if act == "tanh" { (60, 90) } else { (30, 50) };
    let (steps, units) = (d.depth(low, high), d.width(16, 32));
    let (optimizer, lr) =
        if d.pick(&[true, false]) { ("sgd", d.log(0.01, 0.1)) } else { ("adam", d.log(3e-4, 1e-3)) };
    run_of(d, recurrent("rnn", units, &format!("act = \"{act}\"\n")), &format!("memory:{steps}"))
        .with("batch-size", 32)
        .step(optimizer, lr)
        .fault(&["vanishing-time"], PLATEAU)
        .at(&["rnn1.weight_hh_l0".into()])
}

fn explodes(d: &mut Draw) -> Case {
    let (steps, units) = (d.depth(20, 40), d.width(16, 32));
    let init =
        format!("recurrent-init = \"orthogonal:gain={:.1}\"\nact = \"identity\"\n", d.uniform(2.0, 3.0));
    run_of(d, recurrent("rnn", units, &init), &format!("memory:{steps}"))
        .with("batch-size", 32)
        .step("sgd", d.log(0.01, 0.1))
        .fault(&["exploding-time"], &["update-high", "non-finite", "plateau"])
        .at(&["rnn1.weight_hh_l0".into()])
}

fn explodes_within(d: &mut Draw, gain: f64) -> Case {
    let (steps, units) = (d.depth(30, 50), d.width(16, 32));
    let std = gain / (units as f64).sqrt();
    run_of(
        d,
        recurrent("rnn", units, &format!("recurrent-init = \"normal:0,{std:.3}\"\n")),
        &format!("memory:{steps}"),
    )
    .with("batch-size", 32)
    .step("sgd", d.log(0.03, 0.1))
    .fault(&["exploding-time"], &["update-high", "plateau"])
    .at(&["rnn1.weight_hh_l0".into()])
}
