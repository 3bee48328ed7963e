//! The data sets: what is drawn, what is read, how it is split.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::support::{Scratch, fixture, idx, number};
use gradscope::record::{Loss, Task};
use gradscope::train::{DataOptions, DataSource, Dataset, Rows, data_kinds};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

/// Draws are of one generator a process, which tests on several threads would share.
static GENERATOR: Mutex<()> = Mutex::new(());

fn load(data: &str, options: &DataOptions, seed: i64) -> Dataset {
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let source: DataSource = data.parse().unwrap_or_else(|e| panic!("{data}: {e}"));
    source.dataset(options, None, seed, Device::Cpu).unwrap_or_else(|e| panic!("{data}: {e}"))
}

fn options(noise: f64) -> DataOptions {
    DataOptions { noise: Some(noise), ..Default::default() }
}

/// Inputs of all rows, training first, with their labels or targets.
fn all(data: &Dataset) -> (Vec<Vec<f64>>, Vec<f64>) {
    let parts: Vec<&Rows> =
        [Some(&data.train), data.dev.as_ref(), data.test.as_ref()].into_iter().flatten().collect();
    let rows = |tensor: &Tensor| Vec::<Vec<f64>>::try_from(tensor.to_kind(Kind::Double)).unwrap();
    let flat = |tensor: &Tensor| Vec::<f64>::try_from(tensor.to_kind(Kind::Double).view(-1)).unwrap();
    (parts.iter().flat_map(|p| rows(&p.x)).collect(), parts.iter().flat_map(|p| flat(&p.y)).collect())
}

fn counts(labels: &[f64]) -> Vec<u64> {
    let mut counts = BTreeMap::new();
    for label in labels {
        *counts.entry(*label as i64).or_insert(0) += 1;
    }
    counts.into_values().collect()
}

fn std(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

#[test]
fn generated_classes_have_the_shape_the_balance_and_the_split_that_they_promise() {
    for (data, classes, loss) in [
        ("moons", vec![500, 500], Loss::Bce),
        ("circles", vec![500, 500], Loss::Bce),
        ("spirals", vec![500, 500], Loss::Bce),
        ("spirals:3", vec![334, 333, 333], Loss::CrossEntropy),
        ("blobs", vec![334, 333, 333], Loss::CrossEntropy),
        ("blobs:7", vec![143, 143, 143, 143, 143, 143, 142], Loss::CrossEntropy),
    ] {
        let set = load(data, &DataOptions::default(), 3);
        let info = &set.info;
        assert_eq!((info.train, info.dev, info.test, info.inputs), (640, 160, 200, 2), "{data}");
        assert_eq!((info.task, set.loss, set.image), (Task::Classification, loss, None), "{data}");
        assert_eq!(info.classes.len(), classes.len(), "{data}");
        assert_eq!(set.outputs, if loss == Loss::Bce { 1 } else { classes.len() as i64 }, "{data}");
        assert_eq!(counts(&all(&set).1), classes, "{data}");
        // The classes are mixed, so that each part holds its share of every one.
        let parts = [Some(&set.train), set.dev.as_ref(), set.test.as_ref()].map(Option::unwrap);
        for rows in parts {
            let labels = Vec::<f64>::try_from(rows.y.to_kind(Kind::Double).view(-1)).unwrap();
            let expected = labels.len() as f64 / classes.len() as f64;
            for count in counts(&labels) {
                assert!(
                    (count as f64 - expected).abs() < 0.35 * expected + 6.0,
                    "{data}: {count} of {}",
                    labels.len()
                );
            }
        }
    }
}

#[test]
fn the_same_seed_draws_the_same_and_another_does_not() {
    for kind in data_kinds().filter(|kind| kind.samples.is_some()) {
        let draw = |seed| all(&load(kind.name, &DataOptions::default(), seed));
        assert_eq!(draw(5), draw(5), "{}", kind.name);
        assert_ne!(draw(5).0, draw(6).0, "{}", kind.name);
    }
}

#[test]
fn noise_is_added_with_the_standard_deviation_asked_for() {
    for data in ["moons", "circles", "spirals", "blobs"] {
        let samples = DataOptions { samples: Some(4_000), ..options(0.0) };
        let clean = all(&load(data, &samples, 1));
        let noisy = all(&load(data, &DataOptions { noise: Some(0.3), ..samples }, 1));
        assert_eq!(clean.1, noisy.1, "{data}");
        let moved = clean.0.iter().flatten().zip(noisy.0.iter().flatten()).map(|(a, b)| b - a);
        assert!((std(moved) - 0.3).abs() < 0.02, "{data}");
    }
}

#[test]
fn points_without_noise_lie_on_their_curves() {
    let (points, labels) = all(&load("circles", &options(0.0), 1));
    for (p, label) in points.iter().zip(&labels) {
        let radius = if *label == 0.0 { 1.0 } else { 0.8 };
        assert!((p[0].hypot(p[1]) - radius).abs() < 1e-6, "{p:?} of {label}");
    }
    let (points, labels) = all(&load("spirals:3", &options(0.0), 1));
    for (p, label) in points.iter().zip(&labels) {
        let turns = p[1].atan2(p[0]) / std::f64::consts::TAU;
        let off = (p[0].hypot(p[1]) + label / 3.0 - turns).rem_euclid(1.0);
        assert!(off.min(1.0 - off) < 1e-5, "{p:?} of {label}: {off}");
    }
    let (points, labels) = all(&load("blobs:4", &options(0.0), 1));
    let mut centres = BTreeMap::new();
    for (p, label) in points.iter().zip(&labels) {
        assert!(p.iter().all(|v| v.abs() <= 10.0), "{p:?}");
        assert_eq!(centres.entry(*label as i64).or_insert(p), &p, "one centre a class");
    }
    assert_eq!(centres.len(), 4);
}

#[test]
fn the_targets_of_polynomial_follow_its_formula() {
    for (data, weights, degree, bias) in [
        ("polynomial", vec![2.0, -1.0], 2, 1.0),
        ("polynomial:bias=off", vec![2.0, -1.0], 2, 0.0),
        ("polynomial:w=1,-2,0.5,deg=3,bias=-4", vec![1.0, -2.0, 0.5], 3, -4.0),
    ] {
        let formula =
            |x: &Vec<f64>| x.iter().zip(&weights).map(|(x, w)| w * x.powi(degree)).sum::<f64>() + bias;
        let (x, y) = all(&load(data, &options(0.0), 2));
        for (x, y) in x.iter().zip(&y) {
            assert!((formula(x) - y).abs() < 1e-5 * (1.0 + y.abs()), "{data}: {x:?} gives {y}");
        }
        let set = load(data, &DataOptions { samples: Some(4_000), ..options(0.5) }, 2);
        assert_eq!((set.info.train, set.info.dev, set.info.test), (2_800, 0, 1_200));
        assert_eq!((set.loss, set.outputs, set.info.inputs), (Loss::Mse, 1, weights.len() as u64));
        let (x, y) = all(&set);
        assert!((std(x.iter().flatten().copied()) - 1.0).abs() < 0.05, "{data}");
        assert!((std(x.iter().zip(&y).map(|(x, y)| y - formula(x))) - 0.5).abs() < 0.03, "{data}");
    }
    let default = load("polynomial", &DataOptions::default(), 2);
    assert_eq!((default.info.train, default.info.test), (700, 300));
    let (x, y) = all(&default);
    let noise = x.iter().zip(&y).map(|(x, y)| y - (2.0 * x[0].powi(2) - x[1].powi(2) + 1.0));
    assert!((std(noise) - 0.01).abs() < 0.002);
}

fn idx_of(directory: &Path) -> String {
    format!("idx:{}", directory.display())
}

#[test]
fn the_idx_fixture_is_the_generated_one() {
    for file in idx::files() {
        let path = fixture("idx").join(format!("{}.gz", file.name));
        let mut bytes = Vec::new();
        let packed = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, file.bytes, "{}: see write_the_idx_fixture", file.name);
    }
}

/// `cargo test --test datasets -- --ignored write_the_idx_fixture`
#[test]
#[ignore = "writes fixtures/idx"]
fn write_the_idx_fixture() {
    idx::write(&fixture("idx"), |file| (format!("{}.gz", file.name), idx::gzip(&file.bytes)));
}

#[test]
fn idx_files_are_read_split_and_scaled() {
    let set = load(&idx_of(&fixture("idx")), &DataOptions::default(), 1);
    let info = &set.info;
    assert_eq!((info.train, info.dev, info.test, info.inputs), (240, 60, 60, 64));
    assert_eq!((set.image, info.shape), (Some([1, 8, 8]), Some([1, 8, 8])));
    assert_eq!((info.classes.join(","), set.outputs, set.loss), ("0,1,2,3".into(), 4, Loss::CrossEntropy));
    assert_eq!((set.train.x.kind(), set.train.y.kind()), (Kind::Float, Kind::Int64));
    let (x, labels) = all(&set);
    assert_eq!(counts(&labels), [90, 90, 90, 90]);
    let files = idx::files();
    let rows =
        |file: &idx::File| -> Vec<Vec<u8>> { file.bytes[16..].chunks(64).map(<[u8]>::to_vec).collect() };
    let bytes: Vec<Vec<u8>> =
        x.iter().map(|row| row.iter().map(|pixel| (pixel * 255.0).round() as u8).collect()).collect();
    assert!(x.iter().flatten().all(|pixel| (0.0..=1.0).contains(pixel)));
    // The test files in their order; of the training files every image once, but in another order.
    assert_eq!(bytes[300..], rows(&files[2]));
    assert_ne!(bytes[..300], rows(&files[0]));
    let sorted = |mut rows: Vec<Vec<u8>>| {
        rows.sort();
        rows
    };
    assert_eq!(sorted(bytes[..300].to_vec()), sorted(rows(&files[0])));
    // Images and labels have stayed together.
    for (row, label) in bytes.iter().zip(&labels) {
        let at = files.iter().step_by(2).zip(files.iter().skip(1).step_by(2)).find_map(|(images, labels)| {
            rows(images).iter().position(|image| image == row).map(|i| labels.bytes[8 + i])
        });
        assert_eq!(at.map(f64::from), Some(*label));
    }
}

#[test]
fn the_split_of_idx_is_of_the_training_files_and_its_third_number_of_the_test_files() {
    let data = idx_of(&fixture("idx"));
    let split = |text: &str| DataOptions { split: Some(text.parse().unwrap()), ..Default::default() };
    for (text, expected) in [
        ("100,50,20", (100, 50, 20)),
        ("0.5,0.25,1", (150, 75, 60)),
        ("1,0,0", (300, 0, 0)),
        ("0.9,0.1,0.5", (270, 30, 30)),
    ] {
        let set = load(&data, &split(text), 1);
        assert_eq!((set.info.train, set.info.dev, set.info.test), expected, "{text}");
        assert_eq!(set.test.map_or(0, |rows| rows.len() as u64), expected.2);
    }
    let unshuffled = load(&data, &DataOptions { no_shuffle_split: true, ..split("100,50,20") }, 1);
    let first = &idx::files()[0].bytes[16..16 + 64];
    let row = Vec::<f64>::try_from(unshuffled.train.x.get(0).to_kind(Kind::Double)).unwrap();
    assert!(row.iter().zip(first).all(|(pixel, byte)| (pixel * 255.0 - f64::from(*byte)).abs() < 1e-4));
    let draw = |seed| all(&load(&data, &DataOptions::default(), seed));
    assert_eq!(draw(5), draw(5));
    assert_ne!(draw(5).0, draw(6).0);
}

#[test]
fn every_spelling_of_the_idx_files_is_found() {
    let scratch = Scratch::new();
    let dotted = |name: &str| name.replace("-idx", ".idx");
    idx::write(&scratch.path().join("plain"), |f| (f.name.into(), f.bytes));
    idx::write(&scratch.path().join("dotted"), |f| (dotted(f.name), f.bytes));
    idx::write(&scratch.path().join("gz"), |f| (format!("{}.gz", f.name), idx::gzip(&f.bytes)));
    idx::write(&scratch.path().join("dotted-gz"), |f| (dotted(f.name) + ".gz", idx::gzip(&f.bytes)));
    // As browsers leave them: unpacked under the old name.
    idx::write(&scratch.path().join("unpacked"), |f| (format!("{}.gz", f.name), f.bytes));
    idx::write(&scratch.path().join("mixed"), |f| match f.name.contains("labels") {
        true => (dotted(f.name), f.bytes),
        false => (format!("{}.gz", f.name), idx::gzip(&f.bytes)),
    });
    let read =
        |directory: &str| all(&load(&idx_of(&scratch.path().join(directory)), &DataOptions::default(), 1));
    let plain = read("plain");
    for directory in ["dotted", "gz", "dotted-gz", "unpacked", "mixed"] {
        assert_eq!(read(directory), plain, "{directory}");
    }
}

#[test]
fn images_may_have_any_size_and_classes_any_number() {
    let scratch = Scratch::new();
    let labels: Vec<u8> = (0..120).map(|i| 1 + i % 26).collect();
    for (stem, n) in [("train", 120), ("t10k", 30)] {
        let pixels: Vec<u8> = (0..n * 3 * 5).map(|i| (i % 251) as u8).collect();
        let file = |name: String, bytes: Vec<u8>| std::fs::write(scratch.path().join(name), bytes).unwrap();
        file(format!("{stem}-images-idx3-ubyte"), idx::idx(&[n, 3, 5], &pixels));
        file(format!("{stem}-labels-idx1-ubyte"), idx::idx(&[n], &labels[..n as usize]));
    }
    let set = load(&idx_of(scratch.path()), &DataOptions::default(), 1);
    assert_eq!((set.image, set.outputs, set.info.inputs), (Some([1, 3, 5]), 26, 15));
    assert_eq!((set.info.classes[0].as_str(), set.info.classes[25].as_str()), ("1", "26"));
    assert_eq!(set.test.unwrap().y.int64_value(&[0]), 0);
}

#[test]
fn inputs_are_standardised_by_the_training_rows_and_constant_columns_centred() {
    let options = DataOptions { standardize: true, ..Default::default() };
    let blobs = load("blobs", &options, 1);
    assert!((blobs.info.input_rms - 1.0).abs() < 1e-5, "{}", blobs.info.input_rms);
    let images = load(&idx_of(&fixture("idx")), &options, 1);
    assert!(images.train.x.mean(Kind::Double).double_value(&[]).abs() < 1e-5);
    let scratch = Scratch::new();
    let rows: String = (0..20).map(|i| format!("{i},7,{}\n", i % 2)).collect();
    let table = scratch.file("t.csv", &format!("a,constant,y\n{rows}"));
    for row in all(&load(&format!("csv:{}", table.display()), &options, 1)).0 {
        assert!(row[0].is_finite() && row[1] == 0.0, "{row:?}");
    }
}

#[test]
fn a_network_learns_every_data_set() {
    let scratch = Scratch::new();
    let images = idx_of(&fixture("idx"));
    for (data, score) in [
        ("moons", 0.98),
        ("circles", 0.95),
        ("spirals", 0.9),
        ("spirals:3", 0.85),
        ("blobs", 0.9),
        // Guessing costs about 10.
        ("polynomial", -1.0),
        (&images, 0.9),
    ] {
        let words = ["run", "--model", "mlp", "--lr", "0.01", "--data", data, "--out", "out", "--quiet"];
        scratch.gradscope_words(&words).expect(0);
        let summary = scratch.summary("out");
        let reached = number(&summary["test"]["score"]);
        assert!(reached > score, "{data}: {reached}");
        assert_eq!(summary["run"]["data"], data);
    }
    let header: Value =
        serde_json::from_str(scratch.read("out/record.jsonl").lines().next().unwrap()).unwrap();
    assert_eq!(header["data"]["shape"], serde_json::json!([1, 8, 8]));
}

#[test]
fn what_has_to_be_remembered_is_the_first_number_of_a_sequence() {
    let set = load("memory:9", &options(0.1), 5);
    assert_eq!((set.info.inputs, set.info.train, set.loss), (9, 640, Loss::Bce));
    let (sequences, labels) = all(&set);
    assert_eq!(counts(&labels), [500, 500]);
    for (sequence, label) in sequences.iter().zip(&labels) {
        assert_eq!(sequence[0] > 0.0, *label == 1.0, "{sequence:?}");
    }
    let noise = std(sequences.iter().flat_map(|s| s[1..].iter().copied()));
    assert!((noise - 0.1).abs() < 0.005, "{noise}");
    assert!("memory:1".parse::<DataSource>().is_err() && "memory:x".parse::<DataSource>().is_err());
}

#[test]
fn the_data_sets_are_listed_one_a_line_and_as_json() {
    let scratch = Scratch::new();
    let listed = scratch.gradscope("datasets").expect(0).stdout();
    insta::assert_snapshot!(listed);
    let json: Value = serde_json::from_str(&scratch.gradscope("datasets --json").expect(0).stdout()).unwrap();
    let json = json.as_array().unwrap();
    assert_eq!(json.len(), listed.lines().count());
    for (line, kind) in listed.lines().zip(json) {
        assert!(
            line.starts_with(kind["form"].as_str().unwrap())
                && line.contains(kind["about"].as_str().unwrap())
        );
    }
    assert_eq!(json[4]["split"], serde_json::json!([0.7, 0.0, 0.3]));
    assert_eq!(json[7]["flags"], serde_json::json!(["--no-shuffle-split"]));
}
