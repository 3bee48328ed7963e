//! Recurrent networks that remember what they need to.

use std::fmt::Write as _;

use crate::build::{recurrent, run_of};
use crate::case::{Case, Kind, kind, long};
use crate::draw::Draw;

pub const KINDS: &[Kind] = &[
    kind("rnn-short", "a plain recurrent layer over a few steps", short),
    long("lstm-memory", "an LSTM that remembers the first of some dozen steps", |d| gated(d, "lstm")),
    long("gru-memory", "a GRU that remembers the first of some dozen steps", |d| gated(d, "gru")),
    kind("rnn-recent", "long sequences of which only the last steps matter", |d| recent(d, "rnn")),
    kind("gru-recent", "the same with a GRU", |d| recent(d, "gru")),
];

fn short(d: &mut Draw) -> Case {
    let (steps, units) = (d.depth(4, 8), d.width(16, 32));
    run_of(d, recurrent("rnn", units, ""), &format!("memory:{steps}"))
        .with("batch-size", 32)
        .step("adam", d.log(2e-3, 5e-3))
}

fn gated(d: &mut Draw, cell: &str) -> Case {
    let (steps, units) = (d.depth(8, 13), d.width(16, 32));
    run_of(d, recurrent(cell, units, ""), &format!("memory:{steps}"))
        .with("batch-size", 16)
        .with("epochs", 18)
        // As is usual: gates that have just opened make bursts, which undo what has been learned.
        .with("clip-norm", 1)
        .step("adam", d.log(4e-3, 8e-3))
}

fn recent(d: &mut Draw, cell: &str) -> Case {
    let (steps, units) = (d.depth(50, 70), d.width(16, 32));
    let names: Vec<String> = (1..=steps).map(|step| format!("x{step}")).collect();
    let mut table = format!("{},y\n", names.join(","));
    for _ in 0..700 {
        let values: Vec<f64> = (0..steps).map(|_| d.normal()).collect();
        let told: f64 = values.iter().rev().take(3).sum();
        values.iter().for_each(|v| write!(table, "{v:.4},").expect("a string takes everything"));
        table += if told > 0.0 { "yes\n" } else { "no\n" };
    }
    Case::of_file(recurrent(cell, units, ""))
        .with("seed", d.seed)
        .with("epochs", 12)
        .with("batch-size", 16)
        .classes(table)
        .step("adam", d.log(2e-3, 5e-3))
}
