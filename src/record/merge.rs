//! The records of the ranks of one distributed run, as the record that one process would have written.
//!
//! What is of samples adds up: activations, firing, losses, backward signals. What every rank holds a
//! copy of (weights, reduced gradients, updates) is compared and taken from rank 0: a difference is a
//! finding, and nothing to be added up.

use std::collections::BTreeMap;

use thiserror::Error;

use super::ranks::{PerUnit, RankDifference, Ranks};
use super::{
    Activations, End, Envelope, Epoch, Firing, Header, LayerCapture, Outcome, OutputSum, Record, StateSignal,
    Step,
};
use crate::stats::{Distribution, Keep};

/// Why records do not make one.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MergeError {
    /// A single one, or none.
    #[error("there is nothing to merge: give the records of all ranks")]
    TooFew,
    /// Not the record of a rank.
    #[error("record {0}: it is of a run by one process, with no rank to it")]
    NoRank(usize),
    /// Ranks that are missing or there twice.
    #[error(
        "the ranks do not make one run: records of ranks {found:?}, where there should be one each of 0 to {last}"
    )]
    Ranks {
        /// Those that are there.
        found: Vec<u64>,
        /// The last of the run.
        last: u64,
    },
    /// Another run.
    #[error("record {index} is not of the same run as the first: {reason}")]
    OtherRun {
        /// Which, from 1.
        index: usize,
        /// In what they differ.
        reason: String,
    },
}

impl Record {
    /// One record of those of all ranks, in any order, and how many steps of the longest had to go since
    /// another rank's record ends before.
    ///
    /// # Errors
    /// [`MergeError`], where they are not the ranks of one run.
    pub fn merge(mut records: Vec<Record>) -> Result<(Record, u64), MergeError> {
        check(&records)?;
        records.sort_by_key(|r| r.header.ranks.as_ref().and_then(|ranks| ranks.rank));
        let mut differences = Differences::default();
        let header = header(&records);
        let last_step = |r: &Record| r.steps.last().map_or(0, |s| s.step + s.steps);
        let longest = records.iter().map(last_step).max().unwrap_or(0);
        // Taken from the end, which moves nothing.
        for record in &mut records {
            record.steps.reverse();
            record.epochs.reverse();
        }
        let mut merged = Record::new(header);
        while let Some(steps) = next_steps(&mut records) {
            merged.steps.push(add_steps(&steps, &merged.header, &mut differences));
        }
        let lost = longest - last_step(&merged);
        while let Some(epochs) = next_epochs(&mut records) {
            merged.epochs.push(add_epochs(&epochs, &merged.header, &mut differences));
        }
        let ends: Option<Vec<End>> = records.iter().map(|r| r.end.clone()).collect();
        merged.end = ends.and_then(end);
        if let Some(ranks) = &mut merged.header.ranks {
            ranks.differences = differences.0.into_values().collect();
        }
        Ok((merged, lost))
    }
}

fn check(records: &[Record]) -> Result<(), MergeError> {
    let [first, others @ ..] = records else { return Err(MergeError::TooFew) };
    if others.is_empty() {
        return Err(MergeError::TooFew);
    }
    let rank = |(i, r): (usize, &Record)| {
        let of_rank = |ranks: &Ranks| Some((ranks.rank?, ranks.of));
        r.header.ranks.as_ref().and_then(of_rank).ok_or(MergeError::NoRank(i + 1))
    };
    let ranks: Vec<(u64, u64)> = records.iter().enumerate().map(rank).collect::<Result<_, _>>()?;
    for (i, record) in others.iter().enumerate() {
        let (here, there) = (&first.header, &record.header);
        let reason = if here.layers != there.layers {
            Some("its layers are others".to_owned())
        } else if here.run.model != there.run.model || here.run.loss != there.run.loss {
            Some("its model or its loss is another".into())
        } else if ranks[0].1 != ranks[i + 1].1 {
            Some(format!("there were {} ranks, and {} in the first", ranks[i + 1].1, ranks[0].1))
        } else {
            None
        };
        if let Some(reason) = reason {
            return Err(MergeError::OtherRun { index: i + 2, reason });
        }
    }
    let mut found: Vec<u64> = ranks.iter().map(|(rank, _)| *rank).collect();
    found.sort_unstable();
    let of = ranks[0].1;
    if found.len() as u64 != of || found.iter().zip(0..).any(|(a, b)| *a != b) {
        return Err(MergeError::Ranks { found, last: of.saturating_sub(1) });
    }
    Ok(())
}

fn header(records: &[Record]) -> Header {
    let mut header = records[0].header.clone();
    header.ranks = Some(Ranks { of: records.len() as u64, ..Ranks::default() });
    header.run.batch_size = records.iter().map(|r| r.header.run.batch_size).fold(0, u64::saturating_add);
    let squares = records.iter().map(|r| (r.header.data.input_rms.powi(2), r.header.run.batch_size as f64));
    let (sum, rows) = squares.fold((0.0, 0.0), |(s, n), (square, rows)| (s + square * rows, n + rows));
    header.data.input_rms = (sum / rows).sqrt();
    header
}

/// The next point of every record, joined until they cover the same steps; none where a record ends.
fn next_steps(records: &mut [Record]) -> Option<Vec<Step>> {
    let mut points: Vec<Step> = records.iter_mut().map(|r| r.steps.pop()).collect::<Option<_>>()?;
    loop {
        let ends: Vec<u64> = points.iter().map(|p| p.step + p.steps).collect();
        let end = ends.iter().copied().max()?;
        let Some(behind) = ends.iter().position(|e| *e < end) else { return Some(points) };
        let later = records[behind].steps.pop()?;
        let point = &mut points[behind];
        point.non_finite = point.non_finite.take().or(later.non_finite.clone());
        point.capture = point.capture.take().or(later.capture.clone());
        if point.layers.is_empty() {
            point.layers.clone_from(&later.layers);
        }
        point.join(&later);
    }
}

/// The next epoch that all records have captured.
fn next_epochs(records: &mut [Record]) -> Option<Vec<Epoch>> {
    loop {
        let next = records.iter().map(|r| r.epochs.last().map(|e| e.epoch)).collect::<Option<Vec<_>>>()?;
        let latest = next.iter().copied().max()?;
        let mut all = true;
        for (record, epoch) in records.iter_mut().zip(&next) {
            if *epoch < latest {
                record.epochs.pop();
                all = false;
            }
        }
        if all {
            return records.iter_mut().map(|r| r.epochs.pop()).collect();
        }
    }
}

/// Means over the ranks, as the gradients are; of a point for several steps, of their extremes.
fn mean(envelopes: impl Iterator<Item = Envelope>) -> Envelope {
    let (mut sum, mut n) = (Envelope::from(0.0), 0.0);
    for e in envelopes {
        (sum.min, sum.max, sum.last) = (sum.min + e.min, sum.max + e.max, sum.last + e.last);
        n += 1.0;
    }
    Envelope { min: sum.min / n, max: sum.max / n, last: sum.last / n }
}

fn average(values: impl Iterator<Item = f64>) -> f64 {
    mean(values.map(Envelope::from)).last
}

fn add_steps(steps: &[Step], header: &Header, differences: &mut Differences) -> Step {
    let mut step = steps[0].clone();
    step.loss = mean(steps.iter().map(|s| s.loss));
    step.non_finite = steps.iter().find_map(|s| s.non_finite.clone());
    let place = (step.epoch, step.step);
    for (rank, other) in (1..).zip(&steps[1..]) {
        for ((layer, a), b) in header.layers.iter().zip(&step.layers).zip(&other.layers) {
            let norms = [
                ("weight", a.weight_l2, b.weight_l2, a.weight_l2),
                ("gradient", a.grad_l2, b.grad_l2, a.grad_l2),
                ("update", a.update_l2, b.update_l2, a.weight_l2),
            ];
            for (quantity, a, b, size) in norms {
                differences.see(&layer.name, quantity, rank, place, apart(&[(a.last, b.last)], size.last));
            }
        }
    }
    let captures: Option<Vec<&[LayerCapture]>> = steps.iter().map(|s| s.capture.as_deref()).collect();
    step.capture = captures.map(|captures| add_captures(&captures, header, place, differences));
    step
}

fn add_epochs(epochs: &[Epoch], header: &Header, differences: &mut Differences) -> Epoch {
    let mut epoch = epochs[0].clone();
    let option = |of: fn(&Epoch) -> Option<f64>| {
        epochs.iter().map(of).collect::<Option<Vec<_>>>().map(|values| average(values.into_iter()))
    };
    epoch.train_loss = average(epochs.iter().map(|e| e.train_loss));
    epoch.train_score = average(epochs.iter().map(|e| e.train_score));
    (epoch.dev_loss, epoch.dev_score) = (option(|e| e.dev_loss), option(|e| e.dev_score));
    (epoch.test_loss, epoch.test_score) = (option(|e| e.test_loss), option(|e| e.test_score));
    epoch.partial = epochs.iter().any(|e| e.partial);
    let captures: Vec<&[LayerCapture]> = epochs.iter().map(|e| e.layers.as_slice()).collect();
    epoch.layers = add_captures(&captures, header, (epoch.epoch, epoch.step), differences);
    epoch
}

fn add_captures(
    ranks: &[&[LayerCapture]],
    header: &Header,
    place: (u64, u64),
    differences: &mut Differences,
) -> Vec<LayerCapture> {
    let layer = |(index, layer): (usize, &super::Layer)| {
        let own: Vec<&LayerCapture> = ranks.iter().filter_map(|layers| layers.get(index)).collect();
        let mut merged = (*own.first()?).clone();
        for (rank, other) in (1..).zip(&own[1..]) {
            compare(&layer.name, rank, place, (own[0], other), differences);
        }
        merged.activations =
            own.iter().map(|l| l.activations.as_ref()).collect::<Option<Vec<_>>>().and_then(add_activations);
        // The loss is the mean of the ranks': of its gradient each holds so many times too much.
        let signals: Option<Vec<f64>> = own.iter().map(|l| l.signal_l2).collect();
        merged.signal_l2 = signals.map(|s| s.iter().map(|v| v * v).sum::<f64>().sqrt() / own.len() as f64);
        let states: Option<Vec<&StateSignal>> = own.iter().map(|l| l.state_signal.as_ref()).collect();
        merged.state_signal = states.and_then(|states| StateSignal::of_ranks(&states));
        Some(merged)
    };
    header.layers.iter().enumerate().filter_map(layer).collect()
}

/// What should be the same on all ranks.
fn compare(
    layer: &str,
    rank: u64,
    place: (u64, u64),
    (a, b): (&LayerCapture, &LayerCapture),
    differences: &mut Differences,
) {
    let size = a.weight.l2();
    let mut see = |quantity, a: Option<&Distribution>, b: Option<&Distribution>, size: f64| {
        let value = match (a, b) {
            (Some(a), Some(b)) => distance(a, b, size),
            (None, None) => 0.0,
            _ => f64::INFINITY,
        };
        differences.see(layer, quantity, rank, place, value);
    };
    see("weight", Some(&a.weight), Some(&b.weight), size);
    let norm = |d: Option<&Distribution>| d.map_or(0.0, Distribution::l2);
    see("weight", a.bias.as_ref(), b.bias.as_ref(), norm(a.bias.as_ref()));
    for (a, b) in [(&a.weight_grad, &b.weight_grad), (&a.bias_grad, &b.bias_grad)] {
        see("gradient", a.as_ref(), b.as_ref(), norm(a.as_ref()));
    }
    see("update", a.update.as_ref(), b.update.as_ref(), size);
}

/// How far two tensors are from each other at least, as their numbers tell, over a size.
fn distance(a: &Distribution, b: &Distribution, size: f64) -> f64 {
    let root = (a.count().max(1) as f64).sqrt();
    let or_zero = |v: Option<f64>| v.unwrap_or(0.0);
    apart(
        &[
            (a.l2(), b.l2()),
            (root * or_zero(a.mean()), root * or_zero(b.mean())),
            (a.l1() / root, b.l1() / root),
            (or_zero(a.min()), or_zero(b.min())),
            (or_zero(a.max()), or_zero(b.max())),
        ],
        size,
    )
}

fn apart(pairs: &[(f64, f64)], size: f64) -> f64 {
    let one = |(a, b): &(f64, f64)| {
        if a == b || (a.is_nan() && b.is_nan()) {
            0.0
        } else {
            let value = (a - b).abs() / size;
            if value.is_nan() { f64::INFINITY } else { value }
        }
    };
    pairs.iter().map(one).fold(0.0, f64::max)
}

fn add_activations(ranks: Vec<&Activations>) -> Option<Activations> {
    let mut merged = (*ranks.first()?).clone();
    let weights: Vec<f64> = ranks.iter().map(|a| a.pre.count() as f64).collect();
    let all: f64 = weights.iter().sum();
    for other in &ranks[1..] {
        merged.pre.merge(&other.pre);
        merged.post.merge(&other.post);
    }
    let weighted = |values: Vec<f64>| values.iter().zip(&weights).map(|(v, w)| v * w).sum::<f64>() / all;
    let fractions: Option<Vec<f64>> = ranks.iter().map(|a| a.saturated_fraction).collect();
    merged.saturated_fraction = fractions.map(weighted);
    let firing: Option<Vec<&Firing>> = ranks.iter().map(|a| a.firing.as_ref()).collect();
    merged.firing = firing.and_then(add_firing);
    let sums: Option<Vec<OutputSum>> = ranks.iter().map(|a| a.output_sum).collect();
    merged.output_sum = sums.map(|sums| OutputSum {
        min: sums.iter().map(|s| s.min).fold(f64::INFINITY, f64::min),
        max: sums.iter().map(|s| s.max).fold(f64::NEG_INFINITY, f64::max),
    });
    let units: Option<Vec<&PerUnit>> = ranks.iter().map(|a| a.per_unit.as_deref()).collect();
    let pre = units.as_ref().and_then(|u| variances(u, |p| (&p.pre_mean, &p.pre_m2)));
    let post = units.as_ref().and_then(|u| variances(u, |p| (&p.post_mean, &p.post_m2)));
    if let (Some(pre), Some(post)) = (pre, post) {
        let spread = |v: &[f64]| (v.iter().sum::<f64>() / v.len().max(1) as f64).sqrt();
        (merged.pre_sample_std, merged.post_sample_std) = (spread(&pre), spread(&post));
        if let Some(activity) = &mut merged.activity {
            activity.std = post.iter().map(|v| v.sqrt() as f32).collect();
        }
    }
    merged.per_unit = None;
    merged.pre = merged.pre.condensed(Keep::Quantiles);
    Some(merged)
}

/// The variance of every unit over the samples of all ranks (Chan, Golub and LeVeque, 1979).
fn variances<'a>(
    ranks: &[&'a PerUnit],
    of: impl Fn(&'a PerUnit) -> (&'a Vec<f32>, &'a Vec<f32>),
) -> Option<Vec<f64>> {
    let units = of(ranks.first()?).0.len();
    let mut moments = vec![(0.0f64, 0.0f64, 0.0f64); units];
    for rank in ranks {
        let (means, deviations) = of(rank);
        if means.len() != units || deviations.len() != units {
            return None;
        }
        let m = rank.samples as f64;
        for ((n, mean, deviation), (b_mean, b_deviation)) in
            moments.iter_mut().zip(means.iter().zip(deviations))
        {
            let all = (*n + m).max(1.0);
            let between = f64::from(*b_mean) - *mean;
            *deviation += f64::from(*b_deviation) + between * between * *n * m / all;
            *mean += between * m / all;
            *n += m;
        }
    }
    Some(moments.into_iter().map(|(n, _, deviation)| deviation / n.max(1.0)).collect())
}

fn add_firing(ranks: Vec<&Firing>) -> Option<Firing> {
    let mut merged = (*ranks.first()?).clone();
    if ranks.iter().any(|f| f.rate.len() != merged.rate.len()) {
        return None;
    }
    merged.samples = ranks.iter().map(|f| f.samples).fold(0, u64::saturating_add);
    merged.exact = ranks.iter().all(|f| f.exact);
    for (unit, rate) in merged.rate.iter_mut().enumerate() {
        let fired: f64 = ranks.iter().map(|f| (f64::from(f.rate[unit]) * f.samples as f64).round()).sum();
        *rate = (fired / merged.samples.max(1) as f64) as f32;
    }
    if ranks.iter().all(|f| f.max_pre.len() == merged.max_pre.len()) {
        for (unit, max) in merged.max_pre.iter_mut().enumerate() {
            let largest = |a: f32, b: f32| if a.is_nan() || a > b { a } else { b };
            *max = ranks.iter().map(|f| f.max_pre[unit]).fold(f32::NEG_INFINITY, largest);
        }
    }
    Some(merged)
}

/// What has been done by all; the time of the slowest.
fn end(ends: Vec<End>) -> Option<End> {
    let mut merged = ends.first()?.clone();
    merged.epochs_done = ends.iter().map(|e| e.epochs_done).min()?;
    merged.steps_done = ends.iter().map(|e| e.steps_done).min()?;
    merged.wall_s = ends.iter().map(|e| e.wall_s).fold(0.0, f64::max);
    merged.capture_s = ends.iter().map(|e| e.capture_s).fold(0.0, f64::max);
    let worst = ends.iter().map(|e| e.outcome).find(|o| *o != Outcome::Finished);
    merged.outcome = worst.unwrap_or(Outcome::Finished);
    Some(merged)
}

/// By layer and quantity, in the order in which they were first seen.
#[derive(Default)]
struct Differences(BTreeMap<(String, String), RankDifference>);

impl Differences {
    fn see(&mut self, layer: &str, quantity: &str, rank: u64, (epoch, step): (u64, u64), value: f64) {
        if value <= 0.0 {
            return;
        }
        let known = self.0.entry((layer.to_owned(), quantity.to_owned())).or_insert_with(|| RankDifference {
            layer: layer.to_owned(),
            quantity: quantity.to_owned(),
            rank,
            epoch,
            step,
            value,
        });
        if (epoch, step) < (known.epoch, known.step) {
            (known.epoch, known.step) = (epoch, step);
        }
        if value > known.value {
            (known.value, known.rank) = (value, rank);
        }
    }
}
