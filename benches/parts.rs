//! What the parts of a run cost: distribution, capture, diagnosis, each plot, report.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gradscope::diagnose::{Settings, diagnose};
use gradscope::plot::{self, PlotContext};
use gradscope::record::Record;
use gradscope::report::{OutputDir, RunReport};
use gradscope::stats::{Density, Distribution};

/// Values that look like a layer's gradients: both signs, several decades.
fn gradients(count: usize) -> Vec<f32> {
    let value = |i: usize| {
        let turn = (i as f32 * 0.618_034).fract();
        (turn - 0.5) * 10f32.powf(-4.0 * (i as f32 * 0.414_214).fract())
    };
    (0..count).map(value).collect()
}

fn distribution(c: &mut Criterion) {
    let mut group = c.benchmark_group("distribution");
    for count in [9, 4_096, 1_000_000] {
        let values = gradients(count);
        group.throughput(Throughput::Elements(count as u64));
        group
            .bench_with_input(BenchmarkId::new("of", count), &values, |b, v| b.iter(|| Distribution::new(v)));
    }
    group.throughput(Throughput::Elements(1));
    let (a, b) = (Distribution::new(&gradients(1_000_000)), Distribution::new(&gradients(500_000)));
    group.bench_function("merge", |bench| {
        bench.iter(|| {
            let mut sum = a.clone();
            sum.merge(&b);
            sum
        });
    });
    group.bench_function("density of 1000000 values", |bench| bench.iter(|| Density::from_values(&a)));
    group.finish();
}

fn record() -> Record {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/records/relu5-dead.jsonl");
    Record::read(&path).expect("the fixture is a record").0
}

fn reading_and_diagnosis(c: &mut Criterion) {
    let record = record();
    c.bench_function("read a record", |b| b.iter(self::record));
    c.bench_function("diagnosis", |b| b.iter(|| diagnose(&record, &Settings::default())));
}

fn plots(c: &mut Criterion) {
    let record = record();
    let flagged = BTreeSet::from(["fc1".to_owned()]);
    let context = PlotContext::new(&record, &flagged).expect("a captured epoch");
    let mut group = c.benchmark_group("plot");
    for plot in plot::PLOTS {
        group.bench_function(plot.name, |b| b.iter(|| plot.draw(black_box(&context))));
    }
    group.finish();
}

fn whole_report(c: &mut Criterion) {
    let record = record();
    let diagnosis = diagnose(&record, &Settings::default());
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let directory = OutputDir::check(&scratch.path().join("out"), false).expect("a new directory");
    let report = RunReport::new(&record, &diagnosis);
    c.bench_function("write a report", |b| {
        b.iter(|| report.write(&directory).expect("room on the disk"));
    });
}

#[cfg(feature = "train")]
mod training {
    use std::time::Duration;

    use criterion::Criterion;
    use gradscope::record::settings::TrainingSettings;
    use gradscope::record::{Line, RecordError};
    use gradscope::train::{Config, Model, Observer, train};

    /// Keeps nothing but the time that went into measuring.
    #[derive(Default)]
    struct CaptureTime(f64);

    impl Observer for CaptureTime {
        fn observe(&mut self, line: Line) -> Result<(), RecordError> {
            if let Line::End(end) = line {
                self.0 = end.capture_s;
            }
            Ok(())
        }
    }

    fn relu5(epochs: u64) -> Config {
        let model = Model::named("relu5").expect("in the zoo");
        let defaults = model.defaults.clone();
        let source = defaults.data.as_deref().expect("it has one").parse().expect("valid");
        let training = TrainingSettings {
            optimizer: defaults.optimizer.into(),
            lr: defaults.lr,
            momentum: 0.0,
            weight_decay: 0.0,
            clip_norm: None,
            ..TrainingSettings::unknown(epochs)
        };
        Config { threads: Some(1), ..Config::new(model.into(), source, training) }
    }

    /// Everything measured of relu5 in one epoch: norms, distributions, firing, signals.
    pub fn capture(c: &mut Criterion) {
        c.bench_function("capture of an epoch of relu5", |b| {
            b.iter_custom(|epochs| {
                // Every epoch is captured in runs of this length.
                let (mut left, mut seconds) = (epochs, 0.0);
                while left > 0 {
                    let part = left.min(200);
                    let mut time = CaptureTime::default();
                    train(&relu5(part), &mut time, &|| None).expect("trains");
                    seconds += time.0;
                    left -= part;
                }
                Duration::from_secs_f64(seconds)
            });
        });
    }
}

#[cfg(not(feature = "train"))]
criterion_group!(benches, distribution, reading_and_diagnosis, plots, whole_report);
#[cfg(feature = "train")]
criterion_group!(benches, distribution, reading_and_diagnosis, plots, whole_report, training::capture);
criterion_main!(benches);
