//! What must not change a verdict: the order of the rows, and the size of the batch from 16 rows to all.

use crate::support::Scratch;

/// Rows of the tables, of which 384 train.
const ROWS: usize = 549;
/// Batch sizes, each with the epochs in which it takes steps enough.
const BATCHES: [(&str, u32); 3] = [("16", 8), ("64", 16), ("full", 100)];

/// The flags that put a fault in, and the one root that it must have (one of several, between bars); none
/// is a healthy run.
type Fault = (&'static str, Option<&'static str>);

const RELU: &str = "mlp --hidden 16,16,16,16 --init kaiming-normal --data csv:rows.csv";
const SIGMOID: &str = "mlp --hidden 16,16,16,16,16,16,16,16 --act sigmoid --data csv:rows.csv";

/// Of ReLU layers, whatever the batch.
const FAULTS: [Fault; 15] = [
    ("--optimizer adam --lr 0.01", None),
    ("--optimizer sgd --lr 0.1 --bias -30", Some("dead-layer")),
    ("--optimizer sgd --lr 0.1 --init zeros --bias 0", Some("symmetric")),
    ("--optimizer sgd --lr 0.05 --init normal:0,0.001 --bias 0", Some("init-scale")),
    ("--optimizer sgd --lr 0.01 --init normal:0,5", Some("init-scale")),
    ("--optimizer sgd --lr 0.01 --init normal:0,1e25", Some("non-finite")),
    ("--optimizer sgd --lr 100", Some("update-high")),
    ("--optimizer sgd --lr 1e-8", Some("stalled")),
    ("--optimizer adam --lr 1e-6", Some("slow")),
    ("--optimizer sgd --lr 0.1 --clip-norm 1e-7", Some("clip-dominated")),
    ("--optimizer sgd --lr 0.1 --clip-value 1e-9", Some("clip-dominated")),
    ("--optimizer sgd --lr 0.1 --weight-decay 3", Some("decay-dominated")),
    ("--optimizer sgd --lr 0.1 --data csv:tiny.csv", Some("input-scale")),
    ("--optimizer sgd --lr 0.1 --data csv:huge.csv", Some("input-scale")),
    ("--optimizer adam --lr 0.001 --data csv:far.csv", Some("target-scale")),
];

/// Of layers that saturate. Without the noise of batches, the last layers' gradient fades at a plateau as
/// well: then it has vanished altogether.
const SATURATED: [Fault; 2] = [
    ("--optimizer sgd --lr 0.1", Some("vanishing-depth|vanishing-all")),
    ("--optimizer sgd --lr 0.1 --bias 30", Some("saturated")),
];

/// Tables of two inputs in this order of rows: a ring to tell from its centre, and a polynomial far away.
fn tables(scratch: &Scratch, order: impl Fn(usize) -> usize) {
    let mut state = 7u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    };
    let rows: Vec<(f64, f64)> = (0..ROWS).map(|_| (2.0 * uniform(), 2.0 * uniform())).collect();
    let table = |row: &dyn Fn(f64, f64) -> String| {
        let rows = (0..ROWS).map(|i| rows[order(i)]).map(|(a, b)| row(a, b)).collect::<String>();
        "a,b,y\n".to_owned() + &rows
    };
    let ring = |a: f64, b: f64| if a * a + b * b < 2.5 { "in" } else { "out" };
    for (file, scale) in [("rows.csv", 1.0), ("tiny.csv", 1e-4), ("huge.csv", 1e4)] {
        scratch.file(file, &table(&|a, b| format!("{},{},{}\n", a * scale, b * scale, ring(a, b))));
    }
    scratch.file("far.csv", &table(&|a, b| format!("{a},{b},{}\n", 1000.0 * (2.0 * a - b + a * b))));
}

/// The rules that are roots above info.
fn roots(scratch: &Scratch, network: &str, flags: &str) -> Vec<String> {
    // A flag that stands twice is meant as it stands last.
    let network: Vec<&str> = network.split(' ').collect();
    let kept = network[1..].chunks(2).filter(|pair| !flags.contains(pair[0])).flatten();
    let words = kept.fold(network[0].to_owned(), |words, word| words + " " + word);
    scratch.gradscope(&format!("run --model {words} {flags} --seed 3 --out out --force -q")).expect(0);
    let summary = scratch.summary("out");
    let findings = summary["findings"].as_array().expect("findings").iter();
    let roots = findings.filter(|f| f["root"] == true && f["severity"] != "info");
    roots.map(|f| f["rule"].as_str().map_or_else(String::new, str::to_owned)).collect()
}

/// What differs from the label.
fn wrong(scratch: &Scratch, more: &str) -> String {
    let networks = [(RELU, FAULTS.as_slice()), (SIGMOID, SATURATED.as_slice())];
    let mut wrong = String::new();
    for (network, (flags, root)) in networks.iter().flat_map(|(n, f)| f.iter().map(move |f| (n, f))) {
        let found = roots(scratch, network, &format!("{flags} {more}"));
        let as_labelled = match (root, found.as_slice()) {
            (None, []) => true,
            (Some(root), [one]) => root.split('|').any(|name| name == one),
            _ => false,
        };
        if !as_labelled {
            wrong += &format!("{network} {flags} {more}: {root:?} was put in, {found:?} found\n");
        }
    }
    wrong
}

#[test]
fn verdicts_do_not_depend_on_the_batch_size() {
    let scratch = Scratch::new();
    tables(&scratch, |i| i);
    let wrong =
        BATCHES.map(|(size, epochs)| wrong(&scratch, &format!("--batch-size {size} --epochs {epochs}")));
    assert!(wrong.concat().is_empty(), "{}", wrong.concat());
}

#[test]
fn verdicts_do_not_depend_on_the_order_of_the_rows() {
    let scratch = Scratch::new();
    // Backwards, by a stride that shares no factor with the number of rows.
    tables(&scratch, |i| ROWS - 1 - (i * 100) % ROWS);
    let wrong = wrong(&scratch, "--batch-size 32 --epochs 12");
    assert!(wrong.is_empty(), "{wrong}");
}
