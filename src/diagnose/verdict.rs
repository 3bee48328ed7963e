//! The verdict, in one word and in one sentence.

use super::finding::{Finding, Severity, Verdict};
use super::quantities::Quantities;
use super::text::{count, inside, percent, sentence};
use crate::record::{Outcome, Task};
use crate::text::{counted, number};

/// In one word: what the worst finding says.
pub fn verdict(findings: &[Finding]) -> Verdict {
    match findings.iter().map(|f| f.severity).max() {
        Some(Severity::Error) => Verdict::Unhealthy,
        Some(Severity::Warning) => Verdict::Warning,
        Some(Severity::Info) | None => Verdict::Healthy,
    }
}

/// In one sentence.
pub fn headline(verdict: Verdict, findings: &[Finding], q: &Quantities) -> String {
    let mut text = match verdict {
        Verdict::Healthy => progress(q),
        Verdict::Warning => format!("warning: {}", roots(findings, q)),
        Verdict::Unhealthy => roots(findings, q),
    };
    text += &ending(q);
    sentence(&text, &q.record.header.layers) + "."
}

/// The first sentence of every root's message; several roots are several faults.
fn roots(findings: &[Finding], q: &Quantities) -> String {
    let roots: Vec<String> = findings
        .iter()
        .filter(|f| f.root)
        .map(|f| {
            let message = f.message.split(". ").next().unwrap_or_default().trim_end_matches('.');
            inside(message, &q.record.header.layers)
        })
        .collect();
    match roots.as_slice() {
        [] => "something is wrong, but nothing explains the rest".into(),
        [one] => one.clone(),
        [one, others @ ..] => format!("{one}; independent of it, {}", others.join("; and ")),
    }
}

/// How far a run has come that nothing is wrong with.
fn progress(q: &Quantities) -> String {
    if q.record.header.has_weights_alone() {
        return progress_of_weights(q);
    }
    let Some(last) = q.captures.last() else {
        return match q.points.last() {
            Some(p) => format!("no epoch has been captured yet, after {}", count(p.step + p.steps, "step")),
            None => "no data yet: nothing has been measured".into(),
        };
    };
    let after = format!("after {}", count(last.epoch + 1, "epoch"));
    let loss = number(last.loss);
    let guessing =
        q.baseline_loss.map_or(String::new(), |ch| format!(", where guessing costs {}", number(ch)));
    if last.no_progress || last.at_baseline {
        return format!(
            "no fault found, but little learned so far: training loss {loss} {after}{guessing}{}",
            scores(q)
        );
    }
    format!("learning: training loss {loss} {after}{guessing}{}", scores(q))
}

/// The same of weights alone: what was looked at, and how far it changed.
fn progress_of_weights(q: &Quantities) -> String {
    let header = &q.record.header;
    let Some(last) = q.captures.last() else { return "no data yet: nothing has been measured".into() };
    let parameters = header.layers.iter().map(|l| l.parameters).fold(0, u64::saturating_add);
    let what = format!(
        "the {} of {} are finite, and no layer's units are copies of each other",
        counted(parameters, "parameter"),
        counted(header.layers.len() as u64, "layer"),
    );
    let before = q.captures.iter().rev().nth(1).map(|c| c.epoch);
    let (Some(before), Some(change)) = (before, last.median_update()) else {
        return format!("{what}; whether they learn, one file does not tell");
    };
    format!(
        "{what}; from {} to {} the median layer changed by {} of its size",
        q.record.file_of(before),
        q.record.file_of(last.epoch),
        percent(change)
    )
}

fn scores(q: &Quantities) -> String {
    let Some(last) = q.record.epochs.iter().rev().find(|e| !e.partial).or(q.record.epochs.last()) else {
        return String::new();
    };
    let task = q.record.header.data.task;
    if !last.train_score.is_finite() {
        return String::new();
    }
    let dev = last.dev_score.map_or(String::new(), |s| format!(", {} on the dev set", score(task, s)));
    format!("; {} {} on the training set{dev}", task.score_name(), score(task, last.train_score))
}

fn score(task: Task, score: f64) -> String {
    match task {
        Task::Classification => format!("{}%", number(100.0 * score)),
        Task::Regression => number(score),
    }
}

/// That the run did not come to its end, if so.
fn ending(q: &Quantities) -> String {
    let wanted = q.record.header.run.training.epochs;
    let of = if wanted > 0 { format!(" of {}", count(wanted, "epoch")) } else { " epochs".into() };
    let Some(end) = &q.record.end else {
        let seen = q.record.epochs_done();
        return format!(" (ended early or still running: the record stops after {seen}{of})");
    };
    let how = match end.outcome {
        Outcome::Finished => {
            return end.early_stop.map_or_else(String::new, |stop| {
                format!(
                    " (stopped by --patience {} after {} of {}: no better on the dev set since epoch {})",
                    stop.patience,
                    end.epochs_done,
                    count(wanted, "epoch"),
                    stop.best_epoch
                )
            });
        }
        Outcome::Interrupted => "interrupted",
        Outcome::Terminated => "terminated",
    };
    format!(" (ended early: {how} after {}{of})", end.epochs_done)
}
