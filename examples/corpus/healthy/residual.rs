//! Deep networks with shortcuts.

use crate::build::{Part, conv, file, flatten, images, init_of, linear, part, residual, run_of};
use crate::case::{Case, Kind, kind, long};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("residual", "blocks of two layers behind LayerNorm, depth 8 to 16", |d| blocks(d, "he")),
    kind("residual-zero", "the same with branches that begin as nothing: their last layer is 0", |d| {
        blocks(d, "zeros")
    }),
    kind("residual-bare", "blocks without normalisation, whose branches begin small", bare),
    long(
        "residual-conv",
        "convolutional blocks with BatchNorm, and a mean over all positions",
        convolutional,
    ),
];

fn blocks(d: &mut Draw, last: &str) -> Case {
    let (depth, width) = (d.depth(4, 8), d.width(16, 32));
    let act = d.pick(&["relu", "gelu"]);
    let last = if last == "zeros" { last } else { "default" };
    let branch = [
        part("type = \"layer-norm\"\n"),
        linear(Some(width), init_of(act), "0"),
        linear(Some(width), last, "0"),
    ];
    run_of(d, trunk(depth, width, act, &branch), "moons").step("adam", d.log(1e-3, 4e-3))
}

fn bare(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(4, 8), d.width(16, 32));
    let branch = [linear(Some(width), init_of("relu"), "0"), linear(Some(width), "normal:0,0.001", "0")];
    run_of(d, trunk(depth, width, "relu", &branch), "moons").step("adam", d.log(1e-3, 4e-3))
}

/// A straight layer, so many blocks of this branch, an output.
fn trunk(depth: u64, width: u64, act: &str, branch: &[Part]) -> String {
    let mut parts = vec![part(format!("type = \"linear\"\nunits = {width}\nact = \"identity\"\n"))];
    parts.extend((0..depth).map(|_| residual(branch, "identity")));
    parts.push(linear(None, "xavier-normal", "0"));
    file(act, "identity", &parts)
}

fn convolutional(d: &mut Draw) -> Case {
    let (depth, channels) = (d.depth(2, 5), d.width(8, 16));
    let norm = || part("type = \"batch-norm\"\n");
    let relu = || part("type = \"activation\"\nact = \"relu\"\n");
    let straight = |init| part(conv(channels, init, "false").text + "act = \"identity\"\n");
    let he = init_of("relu");
    let branch = || [straight(he), norm(), relu(), straight(he), norm()];
    let mut parts = vec![conv(channels, he, "0")];
    parts.extend((0..depth).map(|_| residual(&branch(), "relu")));
    parts.extend([
        part("type = \"adaptive-avg-pool2d\"\nsize = 2\n"),
        flatten(),
        linear(None, "default", "0"),
    ]);
    images(Case::of_file(file("relu", "identity", &parts)), d).step("adam", d.log(1e-3, 4e-3))
}
