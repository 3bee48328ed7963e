//! Whole networks that are drawn too small, too large, or all alike.

use crate::build::{conv, file, flatten, images, init_of, linear, mlp, pool};
use crate::case::{Case, Kind, kind};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("tiny-init", "weights of N(0, 0.01) and less through at least 4 layers", tiny),
    kind("tiny-tanh", "deep tanh with weights of N(0, 0.03) and less", tiny_tanh),
    kind("tiny-lrelu-bias", "leaky ReLU with tiny weights and bias −8, as in the teaching network", lrelu),
    kind("orthogonal-tiny", "orthogonal weights that shrink the signal to a fifth a layer", orthogonal_tiny),
    kind("deep-default", "PyTorch's default halves the signal a layer, a dozen times and more", deep_default),
    kind("deep-sigmoid", "a sigmoid's slope is a quarter at most, seven times and more", deep_sigmoid),
    kind("huge-init", "weights that multiply the signal by ten a layer", huge),
    kind("huge-init-adam", "the same with Adam, whose steps are too small against such weights", huge_adam),
    kind(
        "large-init",
        "weights of N(0, 1) to N(0, 2): sure of wrong answers, and Adam's steps too small",
        large,
    ),
    kind("orthogonal-huge", "orthogonal weights that multiply the signal by five a layer", orthogonal_huge),
    kind("nan-weights", "weights of 1e25: their products leave float32", nan),
    kind("zeros-init", "every parameter 0", zeros),
    kind("zeros-images", "every parameter 0, on images", zeros_images),
    kind("zeros-conv", "every parameter of a convolutional network 0", zeros_conv),
    kind("constant-init", "all weights equal: one unit a layer, and circles need more", constant),
    kind("ones-init", "all weights 1", ones),
];

const VANISHING: &[&str] = &["init-scale", "vanishing-depth", "vanishing-all"];
const VANISHED: &[&str] = &["stalled", "slow", "layer-frozen", "constant-output", "plateau", "dormant-units"];
const EXPLODING: &[&str] = &["init-scale", "exploding-depth"];
const EXPLODED: &[&str] =
    &["update-high", "exploding-time", "non-finite", "dead-layer", "plateau", "vanishing-all"];
const SYMMETRIC: &[&str] = &["symmetric"];
const COPIES: &[&str] = &["dead-layer", "vanishing-all", "vanishing-depth", "stalled", "plateau"];

fn tiny(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(4, 9), d.width(8, 32));
    let (act, data) = (d.pick(&["relu", "tanh", "gelu", "elu", "silu"]), d.pick(&["moons", "circles"]));
    mlp(d, depth, width, act, data)
        .with("init", format!("normal:0,{}", d.log(1e-3, 1e-2)))
        .with("bias", 0)
        .step("sgd", d.log(0.01, 0.1))
        .fault(VANISHING, VANISHED)
        .undone_by("init", init_of(act))
}

fn tiny_tanh(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(6, 11), d.width(8, 16));
    mlp(d, depth, width, "tanh", "moons")
        .with("init", format!("normal:0,{}", d.log(0.01, 0.03)))
        .with("bias", 0)
        .step("sgd", d.log(0.03, 0.2))
        .with("momentum", d.pick(&[0.0, 0.9]))
        .fault(VANISHING, VANISHED)
        .undone_by("init", init_of("tanh"))
}

fn lrelu(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(4, 6), d.width(4, 16));
    mlp(d, depth, width, "lrelu", "moons")
        .with("init", "normal:0,0.01")
        .with("bias", -8)
        .step("sgd", d.log(0.01, 0.05))
        .fault(VANISHING, VANISHED)
        .undone_by("init", init_of("lrelu"))
        .undone_by("bias", 0)
}

fn orthogonal_tiny(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(6, 10), d.width(8, 32));
    let act = d.pick(&["tanh", "relu", "elu"]);
    mlp(d, depth, width, act, "moons")
        .with("init", format!("orthogonal:gain={}", d.log(0.08, 0.2)))
        .with("bias", 0)
        .step("sgd", d.log(0.01, 0.1))
        .fault(VANISHING, VANISHED)
        .undone_by("init", init_of(act))
}

fn deep_default(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(12, 19), d.width(8, 32));
    mlp(d, depth, width, "relu", "moons")
        .step("sgd", d.log(0.01, 0.05))
        .fault(VANISHING, VANISHED)
        .undone_by("init", init_of("relu"))
}

fn deep_sigmoid(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(7, 12), d.width(8, 32));
    mlp(d, depth, width, "sigmoid", "moons")
        .with("init", d.pick(&["default", "xavier-normal"]))
        .step("sgd", d.log(0.05, 0.3))
        .fault(VANISHING, VANISHED)
        .undone_by("act", "relu")
        .undone_by("init", init_of("relu"))
}

/// Standard deviation that multiplies the signal of ReLU layers of this width.
fn gain(width: u64, gain: f64) -> String {
    format!("normal:0,{:.2}", gain * (2.0 / width as f64).sqrt())
}

fn huge(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(5, 8), d.width(8, 32));
    let (act, data) = (d.pick(&["relu", "lrelu"]), d.pick(&["moons", "circles"]));
    mlp(d, depth, width, act, data)
        .with("init", gain(width, d.uniform(8.0, 15.0)))
        .step("sgd", d.log(1e-3, 0.05))
        .fault(EXPLODING, EXPLODED)
        .undone_by("init", init_of(act))
}

fn huge_adam(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(5, 8), d.width(8, 32));
    mlp(d, depth, width, "relu", "circles")
        .with("init", gain(width, d.uniform(10.0, 20.0)))
        .step("adam", 0.001)
        .with("epochs", 8)
        .fault(EXPLODING, EXPLODED)
        .undone_by("init", init_of("relu"))
}

fn large(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(32, 64));
    let data = d.pick(&["moons", "circles"]);
    mlp(d, depth, width, "relu", data)
        .with("init", format!("normal:0,{:.1}", d.uniform(1.0, 2.0)))
        .step("adam", d.log(3e-5, 1e-4))
        .fault(EXPLODING, &["slow", "plateau"])
        .undone_by("init", init_of("relu"))
}

fn orthogonal_huge(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(5, 8), d.width(8, 32));
    mlp(d, depth, width, "relu", "moons")
        .with("init", format!("orthogonal:gain={:.1}", d.uniform(8.0, 12.0)))
        .step("sgd", d.log(0.01, 0.05))
        .fault(EXPLODING, EXPLODED)
        .undone_by("init", init_of("relu"))
}

fn nan(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 5), d.width(8, 32));
    let act = d.pick(&["relu", "lrelu", "gelu"]);
    mlp(d, depth, width, act, "moons")
        .with("init", "normal:0,1e25")
        .step("sgd", 0.01)
        .with("epochs", 4)
        .fault(&["non-finite", "init-scale", "exploding-depth"], EXPLODED)
        .undone_by("init", init_of(act))
}

fn zeros(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 4), d.width(4, 32));
    let (act, data) = (d.pick(&["relu", "tanh", "sigmoid", "gelu"]), d.pick(&["circles", "spirals"]));
    let (optimizer, lr) = d.pick(&[("sgd", 0.1), ("adam", 0.003)]);
    let case = mlp(d, depth, width, act, data).with("init", "zeros").with("bias", 0);
    case.step(optimizer, lr).fault(SYMMETRIC, COPIES).undone_by("init", init_of(act))
}

fn zeros_images(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 3), d.width(16, 48));
    let case = Case::of("mlp").with("hidden", crate::build::hidden(depth, width)).with("act", "relu");
    let case = images(case, d).with("init", "zeros").with("bias", 0);
    case.step("adam", d.log(1e-3, 3e-3)).fault(SYMMETRIC, COPIES).undone_by("init", init_of("relu"))
}

fn zeros_conv(d: &mut Draw) -> Case {
    let channels = d.width(4, 16);
    let zeros = |channels| conv(channels, "zeros", "0");
    let output = linear(None, "zeros", "0");
    let parts = [zeros(channels), pool(), zeros(2 * channels), pool(), flatten(), output];
    images(Case::of_file(file("relu", "identity", &parts)), d)
        .step("adam", d.log(1e-3, 3e-3))
        .fault(SYMMETRIC, COPIES)
}

fn constant(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 4), d.width(8, 32));
    let act = d.pick(&["relu", "tanh", "sigmoid"]);
    mlp(d, depth, width, act, "circles")
        .with("init", format!("constant:{}", d.log(0.05, 0.3)))
        .with("bias", 0)
        .step("adam", d.log(1e-3, 5e-3))
        .fault(SYMMETRIC, COPIES)
        .undone_by("init", init_of(act))
}

fn ones(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 3), d.width(8, 32));
    let act = d.pick(&["relu", "tanh"]);
    mlp(d, depth, width, act, "circles")
        .with("init", "ones")
        .with("bias", 0)
        .step("adam", d.log(1e-3, 5e-3))
        .fault(SYMMETRIC, &["exploding-depth", "update-high", "saturated", "plateau", "dead-layer"])
        .undone_by("init", init_of(act))
}
