//! Instructions a value that the inner loops take, against the committed figures in `guard.txt`.
//!
//! Counts do not depend on how busy the machine is: a loop that is no longer made of vectors shows at
//! once. Valgrind's callgrind runs this very program with one and with two passes over the same values; the
//! difference is one pass, without whatever else a program does. `-- --write` takes the figures found for the
//! committed ones.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use gradscope::stats::{self, Distribution, Instructions};

/// Values of a pass.
const VALUES: usize = 1 << 19;
/// By how much a count may be off its figure.
const TOLERANCE: f64 = 0.02;

type Loop = (&'static str, fn(&[f32]));

const LOOPS: &[Loop] = &[
    ("distribution-float32-widest", |v| {
        drop(black_box(Distribution::with_instructions(v, 1, Instructions::widest())))
    }),
    ("distribution-float32-baseline", |v| {
        drop(black_box(Distribution::with_instructions(v, 1, Instructions::baseline())));
    }),
    ("l2", |v| {
        black_box(stats::l2(v));
    }),
    ("follow", |v| {
        black_box(stats::follow(&mut vec![0.5; v.len()], v));
    }),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, times] = arguments.as_slice()
        && flag == "--run"
    {
        run(name, times.parse().expect("a number of times"));
        return ExitCode::SUCCESS;
    }
    let committed = std::fs::read_to_string(figures()).unwrap_or_default();
    let mut found = String::new();
    let mut good = true;
    for (name, _) in LOOPS {
        let (once, twice) = (instructions(name, 1), instructions(name, 2));
        let a_value = (twice - once) as f64 / VALUES as f64;
        found += &format!("{name} {a_value:.3}\n");
        let figure = committed.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        let held = figure.is_some_and(|f| (a_value / f - 1.0).abs() <= TOLERANCE);
        let figure = figure.map_or("no figure".into(), |f| format!("figure {f:.3}"));
        println!(
            "{} {name}: {a_value:.3} instructions a value, {figure}",
            if held { "ok  " } else { "OFF " }
        );
        good &= held;
    }
    if arguments.iter().any(|a| a == "--write") {
        std::fs::write(figures(), found).expect("benches/ can be written to");
        return ExitCode::SUCCESS;
    }
    if !good {
        println!("More than {:.0}% off. If that is meant: make bench-guard WRITE=--write", 100.0 * TOLERANCE);
    }
    ExitCode::from(u8::from(!good))
}

/// One loop over the same values, so many times.
fn run(name: &str, times: usize) {
    let values: Vec<f32> = (0..VALUES).map(|i| ((i * 7_919) % 65_536) as f32 / 65_536.0 - 0.49).collect();
    let (_, work) = LOOPS.iter().find(|l| l.0 == name).expect("one of the loops");
    (0..times).for_each(|_| work(&values));
}

fn figures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/guard.txt")
}

/// What callgrind counts of a run of this program.
fn instructions(name: &str, times: usize) -> u64 {
    let own = std::env::current_exe().expect("a program knows where it is");
    let out = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(own)
        .args(["--run", name, &times.to_string()])
        .output()
        .expect("valgrind is installed");
    let text = String::from_utf8_lossy(&out.stderr);
    let count = text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.unwrap_or_else(|| panic!("callgrind says how much it counted: {text}"))
}
