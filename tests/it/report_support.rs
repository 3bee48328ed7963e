//! A small run made by hand, for tests of the report.

#![allow(dead_code)]

use std::collections::BTreeMap;

use gradscope::diagnose::{Change, Diagnosis, Finding, NotMeasured, Remedy, Severity, Verdict};
use gradscope::plot::{Figure, Section, Table};
use gradscope::record::settings::TrainingSettings;
use gradscope::record::{
    Activation, ActivationFrequency, Activations, End, Epoch, Header, Layer, LayerCapture, Record, Run,
    TestResult,
};
use gradscope::stats::Distribution;
use gradscope_core::testing;

/// Two ReLU layers, two epochs, the first layer without a gradient.
pub fn record() -> Record {
    record_of(["fc1", "fc2"])
}

/// The same with layers of these names.
pub fn record_of(names: [&str; 2]) -> Record {
    let mut record = Record::new(header(names));
    for epoch in 0..2 {
        let layers = vec![layer(&[0.0; 6], true), layer(&[0.3, -0.4, 0.0], false)];
        record.epochs.push(Epoch {
            lr: 0.1,
            train_score: 0.5,
            dev_loss: Some(0.8),
            dev_score: Some(0.45),
            grad_l2: 0.5,
            ..testing::epoch(epoch, epoch, 0.75 - 0.25 * epoch as f64, layers)
        });
    }
    record.end = Some(End {
        wall_s: 2.5,
        capture_s: 0.5,
        test: Some(TestResult { loss: 0.7, score: 0.52, epoch: 1 }),
        ..testing::end(2, 2)
    });
    record
}

fn header(names: [&str; 2]) -> Header {
    let command = "/usr/bin/gradscope run --model tiny --bias -8 --out reports/tiny";
    let hidden = testing::linear(names[0], [3, 2], Activation::Relu);
    let output = testing::linear(names[1], [1, 3], Activation::Identity);
    let mut header = testing::header(vec![hidden, Layer { output: true, ..output }]);
    (header.commit, header.libtorch) = ("abc1234".into(), Some("2.13.0".into()));
    header.command = command.split(' ').map(str::to_owned).collect();
    header.run = Run {
        model: "tiny".into(),
        training: TrainingSettings { epochs: 2, seed: 7, lr: 0.1, momentum: 0.9, ..header.run.training },
        steps_per_epoch: 1,
        batch_size: 640,
        bias: "-8".into(),
        ..header.run
    };
    header
}

fn layer(gradient: &[f32], relu: bool) -> LayerCapture {
    let units = if relu { 3 } else { 1 };
    let weights: Vec<f32> = (0..gradient.len()).map(|i| i as f32 * 0.25 - 0.5).collect();
    let post = if relu { [0.0, 0.0] } else { [-8.0, -7.5] };
    let activations = Activations {
        pre_sample_std: 0.25,
        post_sample_std: 0.0,
        activation_frequency: relu.then(|| ActivationFrequency {
            samples: 640,
            exact: true,
            rate: vec![0.0; 3],
            max_pre: vec![-7.5; 3],
        }),
        ..testing::activations(units as u64, &[-8.0, -7.5], &post)
    };
    LayerCapture {
        bias: Some(Distribution::new(&[-8.0].repeat(units))),
        weight_grad: Some(Distribution::new(gradient)),
        update: Some(Distribution::new(&gradient.iter().map(|g| g * -0.1).collect::<Vec<_>>())),
        activations: Some(activations),
        output_gradient_l2: Some(0.5),
        ..testing::capture(&weights)
    }
}

/// A root, its consequence and something worth knowing.
pub fn diagnosis() -> Diagnosis {
    let finding = |rule: &str, layer: &str, value, threshold, quantity: &str, message: &str| Finding {
        rule: rule.into(),
        family: "dead-relu".into(),
        severity: Severity::Error,
        layer: Some(layer.into()),
        layers: vec![layer.into()],
        first_epoch: 0,
        last_epoch: 1,
        first_step: Some(0),
        value,
        threshold,
        quantity: quantity.into(),
        root: false,
        caused_by: None,
        message: message.into(),
        evidence: BTreeMap::new(),
        remedies: vec![],
    };
    let root = Finding {
        root: true,
        evidence: [("largest_pre_activation".to_owned(), (-7.5).into())].into(),
        remedies: vec![Remedy {
            changes: vec![Change::Bias(0.0)],
            why: "half of the samples then make a unit fire".into(),
        }],
        ..finding(
            "dead-layer",
            "fc1",
            1.0,
            1.0,
            "share of units that never fired",
            "fc1 was born dead. Nothing passes it.",
        )
    };
    let consequence = Finding {
        caused_by: Some(0),
        ..finding("stalled", "fc1", 0.0, 1e-6, "largest update", "Nothing moves.")
    };
    let note = Finding {
        severity: Severity::Info,
        ..finding("overfit", "fc2", f64::NAN, 5.0, "rising epochs", "The dev loss rises.")
    };
    Diagnosis {
        verdict: Verdict::Unhealthy,
        headline: "fc1 was born dead.".into(),
        findings: vec![root, consequence, note],
        not_measured: vec![
            NotMeasured { rule: "plateau".into(), why: "the run is too short".into() },
            NotMeasured { rule: "slow".into(), why: "switched off by --off".into() },
        ],
    }
}

/// Nothing found.
pub fn healthy() -> Diagnosis {
    Diagnosis {
        verdict: Verdict::Healthy,
        headline: "Learning: training loss 0.5 after 2 epochs.".into(),
        findings: vec![],
        not_measured: vec![],
    }
}

/// Two pictures, one of them folded away.
pub fn figures() -> Vec<Figure> {
    let figure = |name: &str, title: &str, section| Figure {
        name: name.into(),
        title: title.into(),
        caption: "One violin a layer.".into(),
        section,
        svg:
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="gs"><style>.gs{}</style><title>v</title></svg>"#
                .into(),
        table: Table {
            columns: vec!["layer".into(), "median".into()],
            rows: vec![vec!["fc1".into(), "0.5".into()], vec!["fc2".into(), "1,234".into()]],
        },
        animation: None,
    };
    vec![
        figure("histogram-fc1-weights", "fc1: weights", Section::Histograms),
        figure("violin-weights", "Weights, epoch 1", Section::Weights),
    ]
}

/// What a reader gets from a page with styles and markup stripped: one line a block.
pub fn text(html: &str) -> String {
    let mut body = html.to_owned();
    for (open, close) in [("<style>", "</style>"), ("<svg", "</svg>"), ("<script", "</script>")] {
        while let Some(from) = body.find(open) {
            let to = body[from..].find(close).map_or(body.len(), |at| from + at + close.len());
            body.replace_range(from..to, "");
        }
    }
    let mut text = String::new();
    for piece in body.split('<') {
        let (tag, after) = piece.split_once('>').unwrap_or(("", piece));
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap_or_default();
        match name {
            "bdi" | "span" | "strong" | "code" => {}
            "td" | "th" if !tag.starts_with('/') => text.push_str(" | "),
            "td" | "th" => {}
            _ => text.push('\n'),
        }
        text.push_str(&after.replace('\n', " "));
    }
    let lines = text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n")
}
