//! Every nonlinearity with the initialiser that suits it.

use crate::build::{init_of, mlp};
use crate::case::{Case, Kind, kind};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("relu-he-adam", "ReLU with He's initialiser", |d| plain(d, "relu", 5)),
    kind("lrelu-he-adam", "leaky ReLU with He's initialiser", |d| plain(d, "lrelu", 5)),
    kind("tanh-xavier-adam", "tanh with Xavier's initialiser", |d| plain(d, "tanh", 5)),
    kind("gelu", "GELU", |d| plain(d, "gelu", 4)),
    kind("selu", "SELU with variance 1/n", |d| plain(d, "selu", 6)),
    kind("silu", "SiLU", |d| plain(d, "silu", 3)),
    kind("elu", "ELU", |d| plain(d, "elu", 5)),
    kind("relu-default", "ReLU as PyTorch draws it, shallow", relu_default),
    kind("sigmoid-shallow", "sigmoid of one or two layers", sigmoid),
    kind("tanh-deep", "tanh of 6 to 9 layers with Xavier's initialiser", tanh_deep),
    kind("orthogonal-relu", "ReLU with orthogonal weights of gain √2", orthogonal),
];

fn plain(d: &mut Draw, act: &str, deepest: u64) -> Case {
    let (depth, width) = (d.depth(2, deepest), d.width(16, 64));
    let data = d.pick(&["moons", "circles", "moons"]);
    mlp(d, depth, width, act, data).with("init", init_of(act)).step("adam", d.log(3e-3, 8e-3))
}

fn relu_default(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 3), d.width(24, 64));
    mlp(d, depth, width, "relu", "moons").step("adam", d.log(2e-3, 8e-3))
}

fn sigmoid(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 2), d.width(8, 32));
    mlp(d, depth, width, "sigmoid", "moons").with("init", "xavier-normal").step("adam", d.log(0.01, 0.03))
}

fn tanh_deep(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(6, 9), d.width(16, 48));
    mlp(d, depth, width, "tanh", "moons").with("init", init_of("tanh")).step("adam", d.log(1e-3, 3e-3))
}

fn orthogonal(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(3, 8), d.width(16, 48));
    mlp(d, depth, width, "relu", "moons")
        .with("init", "orthogonal:gain=1.41")
        .with("bias", 0)
        .step("adam", d.log(2e-3, 5e-3))
}
