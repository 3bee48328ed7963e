//! Constants of the PyTorch recorder: those that it shares with the program are generated from the program's own.
//! `make update` writes the file.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use gradscope::record::{self, SCHEMA};
use gradscope::stats::{self, Counted, EXACT_CAPACITY, SAMPLE_CAPACITY};
use gradscope::text;

use crate::support::assert_committed;

const HEAD: &str = r#""""Constants that the recorder shares with the program.

Generated from the program's own by `make update`: not edited by hand.
"""
"#;

#[test]
fn the_recorder_shares_the_programs_constants() {
    assert_committed("python/gradscope/_constants.py", &generated());
}

#[test]
fn the_package_has_the_programs_version() {
    let project =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/pyproject.toml")).unwrap();
    let line = format!("\nversion = \"{}\"\n", env!("CARGO_PKG_VERSION"));
    assert!(project.contains(&line), "python/pyproject.toml has no line {line}");
}

fn generated() -> String {
    let mut file = HEAD.to_owned();
    let constants = format().into_iter().chain(thinning()).chain(capacities()).chain(bins());
    for (name, value, about) in constants {
        writeln!(file, "\n#: {about}\n{name} = {value}").unwrap();
    }
    file
}

type Constant = (&'static str, String, &'static str);

fn format() -> Vec<Constant> {
    vec![
        (
            "VERSION",
            format!("\"{}\"", env!("CARGO_PKG_VERSION")),
            "Version of the program, and of this package.",
        ),
        ("SCHEMA", format!("\"{SCHEMA}\""), "Format of a record."),
    ]
}

fn thinning() -> Vec<Constant> {
    use record::limits::{
        EPOCHS_PER_STRIDE, IN_FULL, LAYER_EPOCHS, LAYER_POINTS, MAX_IN_FULL, POINTS_PER_STRIDE,
    };
    vec![
        (
            "POINTS_PER_STRIDE",
            format!("{POINTS_PER_STRIDE:?}"),
            "Points of the step curves after which one stands for twice as many steps: at least, and at most.",
        ),
        (
            "LAYER_POINTS",
            grouped(LAYER_POINTS),
            "Norms of layers, in points of one stride, that bound the points of large networks.",
        ),
        (
            "EPOCHS_PER_STRIDE",
            format!("{EPOCHS_PER_STRIDE:?}"),
            "Captured epochs after which the distance between them doubles: at least, and at most.",
        ),
        (
            "LAYER_EPOCHS",
            grouped(LAYER_EPOCHS),
            "The same of layers, that bound the captures of large networks.",
        ),
        ("MAX_IN_FULL", grouped(MAX_IN_FULL), "Captures that are kept in full before the last, at most."),
        ("IN_FULL", grouped(IN_FULL), "Captures that are kept in full, times the square of the layers."),
    ]
}

fn capacities() -> Vec<Constant> {
    vec![
        ("NORM_DIGITS", record::limits::DIGITS.to_string(), "Digits of norms."),
        ("MOMENT_DIGITS", stats::limits::DIGITS.to_string(), "Digits of moments in a history."),
        (
            "FREQUENCY_STEPS",
            record::limits::RATE_STEPS.to_string(),
            "Parts of a whole in which a history keeps activation frequencies.",
        ),
        ("EXACT_CAPACITY", grouped(EXACT_CAPACITY as u64), "Values of a tensor that are all kept, at most."),
        (
            "SAMPLE_CAPACITY",
            grouped(SAMPLE_CAPACITY as u64),
            "Values of a larger tensor that are kept beside its bins.",
        ),
    ]
}

fn bins() -> Vec<Constant> {
    use stats::limits::{MAX_BIN, PROBABILITIES, SHIFT, SUBNORMAL};
    let probabilities: String = PROBABILITIES.iter().map(|p| format!("    {p},\n")).collect();
    vec![
        ("BIN_SHIFT", SHIFT.to_string(), "Bits of a float32 that a bin ignores."),
        (
            "BIN_TABLE_LENGTH",
            grouped(Counted::ROWS as u64),
            "Bins of a table: one for each sign, exponent and upper part of a mantissa.",
        ),
        ("SUBNORMAL_BIN", SUBNORMAL.to_string(), "Index of the bin that all subnormal numbers share."),
        ("MAX_BIN", MAX_BIN.to_string(), "Largest index of a finite number's bin."),
        (
            "PROBABILITIES",
            format!("(\n{probabilities})"),
            "Probabilities of the quantiles that a history keeps.",
        ),
    ]
}

/// Writes a number as Python sources do: 20_000.
fn grouped(number: u64) -> String {
    text::count(number).replace(',', "_")
}
