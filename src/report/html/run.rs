//! The run, how it went and how it was measured, in words.

use super::text::{clean, duration, optional, score};
use crate::diagnose::Verdict;
use crate::record::{EarlyStop, Record};
use crate::report::{EpochSummary, RunOutcome, RunSummary, Summary};
use crate::stats::{BIN_RELATIVE_WIDTH, EXACT_CAPACITY};
use crate::text::{count, counted, number, percentage};

/// The line above the headline: what was run, and how long it took.
pub(super) fn context(record: &Record, summary: &Summary) -> [Vec<String>; 2] {
    let run = &summary.run;
    if record.header.has_weights_alone() {
        let what = vec![
            "gradscope".into(),
            format!("{}, {}", clean(&run.settings.model), counted(summary.layers.len() as u64, "layer")),
            counted(run.parameters, "parameter"),
        ];
        let files = counted(summary.epochs.len() as u64, "checkpoint");
        return [what, vec!["weights alone".into(), files]];
    }
    let what = vec![
        "gradscope".into(),
        format!("{}, {}", run.settings.model, counted(summary.layers.len() as u64, "layer")),
        counted(run.parameters, "parameter"),
        run.data.clone(),
        format!("{} lr {}", run.settings.training.optimizer, known(run.settings.training.lr)),
        format!("seed {}", run.settings.training.seed),
    ];
    let mut how = vec![counted(run.epochs_done, "epoch")];
    if let Some(wall) = run.wall_s {
        how.push(duration(wall));
        how.extend(measuring_share(summary).map(|share| format!("{share} of it measuring")));
    }
    [what, how].map(|texts| texts.iter().map(|t| clean(t)).collect())
}

/// Time for measuring as a share of the whole: stays readable where training takes no time at all.
fn measuring_share(summary: &Summary) -> Option<String> {
    let overhead = summary.run.capture_overhead?;
    Some(percentage(overhead / (1.0 + overhead)))
}

/// That the run ended or was stopped early, and what that means for the page.
pub(super) fn notice(summary: &Summary) -> Option<String> {
    let run = &summary.run;
    let how = match run.outcome {
        RunOutcome::Finished => return run.early_stop.map(|stop| stopped_early(run, stop)),
        RunOutcome::Interrupted => "it was interrupted (SIGINT)",
        RunOutcome::Terminated => "it was terminated (SIGTERM)",
        RunOutcome::Killed => "its record has no end, so it was killed or is still running",
    };
    Some(format!(
        "This run ended early: {how} after {} of {}, {}. Everything below is of the part that was recorded.",
        count(run.epochs_done),
        counted(run.settings.training.epochs, "epoch"),
        counted(run.steps_done, "step"),
    ))
}

fn stopped_early(run: &RunSummary, stop: EarlyStop) -> String {
    format!(
        "Stopped early, by --patience {}: in the {} after epoch {} the score on the dev set did not rise. {} of {} were trained.",
        stop.patience,
        counted(stop.patience, "epoch"),
        count(stop.best_epoch),
        count(run.epochs_done),
        counted(run.settings.training.epochs, "epoch"),
    )
}

/// A number that a source of records may not know.
pub(super) fn known(value: f64) -> String {
    if value.is_nan() { "unknown".into() } else { number(value) }
}

/// Where the run stands: at its last epoch beside what guessing gets (the headline of a healthy run
/// says that already), and on the test set.
pub(super) fn result(summary: &Summary) -> Option<String> {
    let last = summary.epochs.last()?;
    let run = &summary.run;
    let mut sentences = Vec::new();
    if summary.verdict != Verdict::Healthy {
        let dev =
            last.dev_score.map_or(String::new(), |s| format!(", {} on the dev set", score(run.task, s)));
        let train = match last.train_score {
            unknown if unknown.is_nan() => dev.trim_start_matches(", ").to_owned(),
            known => format!("{} {} on the training set{dev}", run.score, score(run.task, known)),
        };
        sentences.push(format!(
            "After epoch {}: training loss {} (guessing: {}){}{train}.",
            count(last.epoch),
            number(last.train_loss),
            known(run.chance_loss),
            if train.is_empty() { "" } else { ", " },
        ));
    }
    if let Some(test) = summary.test {
        let best = if last.dev_score.is_some() { ", the best on the dev set" } else { "" };
        sentences.push(format!(
            "Test set: {} {} with the parameters of epoch {}{best}.",
            run.score,
            score(run.task, test.score),
            count(test.epoch)
        ));
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// Loss, scores and gradient of every captured epoch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EpochTable {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// Its content, for whoever has not opened it.
    pub(super) summary: &'static str,
    pub(super) caption: &'static str,
}

impl EpochTable {
    /// `1 row`, `1,200 rows`.
    pub(super) fn rows_counted(&self) -> String {
        counted(self.rows.len() as u64, "row")
    }

    pub(super) fn new(record: &Record, summary: &Summary) -> Self {
        let run = &summary.run;
        if record.header.has_weights_alone() {
            let rows = record.epochs.iter();
            let rows = rows.map(|e| vec![count(e.epoch), clean(record.file_of(e.epoch))]);
            let columns = ["epoch", "checkpoint"].map(String::from).to_vec();
            return Self {
                columns,
                rows: rows.collect(),
                summary: "Which checkpoint stands for which epoch",
                caption: "Checkpoints in the order in which they were given",
            };
        }
        let tested = summary.epochs.iter().any(|e| e.test_score.is_some());
        let splits = &["training", "dev", "test"][..if tested { 3 } else { 2 }];
        let mut columns = vec!["epoch".into()];
        for quantity in ["loss", &run.score] {
            columns.extend(splits.iter().map(|split| format!("{split} {quantity}")));
        }
        columns.extend(["gradient L2".into(), "learning rate".into()]);
        Self {
            columns,
            rows: summary.epochs.iter().map(|e| epoch_row(e, run, splits.len())).collect(),
            summary: "Loss, score and gradient of every captured epoch",
            caption: "Captured epochs; the gradient is that of all parameters at the epoch's last batch",
        }
    }
}

/// An epoch in the table, with the losses and scores of so many splits.
fn epoch_row(e: &EpochSummary, run: &RunSummary, splits: usize) -> Vec<String> {
    let partial = if e.partial { " (partial)" } else { "" };
    let losses = [Some(e.train_loss), e.dev_loss, e.test_loss];
    let scores = [Some(e.train_score), e.dev_score, e.test_score];
    let mut row = vec![format!("{}{partial}", count(e.epoch))];
    row.extend(losses.into_iter().take(splits).map(optional));
    row.extend(scores.into_iter().take(splits).map(|s| s.map_or_else(|| "–".into(), |s| score(run.task, s))));
    row.extend([number(e.grad_l2), number(e.lr)]);
    row
}

/// How it was measured, a sentence or two a paragraph.
pub(super) fn measured(record: &Record, summary: &Summary) -> Vec<String> {
    let run = &summary.run;
    let mut text = Vec::new();
    if record.header.has_weights_alone() {
        text.push(
            "Weights and biases were read from the checkpoints; what a layer computes is told by its name and \
             shape. No training was seen: nothing is known of losses, gradients and activations, nor whether \
             units fire."
                .into(),
        );
        text.push(exactness());
        if summary.epochs.len() > 1 {
            text.push(
                "Each checkpoint stands for an epoch. The update ratio is the change since the one before, ‖ΔW‖ / \
                 max(‖W‖, 0.1·√units), over all steps between the two."
                    .into(),
            );
        }
        return text;
    }
    let full_batch = if run.settings.steps_per_epoch == 1 {
        " With one step an epoch, epoch 0 is therefore the untouched initial model."
    } else {
        ""
    };
    text.push(format!(
        "{} was captured in {} of {} done: at the epoch's last batch, after backward and before the optimizer's step. Gradients are those before any clipping.{full_batch}",
        sentence(run.settings.capture.as_deref()),
        counted(summary.epochs.len() as u64, "epoch"),
        count(run.epochs_done),
    ));
    text.extend(program(record));
    text.extend(firing(record));
    text.extend(shapes(record.header.run.quantiles_of, summary.epochs.len()));
    text.push(format!(
        "Elasticity is ‖W‖·‖g‖ divided by the loss, with the epoch's medians: how strongly the loss pulls on a layer, whatever the scale of the loss and of the weights. The update ratio is ‖ΔW‖ / max(‖W‖, 0.1·√units) of one step; 0.002 to 0.04 is usual in a first epoch. {}",
        if record.header.layers.iter().any(|l| !l.kind.is_matrix()) {
            "Gains of normalisation layers have no elasticity: they are not compared."
        } else {
            ""
        }
    ));
    text.push(format!(
        "The training loss of an epoch is the mean over its batches as they were trained on; scores ({}, higher is better) and dev numbers are taken after the epoch, in evaluation mode.",
        run.score
    ));
    if let (Some(end), Some(share)) = (&record.end, measuring_share(summary)) {
        text.push(format!(
            "Measuring and writing took {} of {} ({share}); the rest is training.",
            duration(end.capture_s),
            duration(end.wall_s)
        ));
    }
    text
}

/// How well it is known how values are spread.
fn shapes(quantiles_of: Option<u64>, epochs: usize) -> Vec<String> {
    if let Some(values) = quantiles_of {
        return vec![format!(
            "Captures lay so close together that those after the first step's hold counts, moments and ranges alone, and \
             of weights and their gradients 21 quantiles of up to {} values, which their violins are drawn from.",
            count(values)
        )];
    }
    let mut text = vec![exactness()];
    if epochs > 1 {
        text.push(
            "The violins of earlier epochs are drawn from 21 quantiles of each tensor, those of the last from \
             all that is known of it."
                .into(),
        );
    }
    text
}

fn exactness() -> String {
    format!(
        "Tensors of up to {EXACT_CAPACITY} values are described exactly; quantiles of larger ones are within {}.",
        percentage(BIN_RELATIVE_WIDTH)
    )
}

/// The measurements of the layers, as the beginning of a sentence, and those that were left out.
fn sentence(capture: Option<&str>) -> &'static str {
    match capture {
        None | Some("all") => "Everything (--capture all)",
        Some("activations=off") => {
            "Everything but activations, how often units fire and the backward signal (--capture \
             activations=off)"
        }
        Some("norms") => {
            "The moments and norms of weights, gradients and updates, not how their values are spread and \
             nothing of activations, firing units and the backward signal (--capture norms),"
        }
        Some("none") => "Only loss and scores, nothing of the layers (--capture none),",
        Some(_) => "A part of what can be measured",
    }
}

/// The measurements that a program does not allow, and those that stand in for them.
fn program(record: &Record) -> Option<String> {
    record.header.is_program().then(|| {
        let judged = record.epochs.iter().any(|e| e.layers.iter().any(|l| l.zero_gradient_units.is_some()));
        let dead = if judged {
            " Dead units are therefore judged indirectly: by rows of weights and biases whose gradient is exactly \
             zero in every batch of an epoch, which units that are saturated for good, or that nothing looks at, \
             have as well."
        } else {
            ""
        };
        format!(
            "The model is a TorchScript program, inside of which nothing can be seen: what layers put out, how often \
             units fire, how far they are saturated and the signal that comes back to them were not measured, and \
             the rules that ask for them are listed as such.{dead} Layers stand in the order in which the program \
             declares them; its weights began as they were saved."
        )
    })
}

/// Whether a unit's silence is a measurement or a suspicion.
fn firing(record: &Record) -> Option<String> {
    let last = record.epochs.last()?;
    let mut firings =
        last.layers.iter().filter_map(|l| l.activations.as_ref()?.activation_frequency.as_ref());
    let first = firings.next()?;
    Some(if first.exact {
        format!(
            "A dead unit is one that never fired on any of {}, in an exact pass over the training set without dropout.",
            counted(first.samples, "training sample")
        )
    } else {
        format!(
            "A dead unit is one that never fired on {}: a screening by the epoch's training batches, or by a part of the training set, not an exact pass over it.",
            counted(first.samples, "sample")
        )
    })
}
