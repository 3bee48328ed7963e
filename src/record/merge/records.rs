//! The records of the ranks of one distributed run, as the record that one process would have written.
//!
//! What is of samples adds up: activations, firing, losses, backward signals. What every rank holds a
//! copy of (weights, reduced gradients, updates) is compared and taken from rank 0: a difference is a
//! finding, and nothing to be added up.

use super::differences::{Differences, Place, rank_differences};
use super::error::MergeError;
use super::ranks::Ranks;
use crate::record::quantity::relative_difference;
use crate::record::{End, Envelope, Epoch, Header, Layer, LayerCapture, Outcome, Record, Step};

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
        let longest = records.iter().map(steps_covered).max().unwrap_or(0);
        // Taken from the end, which moves nothing.
        for record in &mut records {
            record.steps.reverse();
            record.epochs.reverse();
        }
        let mut merged = Record::new(header);
        while let Some(steps) = next_steps(&mut records) {
            merged.steps.push(add_steps(&steps, &merged.header, &mut differences));
        }
        let lost = longest - steps_covered(&merged);
        while let Some(epochs) = next_epochs(&mut records) {
            merged.epochs.push(add_epochs(&epochs, &merged.header, &mut differences));
        }
        let ends: Option<Vec<End>> = records.iter().map(|r| r.end.clone()).collect();
        merged.end = ends.and_then(end);
        if let Some(ranks) = &mut merged.header.ranks {
            ranks.differences = differences.into_list();
        }
        Ok((merged, lost))
    }
}

/// Steps that the points of a record stand for.
fn steps_covered(record: &Record) -> u64 {
    record.steps.last().map_or(0, |s| s.step + s.steps)
}

fn check(records: &[Record]) -> Result<(), MergeError> {
    let [first, others @ ..] = records else { return Err(MergeError::TooFew) };
    if others.is_empty() {
        return Err(MergeError::TooFew);
    }
    let own = records.iter().map(|r| r.header.ranks.as_ref().and_then(|ranks| Some((ranks.rank?, ranks.of))));
    let ranks: Vec<(u64, u64)> = (1..)
        .zip(own)
        .map(|(record, own)| own.ok_or(MergeError::NoRank(record)))
        .collect::<Result<_, _>>()?;
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

/// The average, where every rank has the number.
fn average_of_all(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.collect::<Option<Vec<_>>>().map(|values| average(values.into_iter()))
}

fn add_steps(steps: &[Step], header: &Header, differences: &mut Differences) -> Step {
    let mut step = steps[0].clone();
    step.loss = mean(steps.iter().map(|s| s.loss));
    step.non_finite = steps.iter().find_map(|s| s.non_finite.clone());
    for (rank, other) in (1..).zip(&steps[1..]) {
        for ((layer, a), b) in header.layers.iter().zip(&step.layers).zip(&other.layers) {
            let norms = [
                ("weight", a.weight_l2, b.weight_l2, a.weight_l2),
                ("gradient", a.grad_l2, b.grad_l2, a.grad_l2),
                ("update", a.update_l2, b.update_l2, a.weight_l2),
            ];
            let place = Place { rank, epoch: step.epoch, step: step.step };
            for (quantity, a, b, size) in norms {
                differences.see(&layer.name, quantity, place, relative_difference(a.last, b.last, size.last));
            }
        }
    }
    let captures: Option<Vec<&[LayerCapture]>> = steps.iter().map(|s| s.capture.as_deref()).collect();
    let place = Place { rank: 0, epoch: step.epoch, step: step.step };
    step.capture = captures.map(|captures| add_captures(&captures, header, place, differences));
    step
}

fn add_epochs(epochs: &[Epoch], header: &Header, differences: &mut Differences) -> Epoch {
    let mut epoch = epochs[0].clone();
    epoch.train_loss = average(epochs.iter().map(|e| e.train_loss));
    epoch.train_score = average(epochs.iter().map(|e| e.train_score));
    epoch.dev_loss = average_of_all(epochs.iter().map(|e| e.dev_loss));
    epoch.dev_score = average_of_all(epochs.iter().map(|e| e.dev_score));
    epoch.test_loss = average_of_all(epochs.iter().map(|e| e.test_loss));
    epoch.test_score = average_of_all(epochs.iter().map(|e| e.test_score));
    epoch.partial = epochs.iter().any(|e| e.partial);
    let captures: Vec<&[LayerCapture]> = epochs.iter().map(|e| e.layers.as_slice()).collect();
    let place = Place { rank: 0, epoch: epoch.epoch, step: epoch.step };
    epoch.layers = add_captures(&captures, header, place, differences);
    epoch
}

fn add_captures(
    ranks: &[&[LayerCapture]],
    header: &Header,
    place: Place,
    differences: &mut Differences,
) -> Vec<LayerCapture> {
    let layers = header.layers.iter().enumerate();
    layers
        .filter_map(|(index, layer)| {
            let own: Vec<&LayerCapture> = ranks.iter().filter_map(|layers| layers.get(index)).collect();
            compare(layer, &own, place, differences);
            LayerCapture::merged(&own)
        })
        .collect()
}

fn compare(layer: &Layer, ranks: &[&LayerCapture], place: Place, differences: &mut Differences) {
    let Some((first, others)) = ranks.split_first() else { return };
    for (rank, other) in (1..).zip(others) {
        for (quantity, value) in rank_differences(first, other) {
            differences.see(&layer.name, quantity, Place { rank, ..place }, value);
        }
    }
}

/// The end of the merged run: steps that all have done, in the time of the slowest.
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
