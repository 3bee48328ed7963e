//! One layer of a network that is otherwise drawn as it should be.

use crate::build::{file, linear, parts, residual, run_of};
use crate::case::{Case, Kind, kind};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind(
        "tiny-layers",
        "two layers in a row pass on next to nothing each, and neither gets a gradient by the other",
        |d| tiny(d, "normal:0,1e-10"),
    ),
    kind(
        "tiny-layers-1e-6",
        "the same of N(0, 1e-6): a ten-thousandth of what weights of this width are drawn with",
        |d| tiny(d, "normal:0,1e-6"),
    ),
    kind("residual-huge", "branches that add ten times and more what passes by them", branches),
    kind("huge-layer", "one layer passes on a thousand times what reaches it", huge),
];

fn tiny(d: &mut Draw, init: &str) -> Case {
    let (depth, width) = (d.depth(4, 7), d.width(8, 48));
    let k = d.pick(&(2..depth).collect::<Vec<_>>());
    let act = d.pick(&["tanh", "lrelu"]);
    let mut parts = parts(depth, width, act);
    // One alone recovers: its own gradient is as large as ever.
    for tiny in [k, k + 1] {
        parts[tiny as usize - 1] = linear(Some(width), init, "0");
    }
    run_of(d, file(act, "identity", &parts), "moons")
        .step("sgd", d.log(0.005, 0.02))
        .fault(
            &["init-scale", "vanishing-depth", "vanishing-all"],
            &["slow", "stalled", "layer-frozen", "constant-output", "plateau"],
        )
        // What vanishes is the gradient before it.
        .at(&[format!("fc{k}"), format!("fc{}", k + 1), "fc1".into()])
}

fn branches(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(4, 8), d.width(16, 48));
    let init = format!("normal:0,{:.2}", d.uniform(8.0, 15.0) * (2.0 / width as f64).sqrt());
    let branch =
        || [linear(Some(width), "kaiming-normal:nonlinearity=relu", "0"), linear(Some(width), &init, "0")];
    let mut parts = vec![linear(Some(width), "xavier-normal", "0")];
    parts.extend((0..depth).map(|_| residual(&branch(), "identity")));
    parts.push(linear(None, "xavier-normal", "0"));
    run_of(d, file("relu", "identity", &parts), "moons").step("sgd", d.log(0.01, 0.05)).fault(
        &["init-scale", "exploding-depth"],
        &["update-high", "exploding-time", "non-finite", "dead-layer", "plateau", "vanishing-all"],
    )
}

fn huge(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(3, 6), d.width(8, 48));
    let k = d.pick(&(2..=depth).collect::<Vec<_>>());
    let mut parts = parts(depth, width, "relu");
    parts[k as usize - 1] = linear(Some(width), "normal:0,200", "0");
    run_of(d, file("relu", "identity", &parts), "moons")
        .step("sgd", d.log(0.01, 0.05))
        .fault(
            &["init-scale", "exploding-depth"],
            &["update-high", "exploding-time", "non-finite", "dead-layer", "plateau"],
        )
        .at(&[format!("fc{k}")])
}
