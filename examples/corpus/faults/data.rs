//! Inputs and targets of a size that no network is built for.

use crate::build::{Table, hidden, init_of};
use crate::case::{Case, Kind, kind};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("inputs-tiny", "inputs a thousandth of what weights are drawn for", inputs_tiny),
    kind("inputs-huge", "inputs ten thousand times what weights are drawn for", inputs_huge),
    kind("targets-huge", "targets of thousands: squared errors of millions", targets_huge),
    kind(
        "targets-shifted",
        "targets around ten thousand: the mean alone is thousands of steps away",
        targets_shifted,
    ),
];

fn network(d: &mut Draw) -> Case {
    let (depth, width) = (d.depth(2, 5), d.width(8, 48));
    let act = d.pick(&["relu", "gelu", "lrelu"]);
    Case::of("mlp")
        .with("hidden", hidden(depth, width))
        .with("act", act)
        .with("init", init_of(act))
        .with("bias", 0)
        .with("seed", d.seed)
        .with("epochs", 10)
}

fn inputs_tiny(d: &mut Draw) -> Case {
    let table = Table { scale: d.log(1e-5, 1e-3), ..Table::default() };
    let case = network(d);
    let case = if d.pick(&[true, false]) {
        case.classes(table.classes(d))
    } else {
        case.regression(table.regression(d))
    };
    case.step("sgd", d.log(0.01, 0.05))
        .fault(
            &["input-scale"],
            &[
                "slow",
                "stalled",
                "vanishing-all",
                "vanishing-depth",
                "constant-output",
                "plateau",
                "init-scale",
            ],
        )
        .undone_by("standardize", "")
}

const BURST: &[&str] =
    &["update-high", "exploding-time", "exploding-depth", "non-finite", "dead-layer", "plateau", "stalled"];

fn inputs_huge(d: &mut Draw) -> Case {
    let table = Table { scale: d.log(3e3, 3e4), ..Table::default() };
    let case = network(d).regression(table.regression(d));
    case.step("sgd", d.log(0.01, 0.05)).fault(&["input-scale"], BURST).undone_by("standardize", "")
}

fn targets_huge(d: &mut Draw) -> Case {
    let table = Table { target_scale: d.log(3e3, 3e4), ..Table::default() };
    let case = network(d).regression(table.regression(d));
    case.step("sgd", d.log(0.01, 0.05)).fault(&["target-scale"], BURST)
}

fn targets_shifted(d: &mut Draw) -> Case {
    let table = Table { shift: d.log(3e3, 3e4), ..Table::default() };
    let case = network(d).regression(table.regression(d));
    case.step("adam", d.log(1e-3, 5e-3)).fault(&["target-scale"], BURST)
}
