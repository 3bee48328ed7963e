//! What measuring costs, as a table: in the terminal and in docs/benchmarks.md.
//!
//! Everything is measured in turn, round after round, so that whatever else the machine does meets all
//! alike; a figure is the median of the rounds, beside the smallest. Criterion's `parts` follow one part
//! over time, this table sets the parts against what they may cost and against the physical limit, which
//! is to read the memory once.
//!
//! `cargo bench --bench engine -- --measure FILE` times the distribution and its density over a file of
//! float32 values and prints JSON, for `benches/peers.py`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use gradscope::stats::{self, Density, Distribution, Instructions};

const VALUES: usize = 10_000_000;
const FEW: usize = 1_000_000;
const ROUNDS: usize = 21;

/// Something to time.
struct Row<'a> {
    what: String,
    /// Nanoseconds are given for one of so many.
    values: usize,
    /// Calls that are timed together, where one is too short for the clock.
    calls: usize,
    /// The most nanoseconds it should take.
    target: Option<f64>,
    run: Box<dyn FnMut() + 'a>,
}

impl<'a> Row<'a> {
    fn new(what: impl Into<String>, values: usize, run: impl FnMut() + 'a) -> Self {
        Self { what: what.into(), values, calls: 1, target: None, run: Box::new(run) }
    }

    fn calls(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    fn at_most(mut self, nanoseconds: f64) -> Self {
        self.target = Some(nanoseconds);
        self
    }

    /// Nanoseconds a value, once.
    fn time(&mut self) -> f64 {
        let start = Instant::now();
        (0..self.calls).for_each(|_| (self.run)());
        start.elapsed().as_nanos() as f64 / (self.calls * self.values) as f64
    }
}

/// Normal values, as the weights of a layer have them (Box and Muller, 1958).
fn normal(count: usize, mean: f32, std: f32) -> Vec<f32> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    };
    let mut value = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    (0..count).map(|_| mean + std * value() as f32).collect()
}

/// Reads the memory and does as little as can be done with it.
fn read(values: &[f32]) -> f32 {
    let mut lanes = [0.0; 32];
    for turn in values.as_chunks::<32>().0 {
        for (lane, value) in lanes.iter_mut().zip(turn) {
            *lane += value;
        }
    }
    lanes.iter().sum()
}

fn sorted_times(rows: &mut [Row]) -> Vec<Vec<f64>> {
    rows.iter_mut().for_each(|row| {
        row.time();
    });
    let mut times = vec![Vec::with_capacity(ROUNDS); rows.len()];
    for _ in 0..ROUNDS {
        rows.iter_mut().zip(&mut times).for_each(|(row, times)| times.push(row.time()));
    }
    times.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
    times
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|a| a == "--measure").map(|i| &arguments[i + 1]) {
        Some(file) => measure(Path::new(file)),
        None => table(),
    }
}

/// Times one distribution and one density over the values of a file.
fn measure(file: &Path) {
    let bytes = std::fs::read(file).expect("a file of float32 values");
    let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let d = Distribution::new(&values);
    let mut rows = [
        Row::new("distribution", 1, || drop(black_box(Distribution::new(&values)))),
        Row::new("density", 1, || drop(black_box(Density::from_values(&d)))),
        Row::new("both", 1, || drop(black_box(Density::from_values(&Distribution::new(&values))))),
    ];
    let times = sorted_times(&mut rows);
    let field = |(row, times): (&Row, &Vec<f64>)| format!("\"{}\": {}", row.what, times[ROUNDS / 2]);
    println!("{{{}}}", rows.iter().zip(&times).map(field).collect::<Vec<_>>().join(", "));
}

fn table() {
    let (widest, baseline) = (Instructions::widest(), Instructions::baseline());
    let values = normal(VALUES, 0.0, 0.05);
    let near_one = normal(FEW, 1.0, 0.02);
    let rectified: Vec<f32> = values.iter().map(|v| v.max(0.0)).collect();
    let mut kept: Vec<f32> = values.iter().map(|v| v * 1.001).collect();
    let double: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
    let brain: Vec<half::bf16> = values.iter().map(|v| half::bf16::from_f32(*v)).collect();
    let half: Vec<half::f16> = values.iter().map(|v| half::f16::from_f32(*v)).collect();
    let whole = Distribution::new(&values);
    let few = Distribution::new(&near_one);
    let nine = &values[..9];
    let of = |values: &[f32], threads, with| {
        drop(black_box(Distribution::with_instructions(values, threads, with)))
    };

    let mut rows = vec![Row::new("reading 10M float32 once (a plain sum)", VALUES, || {
        black_box(read(&values));
    })];
    #[cfg(feature = "train")]
    {
        let tensor = tch::Tensor::from_slice(&values);
        tch::set_num_threads(1);
        rows.push(Row::new("torch.sum of them, one thread", VALUES, move || {
            let _ = black_box(tensor.sum(tch::Kind::Float));
        }));
    }
    let name = |set: Instructions| format!("distribution of 10M float32, one core, {}", set.name());
    if widest != baseline {
        rows.push(Row::new(name(widest), VALUES, || of(&values, 1, widest)).at_most(1.0));
    }
    rows.extend([
        Row::new(name(baseline), VALUES, || of(&values, 1, baseline)).at_most(1.2),
        Row::new("… two cores", VALUES, || of(&values, 2, widest)).at_most(0.6),
        Row::new("… of 10M outputs of a ReLU, half of them zero", VALUES, || of(&rectified, 1, widest)),
        Row::new("… of 1M float32 around 1 ± 0.02", FEW, || of(&near_one, 1, widest)),
        Row::new("… of 100,000 float32", 100_000, || of(&values[..100_000], 1, widest)).calls(10),
        Row::new("… of 4,096 float32", 4_096, || of(&values[..4_096], 1, widest)).calls(100),
        Row::new("… of 10M float64", VALUES, || drop(black_box(Distribution::with_threads(&double, 1)))),
        Row::new("… of 10M bfloat16", VALUES, || drop(black_box(Distribution::with_threads(&brain, 1)))),
        Row::new("… of 10M float16", VALUES, || drop(black_box(Distribution::with_threads(&half, 1)))),
        Row::new("L2 norm of 10M float32", VALUES, || {
            black_box(stats::l2(&values));
        }),
        Row::new("L2 norms of 10M float32 and of what changed, which are kept", VALUES, || {
            black_box(stats::follow(&mut kept, &values));
        }),
        Row::new("distribution of 9 values, each time", 1, || of(nine, 1, widest)).calls(1_000).at_most(1e3),
        Row::new("merge of two distributions of millions, each time", 1, || {
            let mut sum = whole.clone();
            sum.merge(black_box(&few));
            black_box(sum);
        })
        .calls(100)
        .at_most(5e3),
        Row::new("density of 1M values from bins, each time", 1, || {
            black_box(Density::from_values(&few));
        }),
        Row::new("violin of 10M values from bins (density and quartiles), each time", 1, || {
            let quartiles = [0.25, 0.5, 0.75].map(|q| whole.quantile(q));
            black_box((Density::from_values(&whole), quartiles));
        })
        .at_most(5e6),
        Row::new("the same of magnitudes, each time", 1, || {
            black_box(Density::from_magnitudes(&whole));
        })
        .at_most(5e6),
    ]);
    let times = sorted_times(&mut rows);
    let text = markdown(&rows, &times);
    print!("{text}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks.md");
    std::fs::write(&path, text).expect("docs/ can be written to");
}

fn markdown(rows: &[Row], times: &[Vec<f64>]) -> String {
    let median = |i: usize| times[i][ROUNDS / 2];
    let limit = median(0);
    let torch = rows.iter().position(|row| row.what.starts_with("torch.sum")).map(median);
    let mut text = format!(
        "# What measuring costs\n\n\
         Written by `make bench`; {ROUNDS} rounds in turn on {}. Nanoseconds a value, or each time where\n\
         the row says so. The physical limit is reading the memory once.\n\n\
         | what | median ns | smallest ns | at most | × limit | × torch.sum |\n|---|---:|---:|---:|---:|---:|\n",
        processor()
    );
    for (row, times) in rows.iter().zip(times) {
        let (median, smallest) = (times[ROUNDS / 2], times[0]);
        let number = |ns: f64| if ns < 100.0 { format!("{ns:.2}") } else { format!("{ns:.0}") };
        let target = row
            .target
            .map_or("".into(), |t| format!("{}{}", number(t), if median <= t { "" } else { " **missed**" }));
        let times_of = |one: Option<f64>| {
            one.filter(|_| row.values > 1).map_or("".into(), |one| format!("{:.1}", median / one))
        };
        let (of_limit, of_torch) = (times_of(Some(limit)), times_of(torch));
        let (median, smallest) = (number(median), number(smallest));
        // Writing to a string does not fail.
        let _ =
            writeln!(text, "| {} | {median} | {smallest} | {target} | {of_limit} | {of_torch} |", row.what);
    }
    let nine = Distribution::new(&[0.5; 9]);
    let bytes = size_of_val(&nine) + size_of_val(nine.sample());
    let _ = writeln!(text, "\nA distribution of 9 values takes {bytes} bytes (at most 1,024).");
    text
}

/// What the processor calls itself, and how busy it is.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = name.map_or("a processor that does not say its name", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Beside other work the medians are as much about that as about this; the smallest times less so.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().filter(|l| !l.is_empty()).unwrap_or("unknown").to_owned();
    format!("{name}, {cores} cores, load average {load}")
}
