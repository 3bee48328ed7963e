//! The configuration of a run, line by line.

use super::run::known;
use super::text::{clean, duration};
use crate::record::settings::Named;
use crate::record::{Activation, Record, Task};
use crate::report::Summary;
use crate::text::{count, counted, number};

/// A line of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// The configuration, line by line.
pub(super) fn facts(record: &Record, summary: &Summary) -> Vec<Fact> {
    let lines = if record.header.has_weights_alone() {
        facts_of_weights(record, summary)
    } else {
        let mut lines = model_facts(summary);
        lines.extend(training_facts(summary));
        lines.extend(machine_facts(summary));
        lines
    };
    lines.into_iter().map(|(name, value)| Fact { name, value: clean(&value) }).collect()
}

fn facts_of_weights(record: &Record, summary: &Summary) -> Vec<(&'static str, String)> {
    let run = &summary.run;
    let files: Vec<&str> = record.epochs.iter().map(|e| record.file_of(e.epoch)).collect();
    let layers = counted(summary.layers.len() as u64, "layer");
    vec![
        ("checkpoints", files.join(", ")),
        ("layers", format!("{layers}, {}", counted(run.parameters, "parameter"))),
        ("measured", "weights alone".into()),
        ("version", format!("gradscope {} (commit {})", summary.gradscope, run.commit)),
    ]
}

/// The model and the data.
fn model_facts(summary: &Summary) -> Vec<(&'static str, String)> {
    let (run, settings) = (&summary.run, &summary.run.settings);
    let slope = if settings.activation == Activation::Lrelu {
        format!(" (slope {})", number(settings.lrelu_slope))
    } else {
        String::new()
    };
    let model = format!(
        "{}: {}, {}, activation {}{slope}",
        settings.model,
        counted(summary.layers.len() as u64, "layer"),
        counted(run.parameters, "parameter"),
        settings.activation
    );
    let task = match run.task {
        Task::Classification => "classification",
        Task::Regression => "regression",
    };
    vec![
        ("model", model),
        ("normalisation, dropout", format!("{}, {}", settings.norm, number(settings.dropout))),
        ("initial weights, biases", format!("{}, {}", settings.init, settings.bias)),
        ("data", format!("{} ({task})", run.data)),
        ("rows", format!("{} train, {} dev, {} test", count(run.train), count(run.dev), count(run.test))),
        ("loss", format!("{} (guessing costs {})", settings.loss.name(), known(run.chance_loss))),
    ]
}

/// The optimizer, the batches and how long they went on.
fn training_facts(summary: &Summary) -> [(&'static str, String); 3] {
    let (run, settings) = (&summary.run, &summary.run.settings);
    let training = &settings.training;
    let mut optimizer = format!("{}, learning rate {}", training.optimizer, number(training.lr));
    for (name, value) in [("momentum", training.momentum), ("weight decay", training.weight_decay)] {
        if value != 0.0 {
            optimizer += &format!(", {name} {}", known(value));
        }
    }
    if let Some(clip) = training.clip_norm {
        optimizer += &format!(", gradient clipped to L2 {}", known(clip));
    }
    if let Some(clip) = training.clip_value {
        optimizer += &format!(", gradient values clipped to {}", number(clip));
    }
    if let Some(decay) = &settings.lr_decay {
        optimizer += &format!(", learning rate falling by {decay}");
    }
    let whole = if settings.batch_size >= run.train { " (all of them)" } else { "" };
    let batches = format!(
        "{}{whole}, {} an epoch",
        counted(settings.batch_size, "row"),
        counted(settings.steps_per_epoch, "step")
    );
    let patience = training.patience.map_or(String::new(), |n| {
        format!(", to stop after {} without a better dev score", counted(n, "epoch"))
    });
    let length = format!(
        "{} of {} done, {}{patience}",
        count(run.epochs_done),
        counted(training.epochs, "epoch"),
        counted(run.steps_done, "step"),
    );
    [("optimizer", optimizer), ("batches", batches), ("length", length)]
}

/// The measurement, the machine and the program.
fn machine_facts(summary: &Summary) -> Vec<(&'static str, String)> {
    let (run, settings) = (&summary.run, &summary.run.settings);
    let libtorch = summary.libtorch.as_ref().map_or(String::new(), |v| format!(", libtorch {v}"));
    let version = format!("gradscope {} (commit {}){libtorch}", summary.gradscope, run.commit);
    let mut facts = vec![
        ("measured", format!("--capture {}", settings.capture.as_deref().unwrap_or("all"))),
        ("seed", settings.training.seed.to_string()),
        ("device", format!("{}, {}", settings.device, counted(settings.threads, "thread"))),
    ];
    facts.extend(run.wall_s.map(|wall| ("time", duration(wall))));
    facts.push(("version", version));
    facts
}
