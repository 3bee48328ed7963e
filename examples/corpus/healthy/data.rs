//! Data of every sort, with noise that nobody can learn, and of sizes that are still sane.

use crate::build::{Table, conv, file, flatten, hidden, images, init_of, linear, mlp, parts, pool};
use crate::case::{Case, Kind, kind};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("blobs", "blobs, inputs unscaled", blobs),
    kind("spirals", "spirals, which take long to come apart", spirals),
    kind("polynomial", "regression on a polynomial", polynomial),
    kind("polynomial-noise", "regression that leaves a third of the variance unexplained", polynomial_noise),
    kind("moons-noise", "classes that overlap", moons_noise),
    kind("linear", "layers without a nonlinearity on what is linear", linear_net),
    kind("table-regression", "a table of four columns", |d| regression(d, Table::default())),
    kind("table-noise", "a table with irreducible noise", |d| {
        regression(d, Table { noise: 0.6, ..Table::default() })
    }),
    kind("table-classes", "a table of two classes", classes),
    kind("table-wide", "a table of 30 columns", |d| regression(d, Table { inputs: 30, ..Table::default() })),
    kind("targets-small", "targets × 0.001 to 0.01: the loss is four to six decades smaller", targets_small),
    kind("targets-mild", "targets × 5 to 10 around 5", |d| {
        let target_scale = d.uniform(5.0, 10.0);
        regression(d, Table { target_scale, shift: 5.0, ..Table::default() })
    }),
    kind("inputs-mild", "inputs × 5, not standardised", |d| {
        regression(d, Table { scale: 5.0, ..Table::default() })
    }),
    kind("inputs-standardised", "inputs × 1e4, standardised", standardised),
    kind("conv", "the convolutional network on images", |d| {
        images(Case::of("conv"), d).step("adam", d.log(3e-3, 0.01))
    }),
    kind("conv-norm", "convolutions with BatchNorm", conv_norm),
    kind("fashion", "the network for Fashion-MNIST with dropout", |d| {
        images(Case::of("fashion"), d).step("adam", d.log(1e-3, 3e-3))
    }),
    kind("images-mlp", "a fully connected network on images", images_mlp),
];

fn blobs(d: &mut Draw) -> Case {
    let (depth, width, classes) = (d.depth(1, 3), d.width(8, 48), d.pick(&["blobs", "blobs:4", "blobs:2"]));
    mlp(d, depth, width, "relu", classes).step("adam", d.log(2e-3, 8e-3))
}

fn spirals(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(32, 64));
    let act = d.pick(&["relu", "tanh"]);
    mlp(d, depth, width, act, "spirals")
        .with("init", init_of(act))
        .with("epochs", 20)
        .step("adam", d.log(5e-3, 0.01))
}

fn polynomial(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(16, 48));
    mlp(d, depth, width, "relu", "polynomial").with("init", init_of("relu")).step("adam", d.log(3e-3, 8e-3))
}

fn polynomial_noise(d: &mut Draw) -> Case {
    polynomial(d).with("data", "polynomial:w=2,-1,deg=1").with("noise", 1.5)
}

fn moons_noise(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(16, 48));
    mlp(d, depth, width, "relu", "moons").with("noise", 0.35).step("adam", d.log(3e-3, 8e-3))
}

fn network(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(16, 48));
    let act = d.pick(&["relu", "tanh", "gelu"]);
    Case::of("mlp")
        .with("hidden", hidden(depth, width))
        .with("act", act)
        .with("init", init_of(act))
        .with("seed", d.seed)
        .with("epochs", 15)
        .step("adam", d.log(3e-3, 8e-3))
}

fn regression(d: &mut Draw, table: Table) -> Case {
    network(d).regression(table.regression(d))
}

fn classes(d: &mut Draw) -> Case {
    network(d).classes(Table::default().classes(d))
}

fn targets_small(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 3), d.width(16, 48));
    let scale = d.log(1e-3, 1e-2);
    let mut parts = parts(depth, width, "tanh");
    *parts.last_mut().expect("an output") = linear(None, "zeros", "0");
    let table = Table { target_scale: scale, ..Table::default() };
    Case::of_file(file("tanh", "identity", &parts))
        .with("seed", d.seed)
        .with("epochs", 15)
        .regression(table.regression(d))
        .step("adam", 0.05 * scale)
}

fn standardised(d: &mut Draw) -> Case {
    regression(d, Table { scale: 1e4, ..Table::default() }).with("standardize", "")
}

fn conv_norm(d: &mut Draw) -> Case {
    let channels = d.width(4, 16);
    let normed = |channels: u64| {
        let mut part = conv(channels, "kaiming-uniform:nonlinearity=relu", "0");
        part.text.push_str("norm = \"batch-pre\"\n");
        part
    };
    let output = linear(None, "default", "0");
    let parts = [normed(channels), pool(), normed(2 * channels), pool(), flatten(), output];
    images(Case::of_file(file("relu", "identity", &parts)), d).step("adam", d.log(2e-3, 5e-3))
}

fn images_mlp(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 3), d.width(32, 64));
    let case = Case::of("mlp").with("hidden", hidden(depth, width)).with("act", "relu");
    images(case, d).step("adam", d.log(2e-3, 5e-3))
}

fn linear_net(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(1, 4), d.width(8, 32));
    mlp(d, depth, width, "identity", "polynomial:w=2,-1,deg=1")
        .with("init", init_of("tanh"))
        .step("adam", d.log(3e-3, 0.01))
}
