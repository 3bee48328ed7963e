//! Learning rates far too high and far too low.

use crate::build::{conv, file, flatten, images, init_of, linear, mlp, pool};
use crate::case::{Case, Kind, kind};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("lr-high-sgd", "steps a hundred times as large as the weights bear", high_sgd),
    kind(
        "lr-high-regression",
        "the curvature of a squared error times the rate is far above 2",
        high_regression,
    ),
    kind("lr-high-momentum", "the same, ten times as large by momentum", high_momentum),
    kind(
        "lr-high-squash",
        "steps that throw sigmoid or tanh units into their flat ends at once",
        high_squash,
    ),
    kind("lr-high-adam", "every weight moves by more than itself in a step", high_adam),
    kind("lr-high-rmsprop", "the same with RMSprop", high_rmsprop),
    kind("lr-high-conv", "a convolutional network with steps larger than its kernels", high_conv),
    kind("lr-high-momentum-0.99", "a hundred steps of a rate that is high by itself, added up", |d| {
        unforgiving(d)
            .step("sgd", d.log(1.0, 10.0))
            .with("momentum", 0.99)
            .fault(HIGH, BURST)
            .undone_by("lr", 0.001)
    }),
    kind(
        "momentum-0.999",
        "a momentum that adds up a thousand steps of a rate that is high by itself",
        momentum,
    ),
    kind("lr-low-sgd", "a rate with which thousands of epochs change nothing", low_sgd),
    kind("lr-low-adam", "each step moves a weight by a millionth and less", low_adam),
    kind("lr-low-images", "the same on images", low_images),
    kind("schedule-kills", "the rate falls a hundredfold an epoch before anything is learned", schedule),
];

const HIGH: &[&str] = &["update-high", "exploding-time"];
const BURST: &[&str] = &["non-finite", "dead-layer", "vanishing-all", "stalled", "plateau", "saturated"];
const LOW: &[&str] = &["stalled", "slow"];
const STILL: &[&str] = &["plateau"];

fn shallow(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 5), d.width(8, 64));
    let (act, data) = (d.pick(&["relu", "lrelu", "gelu"]), d.pick(&["moons", "circles"]));
    mlp(d, depth, width, act, data).with("init", init_of(act))
}

fn high_sgd(d: &mut Draw) -> Case {
    shallow(d).step("sgd", d.log(30.0, 300.0)).fault(HIGH, BURST).undone_by("lr", 0.1)
}

fn high_regression(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 4), d.width(8, 32));
    let data = "polynomial:w=2,-1,deg=2";
    let case = mlp(d, depth, width, "relu", data).with("init", init_of("relu"));
    case.step("sgd", d.log(1.0, 10.0)).fault(HIGH, BURST).undone_by("lr", 0.01)
}

fn high_momentum(d: &mut Draw) -> Case {
    shallow(d).step("sgd", d.log(5.0, 50.0)).with("momentum", 0.9).fault(HIGH, BURST).undone_by("lr", 0.01)
}

fn high_squash(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 4), d.width(16, 48));
    let act = d.pick(&["sigmoid", "tanh"]);
    mlp(d, depth, width, act, "circles")
        .with("init", init_of(act))
        .step("sgd", d.log(50.0, 300.0))
        .fault(HIGH, BURST)
        .undone_by("lr", 0.1)
}

/// Circles, which a network that only grows does not separate, and no leaky ReLU: it bears any growth.
fn unforgiving(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(3, 6), d.width(8, 64));
    let act = d.pick(&["relu", "gelu"]);
    mlp(d, depth, width, act, "circles").with("init", init_of(act))
}

fn high_adam(d: &mut Draw) -> Case {
    unforgiving(d).step("adam", d.log(3.0, 30.0)).fault(HIGH, BURST).undone_by("lr", 0.003)
}

fn high_rmsprop(d: &mut Draw) -> Case {
    unforgiving(d).step("rmsprop", d.log(5.0, 30.0)).fault(HIGH, BURST).undone_by("lr", 0.001)
}

fn high_conv(d: &mut Draw) -> Case {
    let channels = d.width(4, 16);
    let init = "kaiming-uniform:nonlinearity=relu";
    let output = linear(None, "default", "0");
    let parts = [conv(channels, init, "0"), pool(), conv(channels, init, "0"), pool(), flatten(), output];
    let (optimizer, lr) = d.pick(&[("sgd", 50.0), ("adam", 1.0), ("adam", 3.0)]);
    let case = images(Case::of_file(file("relu", "identity", &parts)), d);
    case.step(optimizer, lr).fault(HIGH, BURST).undone_by("lr", if optimizer == "sgd" { 0.1 } else { 0.003 })
}

fn momentum(d: &mut Draw) -> Case {
    shallow(d)
        .step("sgd", d.log(1.0, 5.0))
        .with("momentum", 0.999)
        .fault(HIGH, BURST)
        .undone_by("momentum", 0.9)
        .undone_by("lr", 0.01)
}

fn low_sgd(d: &mut Draw) -> Case {
    shallow(d).step("sgd", d.log(1e-9, 1e-6)).fault(LOW, STILL).undone_by("lr", 0.1)
}

fn low_adam(d: &mut Draw) -> Case {
    shallow(d).step("adam", d.log(1e-9, 1e-6)).fault(LOW, STILL).undone_by("lr", 0.003)
}

fn low_images(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 4), d.width(16, 48));
    let case = Case::of("mlp").with("hidden", crate::build::hidden(depth, width)).with("act", "relu");
    let (optimizer, lr) = d.pick(&[("sgd", 1e-6), ("adam", 1e-7), ("rmsprop", 1e-7)]);
    images(case, d)
        .step(optimizer, lr)
        .fault(LOW, STILL)
        .undone_by("lr", if optimizer == "sgd" { 0.1 } else { 0.001 })
}

fn schedule(d: &mut Draw) -> Case {
    shallow(d)
        .step("sgd", d.log(1e-4, 1e-3))
        .with("lr-decay", "exponential:0.01")
        .fault(LOW, STILL)
        .undone_by("lr", 0.1)
        .undone_by("lr-decay", "cosine")
}
