//! Synthetic records: no training, only what a picture is drawn from.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::collections::BTreeSet;

use gradscope::plot::{self, Figure, PlotContext};
use gradscope::record::{
    Activation, Answers, Axis, Boundary, End, Epoch, Layer, LayerCapture, Line, Loss, Record, SplitPoints,
    Task,
};
use gradscope::stats::Distribution;
use gradscope_core::testing;

/// A run whose layers and epochs are filled in by hand.
pub struct Scenario {
    pub record: Record,
    pub flagged: BTreeSet<String>,
}

/// A generator that is the same on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    pub fn normals(&mut self, n: usize, scale: f64) -> Vec<f32> {
        (0..n).map(|_| (self.normal() * scale) as f32).collect()
    }
}

impl Scenario {
    /// Layers with these names, not flagged, and no epoch yet.
    pub fn new(names: &[&str]) -> Self {
        let last = names.len();
        let layers = (1..).zip(names).map(|(number, name)| Layer {
            output: number == last,
            ..testing::linear(name, [3, 3], Activation::Relu)
        });
        let mut header = testing::header(layers.collect());
        header.run.training.seed = 1;
        header.data.inputs = 2;
        header.data.baseline_loss = std::f64::consts::LN_2;
        Self { record: Record::new(header), flagged: BTreeSet::new() }
    }

    /// The same with an epoch of `(weights, gradients)` a layer.
    pub fn epoch(mut self, losses: [f64; 2], scores: [f64; 2], layers: Vec<LayerCapture>) -> Self {
        let epoch = self.record.epochs.len() as u64;
        self.record.epochs.push(Epoch {
            train_score: scores[0],
            dev_loss: Some(losses[1]),
            dev_score: Some(scores[1]),
            ..testing::epoch(epoch, epoch * 10 + 9, losses[0], layers)
        });
        self
    }

    pub fn flag(mut self, names: &[&str]) -> Self {
        self.flagged.extend(names.iter().map(|n| (*n).to_owned()));
        self
    }

    pub fn figures(&self) -> Vec<Figure> {
        PlotContext::new(&self.record, &self.flagged).as_ref().map(plot::figures).unwrap_or_default()
    }

    pub fn figure(&self, name: &str) -> Figure {
        let figure = self.figures().into_iter().find(|f| f.name == name);
        figure.unwrap_or_else(|| panic!("no figure {name}"))
    }
}

/// A layer of these weights, gradients and activations.
pub fn capture(weight: &[f32], grad: Option<&[f32]>, post: Option<&[f32]>) -> LayerCapture {
    LayerCapture {
        bias: Some(Distribution::new(&weight[..weight.len().min(3)])),
        weight_grad: grad.map(Distribution::new),
        bias_grad: grad.map(|g| Distribution::new(&g[..g.len().min(3)])),
        activations: post.map(|p| testing::activations(3, p, p)),
        ..testing::capture(weight)
    }
}

/// A network whose gradients shrink by `decay` a layer toward the front, over some epochs.
pub fn network(names: &[&str], size: usize, decay: f64, epochs: usize) -> Scenario {
    let mut random = Random::new(7);
    let mut scenario = Scenario::new(names);
    for e in 0..epochs {
        let layers = (0..names.len())
            .map(|i| {
                let depth = (names.len() - 1 - i) as i32;
                let scale = 0.02 * decay.powi(depth) / (1.0 + e as f64 * 0.2);
                let post: Vec<f32> = random.normals(200, 1.0).into_iter().map(|v| v.max(0.0)).collect();
                capture(&random.normals(size, 0.5), Some(&random.normals(size, scale)), Some(&post))
            })
            .collect();
        let t = e as f64;
        let train = 0.1 + 0.6 * (-t / 8.0).exp() + 0.01 * random.normal();
        let score = 1.0 - 0.5 * (-t / 6.0).exp();
        scenario = scenario.epoch([train, train + 0.03], [score, score - 0.03], layers);
    }
    scenario
}

/// Every situation that a picture has to stay readable in, by name.
pub fn gallery() -> Vec<(&'static str, Scenario)> {
    let fc: Vec<String> = (1..=60).map(|i| format!("fc{i}")).collect();
    let fc: Vec<&str> = fc.iter().map(String::as_str).collect();
    let blocks: Vec<String> = (0..60)
        .map(|i| format!("encoder.layers.{}.attention.{}", i / 4, ["query", "key", "value", "out"][i % 4]))
        .collect();
    let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
    let nan = f32::NAN;
    let mut random = Random::new(3);
    let long = "</script><img onerror=alert(1)>\u{202e}\"'&]]>".to_owned() + &"x".repeat(10_000);
    vec![
        ("three", network(&fc[..3], 9, 0.5, 5)),
        ("five-vanishing", network(&fc[..5], 9, 0.01, 20).flag(&["fc1", "fc2"])),
        ("eight", network(&fc[..8], 4096, 0.1, 20).flag(&["fc1", "fc2", "fc3"])),
        ("sixty", network(&fc, 1000, 0.6, 30).flag(&fc[..12])),
        ("sixty-long-names", network(&blocks, 200, 0.9, 3).flag(&blocks[3..5])),
        ("five-long-names", network(&blocks[..5], 200, 0.5, 300)),
        ("hostile-names", network(&[&long, "", "a\nb", "层-🦀-名", "A", "a"], 30, 0.5, 2).flag(&[&long])),
        ("one-layer-one-epoch", network(&fc[..1], 6, 1.0, 1)),
        ("five-one-epoch", network(&fc[..5], 9, 1.0, 1)),
        ("dead", dead(&fc[..5])),
        ("tiny", network(&fc[..5], 9, 1e-7, 3)),
        (
            "odd",
            Scenario::new(&["fc1", "fc2", "fc3", "fc4", "fc5", "fc6"])
                .epoch([0.7, 0.71], [0.5, 0.5], odd_layers(&mut random))
                .epoch([f64::NAN, 0.9], [0.5, 0.5], odd_layers(&mut random))
                .epoch([f64::INFINITY, f64::NAN], [0.5, 0.5], odd_layers(&mut random))
                .flag(&["fc4"]),
        ),
        (
            "all-nan",
            Scenario::new(&["fc1", "fc2"]).epoch(
                [f64::NAN; 2],
                [0.5; 2],
                vec![
                    capture(&[nan; 4], Some(&[nan; 4]), Some(&[nan; 4])),
                    capture(&[nan; 2], Some(&[nan; 2]), None),
                ],
            ),
        ),
        (
            "no-gradients",
            Scenario::new(&["fc1", "fc2"]).epoch(
                [0.5; 2],
                [0.9; 2],
                vec![capture(&[1.0, 2.0, 4.0], None, None), capture(&[0.5], None, None)],
            ),
        ),
        ("boundary", planar(network(&fc[..3], 9, 0.5, 5), &["left", "right"], 1.0)),
        ("boundary-of-many-classes", {
            let names: Vec<String> = (0..12).map(|i| format!("a class with a long name {i}")).collect();
            planar(network(&fc[..3], 9, 0.5, 5), &names.iter().map(String::as_str).collect::<Vec<_>>(), 1e6)
        }),
        ("boundary-of-values", planar(exploding(&fc[..2]), &[], 1e-3)),
        ("regression-exploding", exploding(&fc[..4])),
        ("extremes", extremes()),
        ("thirty-odd", {
            let layers = |random: &mut Random| (0..5).flat_map(|_| odd_layers(random)).collect::<Vec<_>>();
            Scenario::new(&fc[..30])
                .epoch([0.7, 0.71], [0.5, 0.5], layers(&mut random))
                .epoch([0.6, 0.61], [0.6, 0.5], layers(&mut random))
                .flag(&fc[6..12])
        }),
        ("twenty-four", network(&fc[..24], 300, 0.8, 12)),
    ]
}

/// The same with the plane of two inputs: diagonal stripes of these classes, or values; the first input
/// is as many times as large as the second.
pub fn planar(mut scenario: Scenario, classes: &[&str], ratio: f64) -> Scenario {
    let mut random = Random::new(13);
    let points = 20u64;
    let answer = |x: f64, y: f64| match classes.len() {
        0 => (x / ratio * y) as f32,
        n => ((x / ratio + y + 2.0) * 3.0).max(0.0).min(n as f64 - 1.0).floor() as f32,
    };
    let axis = |name: &str, ratio: f64| Axis { name: name.into(), low: -ratio, high: ratio, points };
    let axes = [axis("an input with a name that is far too long for any axis", ratio), axis("y", 1.0)];
    let grid: Vec<f32> = (0..points * points)
        .map(|i| answer(axes[0].at((i % points) as f64), axes[1].at((i / points) as f64)))
        .collect();
    let answers = if classes.is_empty() {
        Answers::Values { value: grid }
    } else {
        Answers::Classes { class: grid.iter().map(|v| *v as u8).collect(), margin: vec![9; grid.len()] }
    };
    let mut split = |name: &str| {
        let place = |random: &mut Random| random.normals(60, 0.4).into_iter().map(|v| v.clamp(-1.0, 1.0));
        let x: Vec<f32> = place(&mut random).map(|v| v * ratio as f32).collect();
        let y: Vec<f32> = place(&mut random).collect();
        let answer: Vec<f32> = x.iter().zip(&y).map(|(x, y)| answer(f64::from(*x), f64::from(*y))).collect();
        let mut target = answer.clone();
        target[0] = if answer[0] == 0.0 { 1.0 } else { 0.0 };
        let wrong = (!classes.is_empty()).then_some(1);
        SplitPoints { name: name.into(), rows: 60, score: 59.0 / 60.0, wrong, x, y, target, answer }
    };
    let splits = ["train", "dev", "test"].map(&mut split).to_vec();
    scenario.record.header.data.classes = classes.iter().map(|c| (*c).to_owned()).collect();
    let boundary = Boundary { epoch: 3, axes, answers, splits };
    scenario
        .record
        .push(Line::End(End { boundary: Some(Box::new(boundary)), ..testing::end(5, 50) }))
        .expect("it is plausible");
    scenario
}

fn odd_layers(random: &mut Random) -> Vec<LayerCapture> {
    let mut with_nan = random.normals(40, 0.1);
    with_nan[3] = f32::NAN;
    with_nan[4] = f32::INFINITY;
    let mut zeros = random.normals(3000, 0.01);
    zeros[..1000].fill(0.0);
    vec![
        capture(&[0.01; 9], Some(&[0.0; 9]), Some(&[0.5; 40])),
        capture(&[1.0; 2000], Some(&[-0.125; 9]), Some(&[0.0; 40])),
        capture(&random.normals(9, 0.3), None, None),
        capture(&with_nan, Some(&with_nan), Some(&with_nan)),
        capture(&zeros, Some(&zeros), Some(&zeros)),
        capture(&[f32::NAN; 3], Some(&[f32::INFINITY; 3]), Some(&[f32::NAN; 3])),
    ]
}

/// The ends of what float32 and float64 hold.
fn extremes() -> Scenario {
    let values: [&[f32]; 6] = [
        &[f32::MAX, f32::MIN, 0.0],
        &[1e-45, 3e-45, -1e-45],
        &[1.0, 1.0 + f32::EPSILON],
        &[-0.0, 0.0],
        &[f32::MIN_POSITIVE],
        &[],
    ];
    let layers = || values.iter().map(|v| capture(v, Some(v), Some(v))).collect::<Vec<_>>();
    let mut scenario = Scenario::new(&["max", "subnormal", "epsilon", "zero", "one", "none"])
        .epoch([f64::MAX, f64::MIN], [0.0, 1.0], layers())
        .epoch([f64::MIN_POSITIVE, 5e-324], [f64::NAN, -1.0], layers())
        .epoch([0.0, -0.0], [f64::NEG_INFINITY, 1e-300], layers());
    scenario.record.header.data.baseline_loss = 0.0;
    scenario.record.epochs[1].epoch = u64::MAX / 2;
    scenario.record.epochs[2].epoch = u64::MAX;
    scenario
}

fn dead(names: &[&str]) -> Scenario {
    let mut scenario = Scenario::new(names);
    let mut random = Random::new(11);
    for _ in 0..5 {
        let layers = names
            .iter()
            .map(|_| capture(&random.normals(9, 0.01), Some(&[0.0; 9]), Some(&[0.0; 60])))
            .collect();
        scenario = scenario.epoch([0.6934, 0.6933], [0.5, 0.5], layers);
    }
    scenario.flag(names)
}

fn exploding(names: &[&str]) -> Scenario {
    let mut scenario = Scenario::new(names);
    scenario.record.header.data.task = Task::Regression;
    scenario.record.header.run.loss = Loss::Mse;
    let mut random = Random::new(5);
    for e in 0..12 {
        let scale = 10f64.powi(e * 3 - 2).min(1e30);
        let layers = names
            .iter()
            .map(|_| capture(&random.normals(60, scale), Some(&random.normals(60, scale)), None))
            .collect();
        let loss = if e < 10 { scale } else { f64::NAN };
        scenario = scenario.epoch([loss, loss * 1.2], [-loss, -loss * 1.2], layers);
    }
    scenario
}
