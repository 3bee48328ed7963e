//! Which variant learned best, and why, in one sentence.

use super::variant::{Split, Variant, VariantSummary};
use crate::diagnose::Verdict;
use crate::record::{Record, Task};
use crate::text::{conjunction, count, counted, number, percentage, uncapitalized};

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
pub fn learned_best(
    variants: &[Variant],
    summaries: &[VariantSummary],
    split: Split,
) -> (String, Option<usize>) {
    let mut order: Vec<usize> = (0..variants.len()).collect();
    order.retain(|i| learned(variants[*i].record, &summaries[*i]));
    // Equal scores, as of two that guess, are told apart by the loss.
    order.sort_by(|a, b| {
        let [a, b] = [a, b].map(|i| &summaries[*i]);
        rank(b, split).total_cmp(&rank(a, split)).then(final_loss(a).total_cmp(&final_loss(b)))
    });
    let Some(&best) = order.first() else { return (nobody(variants, summaries), None) };
    let task = variants[best].record.header.data.task;
    let top = rank(&summaries[best], split);
    let rows = rows_of(variants[best].record, split);
    let mut alike = order.clone();
    alike.retain(|i| *i == best || same(task, top, rank(&summaries[*i], split), rows));
    if alike.len() > 1 {
        let alike: Vec<&VariantSummary> = alike.iter().map(|i| &summaries[*i]).collect();
        return (equals(&alike, split, task, rows), None);
    }
    let others: Vec<usize> = (0..variants.len()).filter(|i| *i != best).collect();
    let against = match others.as_slice() {
        [] => String::new(),
        [one] => {
            // The measured score, and not the one that it is ranked by.
            let score = summaries[*one].score_on(split);
            let score = score.map_or_else(|| "unknown".into(), |s| said(task, s));
            format!(", {} {score}", summaries[*one].label)
        }
        several => {
            let scores = several.iter().map(|i| rank(&summaries[*i], split)).filter(|s| s.is_finite());
            range_of(scores, task).map_or(String::new(), |range| format!(", the others {range}"))
        }
    };
    let opening = format!(
        "{} learned best ({} {} on {} {}{against})",
        summaries[best].label,
        task.score_name(),
        said(task, top),
        place(split),
        when(&summaries[best], split),
    );
    let runner_up = order.get(1).copied().or(others.first().copied());
    match runner_up.map(|other| why(variants, summaries, best, other)) {
        Some(Some(why)) => (format!("{opening}: {why}."), Some(best)),
        _ => (format!("{opening}."), Some(best)),
    }
}

/// The score that a variant is ranked by: the lowest where it has none.
fn rank(summary: &VariantSummary, split: Split) -> f64 {
    summary.score_on(split).filter(|s| !s.is_nan()).unwrap_or(f64::NEG_INFINITY)
}

/// The last training loss: the highest where there is none.
fn final_loss(summary: &VariantSummary) -> f64 {
    summary.train_loss.filter(|l| !l.is_nan()).unwrap_or(f64::INFINITY)
}

/// `90% to 95%`, or a single score where all are written alike; `None` where there is none.
fn range_of(scores: impl Iterator<Item = f64>, task: Task) -> Option<String> {
    let (low, high) = scores.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), s| (l.min(s), h.max(s)));
    let ends = (low <= high).then(|| [low, high].map(|score| said(task, score)))?;
    Some(if ends[0] == ends[1] { ends[0].clone() } else { ends.join(" to ") })
}

/// The difference that sets the best apart from another.
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
    let ((shape, a), (other_shape, b)) = (first_layer(best)?, first_layer(other)?);
    let mut ratios: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a / b).filter(|r| r.is_finite()).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = *ratios.get(ratios.len() / 2)?;
    (shape == other_shape && ratio >= LONGER).then_some(ratio)
}

/// The shape of the first matrix, and the norms of its gradient at the captured epochs.
fn first_layer(record: &Record) -> Option<(&[u64], Vec<f64>)> {
    let layer = record.header.layers.iter().position(|l| l.kind.is_matrix())?;
    let norms = record.epochs.iter().filter_map(|e| Some(e.layers[layer].weight_grad.as_ref()?.l2()));
    Some((&record.header.layers[layer].shape, norms.collect()))
}

fn nobody(variants: &[Variant], summaries: &[VariantSummary]) -> String {
    let Some(first) = variants.first() else { return "Nothing was compared.".into() };
    let losses = summaries.iter().filter_map(|v| v.train_loss);
    let (low, high) = losses.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
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
    let reaches = (0..summaries.len()).map(|i| gradient_ratio(variants[i].record, variants[worst].record));
    let reaches: Vec<Option<f64>> = reaches.collect();
    let spared = (0..summaries.len()).find(|i| summaries[*i].verdict < summaries[worst].verdict);
    let far = reaches.iter().enumerate().filter_map(|(i, ratio)| Some((i, (*ratio)?)));
    let farthest = far.max_by(|a, b| a.1.total_cmp(&b.1));
    let better = match spared {
        Some(i) => {
            let longer = reaches[i].map_or(String::new(), |ratio| format!(", {}", longer(ratio)));
            format!("; {} is spared that{longer}", summaries[i].label)
        }
        None => farthest
            .map_or(String::new(), |(i, ratio)| format!("; in {}, {}", summaries[i].label, longer(ratio))),
    };
    format!("{opening}: in {}, {}{better}.", summaries[worst].label, headline(&summaries[worst]))
}

fn longer(ratio: f64) -> String {
    format!(
        "the gradient that reaches its first layer is {} times as long (median over the epochs)",
        number(ratio)
    )
}

/// The sentence about several, best first, that these rows cannot tell apart.
fn equals(alike: &[&VariantSummary], split: Split, task: Task, rows: u64) -> String {
    let Some((first, rest)) = alike.split_first() else { return String::new() };
    // Of those alike, the first with the lowest loss.
    let best = rest.iter().fold(*first, |best, v| if final_loss(v) < final_loss(best) { v } else { best });
    let other = rest.first().filter(|v| v.label != best.label).copied().unwrap_or(first);
    let names = conjunction(&alike.iter().map(|v| v.label.as_str()).collect::<Vec<_>>());
    let range = range_of(alike.iter().filter_map(|v| v.score_on(split)), task).unwrap_or_default();
    let tell = match task {
        Task::Classification => format!("within two standard errors of {} rows", count(rows)),
        Task::Regression => "nearly the same".into(),
    };
    let lower = match (best.train_loss, other.train_loss) {
        (Some(a), Some(b)) if a < b => format!(
            "; {} has the lowest training loss ({}, {} {})",
            best.label,
            number(a),
            other.label,
            number(b)
        ),
        _ => String::new(),
    };
    format!(
        "{names} learned about equally well ({} {range} on {} {}, {tell}){lower}.",
        task.score_name(),
        place(split),
        when(best, split)
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
            let variances = [best, other].map(|p| p * (1.0 - p) / rows.max(1) as f64);
            best - other < STANDARD_ERRORS * (variances[0] + variances[1]).sqrt()
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
    let (mut low, mut high) = (1.0 / (others + 1.0), 1.0);
    // Falls from the entropy of equal shares to 0.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if largest_entropy(middle, others) >= entropy { low = middle } else { high = middle }
    }
    high
}

/// The largest entropy, in nats, of classes of which one has the share `p`, beside so many others.
fn largest_entropy(p: f64, others: f64) -> f64 {
    let terms = [p, 1.0 - p].map(|p| if p > 0.0 { -p * p.ln() } else { 0.0 });
    terms[0] + terms[1] + (1.0 - p) * others.ln()
}

/// The epoch of a score, in words.
fn when(summary: &VariantSummary, split: Split) -> String {
    match (split, summary.test) {
        (Split::Test, Some(test)) if test.epoch + 1 < summary.epochs_done => {
            format!(
                "with the parameters of epoch {}, of {}",
                count(test.epoch),
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
        Task::Classification => percentage(score),
        Task::Regression => number(score),
    }
}

/// The headline inside a sentence.
fn headline(variant: &VariantSummary) -> String {
    let text = variant.headline.trim_end_matches('.');
    let text = text.strip_prefix("Warning: ").unwrap_or(text);
    // A layer's name stays as it is.
    let name = text.split([' ', ',', ':']).next().unwrap_or_default();
    let is_name = variant.roots.iter().any(|r| r.layer.as_deref() == Some(name));
    if is_name { text.into() } else { uncapitalized(text) }
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
