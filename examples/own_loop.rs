//! A training loop of one's own, recorded, diagnosed and reported.
//!
//! ```sh
//! cargo run --example own_loop                  # a network that learns
//! cargo run --example own_loop -- -8            # the same, its first layer with a bias of -8
//! ```

use std::path::{Path, PathBuf};

use gradscope::diagnose::{Diagnosis, Settings, diagnose};
use gradscope::record::settings::{OptimizerKind, TrainingSettings};
use gradscope::record::{Activation, Loss, Record, Run};
use gradscope::report::{OutputDir, RunReport};
use gradscope::train::{Scope, Scores, TrackedLayer, describe};
use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Kind, Reduction, Tensor};

type Failure = Box<dyn std::error::Error>;

const ROWS: i64 = 512;
const BATCH: i64 = 32;
const EPOCHS: u64 = 10;

/// Points on the plane; the class is whether one lies inside of a circle.
fn circle() -> (Tensor, Tensor) {
    let x = Tensor::randn([ROWS, 2], (Kind::Float, Device::Cpu));
    let y = x.square().sum_dim_intlist([1i64].as_slice(), true, Kind::Float).lt(1.4).to_kind(Kind::Float);
    (x, y)
}

/// Trains three layers, the first with this bias, and writes the record.
pub fn train(bias: f64, record: &Path) -> Result<(), Failure> {
    tch::manual_seed(1);
    let (x, y) = circle();
    let store = nn::VarStore::new(Device::Cpu);
    let root = store.root();
    let mut fc1 = nn::linear(&root / "fc1", 2, 16, Default::default());
    let fc2 = nn::linear(&root / "fc2", 16, 16, Default::default());
    let fc3 = nn::linear(&root / "fc3", 16, 1, Default::default());
    if let Some(first) = &mut fc1.bs {
        let _ = tch::no_grad(|| first.fill_(bias));
    }
    let mut adam = nn::Adam::default().build(&store, 0.01)?;

    let steps = (ROWS / BATCH) as u64;
    let run = Run {
        training: TrainingSettings {
            optimizer: OptimizerKind::Adam.into(),
            lr: 0.01,
            weight_decay: 0.0,
            ..TrainingSettings::unknown(EPOCHS)
        },
        batch_size: BATCH as u64,
        ..Run::new("own", Loss::Bce, EPOCHS, steps)
    };
    let data = describe("circle", &x, &y, &["outside", "inside"])?;
    let layers = vec![
        TrackedLayer::new("fc1", &fc1.ws, fc1.bs.as_ref()).activation(Activation::Relu),
        TrackedLayer::new("fc2", &fc2.ws, fc2.bs.as_ref()).activation(Activation::Relu),
        TrackedLayer::new("fc3", &fc3.ws, fc3.bs.as_ref()).output(),
    ];
    let mut scope = Scope::new(record, run, data, layers)?;

    for _ in 0..EPOCHS {
        let order = Tensor::randperm(ROWS, (Kind::Int64, Device::Cpu));
        for rows in order.split(BATCH, 0) {
            let (x, y) = (x.index_select(0, &rows), y.index_select(0, &rows));
            let hidden = scope.activation("fc1", fc1.forward(&x), Tensor::relu);
            let hidden = scope.activation("fc2", fc2.forward(&hidden), Tensor::relu);
            let logits = scope.activation("fc3", fc3.forward(&hidden), Tensor::shallow_clone);
            let loss = logits.binary_cross_entropy_with_logits::<Tensor>(&y, None, None, Reduction::Mean);
            adam.zero_grad();
            loss.backward();
            scope.step(&loss, || adam.step())?;
        }
        let accuracy = tch::no_grad(|| {
            let logits = fc3.forward(&fc2.forward(&fc1.forward(&x).relu()).relu());
            logits.gt(0.0).eq_tensor(&y.gt(0.5)).to_kind(Kind::Double).mean(Kind::Double).double_value(&[])
        });
        scope.end_epoch(Scores { train: accuracy, ..Scores::default() })?;
    }
    Ok(scope.finish()?)
}

/// What the record means, and where the report is.
pub fn report(record: &Path, out: &Path) -> Result<(Diagnosis, PathBuf), Failure> {
    let (record, _warnings) = Record::read(record)?;
    let diagnosis = diagnose(&record, &Settings::default());
    let written = RunReport::new(&record, &diagnosis).write(&OutputDir::check(out, true)?)?;
    Ok((diagnosis, written.report))
}

#[allow(dead_code)]
fn main() -> Result<(), Failure> {
    let bias = std::env::args().nth(1).map_or(Ok(0.0), |text| text.parse())?;
    let out = Path::new("reports/own");
    std::fs::create_dir_all(out)?;
    let record = out.join("record.jsonl");
    train(bias, &record)?;
    let (diagnosis, page) = report(&record, out)?;
    println!("{}\nThe report: {}", diagnosis.headline, page.display());
    Ok(())
}
