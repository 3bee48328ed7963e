//! Reports of deep networks and long runs stay usable, and small enough to open.

use std::fs;

use crate::plot_support::{Random, Scenario, capture};
use gradscope::diagnose::{self, Settings};
use gradscope::record::{LayerCapture, Record};
use gradscope::report::{OutputDir, RunReport};

/// So many layers over so many epochs, the first ones with tiny gradients, as a run keeps them: the first
/// and the last capture in full, of the others quantiles.
fn deep(layers: usize, epochs: u64) -> Record {
    let mut random = Random::new(19);
    // A few kinds of layers are enough to fill a page with.
    let kinds: Vec<_> = (0..10)
        .map(|i| {
            let gradients = random.normals(2_000, 10f64.powi(i - 9));
            let post: Vec<f32> = random.normals(2_000, 1.0).into_iter().map(|v| v.max(0.0)).collect();
            capture(&random.normals(2_000, 0.05), Some(&gradients), Some(&post))
        })
        .collect();
    let mut short = kinds.clone();
    short.iter_mut().for_each(LayerCapture::compact);
    let names: Vec<String> =
        (0..layers).map(|i| format!("blocks.{}.{}", i / 4, ["q", "k", "v", "out"][i % 4])).collect();
    let mut scenario = Scenario::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for epoch in 0..epochs {
        let full = epoch == 0 || epoch + 1 == epochs;
        let those = if full { &kinds } else { &short };
        let of = |i: usize| those[(i * 10 / layers + epoch as usize % 2).min(9)].clone();
        let loss = 0.7 - 0.001 * epoch as f64;
        scenario = scenario.epoch([loss; 2], [0.5; 2], (0..layers).map(of).collect());
    }
    scenario.record
}

fn report_of(record: &Record) -> (tempfile::TempDir, String) {
    let out = tempfile::tempdir().unwrap();
    let diagnosis = diagnose::diagnose(record, &Settings::default());
    let dir = OutputDir::check(out.path(), false).unwrap();
    let written = RunReport::new(record, &diagnosis).write(&dir).unwrap();
    let html = fs::read_to_string(written.report).unwrap();
    (out, html)
}

#[test]
fn two_hundred_layers_over_a_hundred_epochs_are_less_than_ten_megabytes() {
    let (_, html) = report_of(&deep(200, 100));
    assert!(html.len() < 10_000_000, "{} bytes", html.len());
    for said in ["60 of 100 captured epochs are drawn", "60 of 100 captured epochs; the record has all."] {
        assert!(html.contains(said), "{said}");
    }
}

#[test]
fn of_a_thousand_layers_the_telling_ones_are_drawn_and_all_of_them_are_there() {
    let (out, html) = report_of(&deep(1_000, 3));
    for said in [
        "60 of 1,000 layers are drawn",
        "The other 940 layers",
        "Layers with findings first; the other 1,880 pictures are files",
    ] {
        assert!(html.contains(said), "{said}");
    }
    assert!(html.contains("<bdi>blocks.0.q</bdi>") && html.contains("<bdi>blocks.249.out</bdi>"));
    assert_eq!(html.matches("<tr data-layer=").count(), 1_000, "every layer has its row");
    let files = fs::read_dir(out.path().join("plots")).unwrap();
    assert!(files.count() >= 2_000, "every histogram is a file");
}
