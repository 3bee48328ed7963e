//! Optimizers, schedules, clipping, batches and the length of a run.

use crate::build::{init_of, mlp};
use crate::case::{Case, Kind, kind, long};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("sgd", "plain SGD", |d| shallow(d).step("sgd", d.log(0.1, 0.4))),
    kind("sgd-momentum", "SGD with momentum 0.9", momentum),
    kind("momentum-0.99", "a momentum that adds up a hundred small steps", |d| {
        shallow(d).step("sgd", d.log(2e-3, 8e-3)).with("momentum", 0.99)
    }),
    kind("rmsprop-momentum", "RMSprop with momentum", |d| {
        shallow(d).step("rmsprop", d.log(3e-4, 1e-3)).with("momentum", 0.9)
    }),
    kind("rmsprop", "RMSprop at its usual rate", |d| shallow(d).step("rmsprop", 1e-3)),
    kind("adamw", "AdamW with mild decay", |d| adam(d).with("optimizer", "adamw").with("weight-decay", 0.01)),
    kind("adamw-strong", "AdamW that takes a thousandth of the weights a step", |d| {
        let lr = d.log(3e-3, 8e-3);
        shallow(d).step("adamw", lr).with("weight-decay", format!("{:.2}", 1e-3 / lr))
    }),
    kind("weight-decay", "SGD with mild decay", |d| momentum(d).with("weight-decay", d.log(1e-4, 1e-3))),
    kind("clip-norm", "clipping that rarely bites", |d| {
        adam(d).with("clip-norm", d.uniform(2.0, 5.0).round())
    }),
    kind("clip-always", "SGD whose every step is clipped to a sane length", clip_always),
    kind("clip-value", "every value of the gradient clipped", |d| {
        adam(d).with("clip-value", d.log(0.05, 0.5))
    }),
    kind("cosine", "a rate that falls along a cosine, to 0", |d| adam(d).with("lr-decay", "cosine")),
    kind("exponential", "a rate that falls by a fifth an epoch", |d| {
        adam(d).with("lr-decay", "exponential:0.8")
    }),
    kind("step-decay", "a rate that falls to a tenth twice", |d| adam(d).with("lr-decay", "step:5,0.1")),
    kind("one-epoch", "a single epoch of many batches", |d| few(d, 1)),
    kind("two-epochs", "two epochs", |d| few(d, 2)),
    kind("batch-16", "small batches", |d| adam(d).with("batch-size", 16)),
    kind("batch-8", "very small batches: gradients that are mostly noise", |d| adam(d).with("batch-size", 8)),
    long("full-batch-sgd", "a step an epoch", full_batch),
    long("full-batch-adam", "a step an epoch, with Adam", full_batch_adam),
    long("converged", "hundreds of epochs: gradients that are small since nothing is left", converged),
    kind("converged-blobs", "easy classes that are learned to the end in the first epochs", converged_blobs),
];

fn shallow(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(16, 64));
    mlp(d, depth, width, "relu", "moons").with("init", init_of("relu"))
}

fn adam(d: &mut Draw) -> Case {
    shallow(d).step("adam", d.log(3e-3, 8e-3))
}

fn momentum(d: &mut Draw) -> Case {
    shallow(d).step("sgd", d.log(0.02, 0.1)).with("momentum", 0.9)
}

fn clip_always(d: &mut Draw) -> Case {
    shallow(d).step("sgd", d.log(0.3, 0.6)).with("clip-norm", 0.1)
}

fn few(d: &mut Draw, epochs: u64) -> Case {
    adam(d).with("samples", 3000).with("batch-size", 16).with("epochs", epochs)
}

fn full_batch(d: &mut Draw) -> Case {
    shallow(d)
        .step("sgd", d.log(0.1, 0.4))
        .with("momentum", d.pick(&[0.0, 0.9]))
        .with("batch-size", "full")
        .with("epochs", 120)
}

fn full_batch_adam(d: &mut Draw) -> Case {
    adam(d).with("batch-size", "full").with("epochs", 80)
}

fn converged(d: &mut Draw) -> Case {
    adam(d).with("noise", 0.05).with("samples", 400).with("batch-size", 64).with("epochs", 200)
}

fn converged_blobs(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 3), d.width(8, 32));
    mlp(d, depth, width, "relu", "blobs")
        .with("noise", 0.3)
        .with("epochs", 25)
        .step("adam", d.log(5e-3, 0.01))
}
