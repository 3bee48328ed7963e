//! Which variant learned best, and why, in one sentence.

use super::{Split, Variant, VariantSummary};
use crate::diagnose::Verdict;
use crate::record::{Record, Task};
use crate::text::{count, counted, number};

/// A training loss this far below what guessing costs has learned something: less is within what
/// batches and rounding do to it.
const LEARNED: f64 = 0.98;
/// Accuracies closer than so many standard errors of their difference (binomial) are the same as far as
/// these rows can tell; 2 is about 95%.
const STANDARD_ERRORS: f64 = 2.0;
/// Mean squared errors closer than this share of the smaller one are the same: the standard error of the
/// mean of 1,000 squared normal deviations is 4.5%.
const SAME_ERROR: f64 = 0.05;
/// From this ratio on, a difference of gradients is worth a word.
const LONGER: f64 = 3.0;

/// The sentence, and the index of the best; `None` where none learned, or several equally well.
pub fn of(variants: &[Variant], summaries: &[VariantSummary], split: Split) -> (String, Option<usize>) {
    let learned = |i: &usize| learned(variants[*i].record, &summaries[*i]);
    let mut order: Vec<usize> = (0..variants.len()).filter(learned).collect();
    let score = |i: usize| summaries[i].score_on(split).filter(|s| !s.is_nan()).unwrap_or(f64::NEG_INFINITY);
    let loss = |i: usize| summaries[i].train_loss.filter(|l| !l.is_nan()).unwrap_or(f64::INFINITY);
    // Equal scores, as of two that guess, are told apart by the loss.
    order.sort_by(|a, b| score(*b).total_cmp(&score(*a)).then(loss(*a).total_cmp(&loss(*b))));
    let Some(&best) = order.first() else { return (nobody(variants, summaries), None) };
    let task = variants[best].record.header.data.task;
    let rows = rows_of(variants[best].record, split);
    let alike: Vec<usize> =
        order.iter().copied().filter(|i| *i == best || same(task, score(best), score(*i), rows)).collect();
    if let [_, second, ..] = alike.as_slice() {
        let best = alike.iter().copied().min_by(|a, b| loss(*a).total_cmp(&loss(*b))).unwrap_or(best);
        return (equals(summaries, &alike, best, *second, split, task, rows), None);
    }
    let others: Vec<usize> = (0..variants.len()).filter(|i| *i != best).collect();
    // What was measured, and not what it is ranked by.
    let measured =
        |i: usize| summaries[i].score_on(split).map_or_else(|| "unknown".into(), |s| said(task, s));
    let shown = |i: usize| format!("{} {}", summaries[i].label, measured(i));
    let against = match others.as_slice() {
        [] => String::new(),
        [one] => format!(", {}", shown(*one)),
        several => {
            let scores = || several.iter().map(|i| score(*i)).filter(|s| s.is_finite());
            let low = scores().fold(f64::INFINITY, f64::min);
            let high = scores().fold(f64::NEG_INFINITY, f64::max);
            match (low <= high, said(task, low), said(task, high)) {
                (false, ..) => String::new(),
                (true, a, b) if a == b => format!(", the others {a}"),
                (true, a, b) => format!(", the others {a} to {b}"),
            }
        }
    };
    let opening = format!(
        "{} learned best ({} {} on {} {}{against})",
        summaries[best].label,
        task.score_name(),
        said(task, score(best)),
        place(split),
        when(&summaries[best], split),
    );
    let runner_up = order.get(1).copied().or(others.first().copied());
    match runner_up.map(|other| why(variants, summaries, best, other)) {
        Some(Some(why)) => (format!("{opening}: {why}."), Some(best)),
        _ => (format!("{opening}."), Some(best)),
    }
}

/// What sets the best apart from another.
fn why(variants: &[Variant], summaries: &[VariantSummary], best: usize, other: usize) -> Option<String> {
    let (winner, loser) = (&summaries[best], &summaries[other]);
    let own = match winner.verdict {
        Verdict::Unhealthy => format!("; it is not healthy either: {}", headline(winner)),
        _ => String::new(),
    };
    if loser.verdict > winner.verdict {
        return Some(format!("in {}, {}{own}", loser.label, headline(loser)));
    }
    if let Some(ratio) = gradient_ratio(variants[best].record, variants[other].record) {
        return Some(format!(
            "the gradient that reaches its first layer is {} times as long as in {}, on the median over the epochs{own}",
            number(ratio),
            loser.label
        ));
    }
    let target = loser.train_loss?;
    let reached = variants[best].record.epochs.iter().find(|e| e.train_loss <= target)?;
    Some(format!(
        "it was at the last training loss of {} ({}) after {} already{own}",
        loser.label,
        number(target),
        counted(reached.epoch + 1, "epoch")
    ))
}

/// How much longer the gradient of the first layer is, where that is worth a word and the layers are the
/// same: the median over the captured epochs, since one batch varies manyfold.
fn gradient_ratio(best: &Record, other: &Record) -> Option<f64> {
    let first = |r: &Record| {
        let layer = r.header.layers.iter().position(|l| l.kind.is_matrix())?;
        let norms = r.epochs.iter().filter_map(|e| Some(e.layers[layer].weight_grad.as_ref()?.l2()));
        Some((r.header.layers[layer].shape.clone(), norms.collect::<Vec<f64>>()))
    };
    let ((shape, a), (other_shape, b)) = (first(best)?, first(other)?);
    let mut ratios: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a / b).filter(|r| r.is_finite()).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = *ratios.get(ratios.len() / 2)?;
    (shape == other_shape && ratio >= LONGER).then_some(ratio)
}

fn nobody(variants: &[Variant], summaries: &[VariantSummary]) -> String {
    let Some(first) = variants.first() else { return "Nothing was compared.".into() };
    let losses = || summaries.iter().filter_map(|v| v.train_loss);
    let (low, high) = (losses().fold(f64::INFINITY, f64::min), losses().fold(f64::NEG_INFINITY, f64::max));
    let range = match (number(low), number(high)) {
        _ if low > high => "none measured".into(),
        (a, b) if a == b => a,
        (a, b) => format!("{a} to {b}"),
    };
    let opening = format!(
        "No variant learned (training loss {range}, guessing costs {})",
        number(first.record.header.data.baseline_loss)
    );
    // Whether one is at least better off than the worst.
    let worst = summaries.iter().map(|v| v.verdict).max().unwrap_or(Verdict::Healthy);
    let Some(worst) = summaries.iter().position(|v| v.verdict == worst && worst != Verdict::Healthy) else {
        return format!("{opening}, and no fault was found.");
    };
    let reach = |i: usize| gradient_ratio(variants[i].record, variants[worst].record);
    let longer = |ratio: Option<f64>| {
        let tell = |r| {
            format!(
                "the gradient that reaches its first layer is {} times as long (median over the epochs)",
                number(r)
            )
        };
        ratio.map(tell)
    };
    let spared = (0..summaries.len()).find(|i| summaries[*i].verdict < summaries[worst].verdict);
    let better = match spared {
        Some(i) => {
            let longer = longer(reach(i)).map_or(String::new(), |text| format!(", {text}"));
            format!("; {} is spared that{longer}", summaries[i].label)
        }
        None => {
            let far = (0..summaries.len()).filter_map(|i| Some((i, reach(i)?)));
            let farthest = far.max_by(|a, b| a.1.total_cmp(&b.1));
            let tell =
                |(i, r): (usize, f64)| Some(format!("; in {}, {}", summaries[i].label, longer(Some(r))?));
            farthest.and_then(tell).unwrap_or_default()
        }
    };
    format!("{opening}: in {}, {}{better}.", summaries[worst].label, headline(&summaries[worst]))
}

fn equals(
    summaries: &[VariantSummary],
    alike: &[usize],
    best: usize,
    second: usize,
    split: Split,
    task: Task,
    rows: u64,
) -> String {
    let labels: Vec<&str> = alike.iter().map(|i| summaries[*i].label.as_str()).collect();
    let names = match labels.as_slice() {
        [a, b] => format!("{a} and {b}"),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
        [] => String::new(),
    };
    let scores = alike.iter().filter_map(|i| summaries[*i].score_on(split));
    let (low, high) = scores.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), s| (l.min(s), h.max(s)));
    let range = match (said(task, low), said(task, high)) {
        (a, b) if a == b => a,
        (a, b) => format!("{a} to {b}"),
    };
    let tell = match task {
        Task::Classification => format!("within two standard errors of {} rows", count(rows)),
        Task::Regression => "nearly the same".into(),
    };
    let other =
        if best == second { alike.iter().copied().find(|i| *i != best).unwrap_or(second) } else { second };
    let lower = match (summaries[best].train_loss, summaries[other].train_loss) {
        (Some(a), Some(b)) if a < b => format!(
            "; {} has the lowest training loss ({}, {} {})",
            summaries[best].label,
            number(a),
            summaries[other].label,
            number(b)
        ),
        _ => String::new(),
    };
    format!(
        "{names} learned about equally well ({} {range} on {} {}, {tell}){lower}.",
        task.score_name(),
        place(split),
        when(&summaries[best], split)
    )
}

/// Whether the scores are the same as far as these rows can tell, each taken by itself (Student's rule of
/// two standard errors; that the rows are the same for both is not made use of).
fn same(task: Task, best: f64, other: f64, rows: u64) -> bool {
    if best == other {
        return true;
    }
    match task {
        Task::Classification => {
            let variance = |p: f64| p * (1.0 - p) / rows.max(1) as f64;
            best - other < STANDARD_ERRORS * (variance(best) + variance(other)).sqrt()
        }
        // A score is minus the error.
        Task::Regression => (-other) < (1.0 + SAME_ERROR) * (-best),
    }
}

fn rows_of(record: &Record, split: Split) -> u64 {
    let data = &record.header.data;
    match split {
        Split::Train => data.train,
        Split::Dev => data.dev,
        Split::Test => data.test,
    }
}

/// Whether a run is better than guessing: its loss after the last epoch, as it was trained on or in
/// evaluation mode (dropout and a huge first batch stand in the way of the former), or its score.
fn learned(record: &Record, summary: &VariantSummary) -> bool {
    let data = &record.header.data;
    let Some(last) = record.shown_epoch() else { return false };
    let losses = [Some(last.train_loss), last.dev_loss, last.test_loss];
    if !data.baseline_loss.is_finite()
        || losses.into_iter().flatten().any(|l| l < LEARNED * data.baseline_loss)
    {
        return true;
    }
    let guessing = most_frequent(data.baseline_loss, data.classes.len());
    let errors = (guessing * (1.0 - guessing) / data.train.max(1) as f64).sqrt();
    data.task == Task::Classification
        && summary.train_score.is_some_and(|score| score > guessing + STANDARD_ERRORS * errors)
}

/// The largest share that a class can have where the entropy of the classes is this: with Fano's
/// inequality (Fano, 1961), which two classes meet exactly.
fn most_frequent(entropy: f64, classes: usize) -> f64 {
    let others = classes.saturating_sub(1).max(1) as f64;
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    let largest_entropy = |p: f64| term(p) + term(1.0 - p) + (1.0 - p) * others.ln();
    let (mut low, mut high) = (1.0 / (others + 1.0), 1.0);
    // Falls from the entropy of equal shares to 0.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if largest_entropy(middle) >= entropy { low = middle } else { high = middle }
    }
    high
}

/// Of which epoch a score is.
fn when(summary: &VariantSummary, split: Split) -> String {
    match (split, summary.test) {
        (Split::Test, Some(test)) if test.epoch + 1 < summary.epochs_done => {
            format!(
                "with the parameters of epoch {}, of {}",
                test.epoch,
                counted(summary.epochs_done, "epoch")
            )
        }
        _ => format!("after {}", counted(summary.epochs_done, "epoch")),
    }
}

fn place(split: Split) -> &'static str {
    match split {
        Split::Train => "the training set",
        Split::Dev => "the dev set",
        Split::Test => "the test set",
    }
}

fn said(task: Task, score: f64) -> String {
    match task {
        Task::Classification => format!("{}%", number(100.0 * score)),
        Task::Regression => number(score),
    }
}

/// The headline inside a sentence.
fn headline(variant: &VariantSummary) -> String {
    let text = variant.headline.trim_end_matches('.');
    let text = text.strip_prefix("Warning: ").unwrap_or(text);
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
    // A layer's name stays as it is.
    let name = text.split([' ', ',', ':']).next().unwrap_or_default();
    let is_name = variant.roots.iter().any(|r| r.layer.as_deref() == Some(name));
    if is_name { text.into() } else { first + letters.as_str() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_cannot_tell_close_accuracies_apart() {
        let accuracy = |a, b, rows| same(Task::Classification, a, b, rows);
        assert!(accuracy(0.90, 0.88, 200));
        assert!(!accuracy(0.90, 0.88, 20_000));
        assert!(!accuracy(0.90, 0.52, 200));
        assert!(accuracy(1.0, 1.0, 200));
    }

    #[test]
    fn guessing_is_right_as_often_as_the_most_frequent_class_is_there() {
        let entropy = |p: f64| -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
        for p in [0.5, 0.6, 0.9, 0.999] {
            assert!((most_frequent(entropy(p), 2) - p).abs() < 1e-6, "{p}");
        }
        assert!((most_frequent(10f64.ln(), 10) - 0.1).abs() < 1e-6);
        // Never below the truth: 0.7, 0.2, 0.1.
        let three = -(0.7f64 * 0.7f64.ln() + 0.2 * 0.2f64.ln() + 0.1 * 0.1f64.ln());
        assert!((0.7..0.75).contains(&most_frequent(three, 3)));
    }

    #[test]
    fn errors_are_the_same_within_a_twentieth() {
        let error = |a: f64, b: f64| same(Task::Regression, -a, -b, 300);
        assert!(error(1.0, 1.04));
        assert!(!error(1.0, 1.06));
        assert!(!error(1.0, f64::INFINITY));
        assert!(error(0.0, 0.0));
    }
}
