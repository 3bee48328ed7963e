//! The event file of a record.

use std::io::{self, Write};

use super::frame;
use super::message::{Event, Histogram, What};
use crate::record::{Activations, Epoch, LayerCapture, Record};
use crate::report::{OutputDir, ReportError};
use crate::stats::{Distribution, histogram};

/// The event file's place in the directory; TensorBoard looks for `tfevents` in names.
pub const FILE_NAME: &str = "events.out.tfevents.0000000000.gradscope";
/// Version of the format, which stands in the first event.
const VERSION: &str = "brain.Event:2";
/// Buckets of a histogram. TensorBoard draws thirty.
const BUCKETS: usize = 60;

/// Writes the event file, whole or not at all, in place of an earlier one.
///
/// # Errors
/// [`ReportError`]; what was there before is then intact.
pub fn write(directory: &OutputDir, record: &Record) -> Result<(), ReportError> {
    directory.create()?;
    let path = directory.path().join(FILE_NAME);
    directory.put(FILE_NAME, |out| events(record, out)).map_err(ReportError::write(&path))
}

/// All events of a record, in the order of their steps.
fn events(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    frame::write(out, &Event::version(VERSION))?;
    let clock = Clock::new(record);
    let mut epochs = record.epochs.iter().peekable();
    for step in &record.steps {
        let last = step.step + step.steps.max(1) - 1;
        while let Some(epoch) = epochs.next_if(|e| e.step < last) {
            write_epoch(record, epoch, &clock, out)?;
        }
        let scalars = vec![
            ("batch/loss".to_owned(), What::Scalar(step.loss.last as f32)),
            ("batch/gradient_l2".to_owned(), What::Scalar(step.grad_l2.last as f32)),
        ];
        frame::write(out, &Event::new(clock.at(last), last, scalars))?;
    }
    epochs.try_for_each(|epoch| write_epoch(record, epoch, &clock, out))
}

/// Seconds since the run began; a record knows only how long it took, so steps share that evenly.
struct Clock {
    per_step: f64,
}

impl Clock {
    fn new(record: &Record) -> Self {
        let per_step = record.end.as_ref().map_or(0.0, |end| end.wall_s / end.steps_done.max(1) as f64);
        Self { per_step: if per_step.is_finite() { per_step } else { 0.0 } }
    }

    fn at(&self, step: u64) -> f64 {
        self.per_step * step as f64
    }
}

fn write_epoch(record: &Record, epoch: &Epoch, clock: &Clock, out: &mut dyn Write) -> io::Result<()> {
    let mut values = vec![
        scalar("loss/train", Some(epoch.train_loss)),
        scalar("loss/dev", epoch.dev_loss),
        scalar("score/train", Some(epoch.train_score)),
        scalar("score/dev", epoch.dev_score),
        scalar("learning_rate", Some(epoch.lr).filter(|lr| !lr.is_nan())),
        scalar("gradient_l2", Some(epoch.grad_l2)),
    ];
    for (layer, captured) in record.header.layers.iter().zip(&epoch.layers) {
        let name = layer.name.as_str();
        values.push(scalar(&format!("update_ratio/{name}"), captured.update_ratio(layer)));
        let dead = captured
            .activations
            .as_ref()
            .and_then(Activations::finite_activation_frequency)
            .map(|f| f.dead_units());
        values.push(scalar(&format!("dead_units/{name}"), dead.map(|n| n as f64)));
        for (what, distribution) in tensors(captured) {
            let Some(d) = distribution else { continue };
            let tag = format!("{what}/{name}");
            values.push(scalar(&format!("{what}_l2/{name}"), Some(d.l2())));
            let lost = d.nan() + d.infinities();
            values.push(scalar(&format!("{what}_not_finite/{name}"), (lost > 0).then_some(lost as f64)));
            values.push(buckets(d).map(|histogram| (tag, What::Histogram(histogram))));
        }
    }
    frame::write(out, &Event::new(clock.at(epoch.step), epoch.step, values.into_iter().flatten().collect()))
}

fn scalar(tag: &str, value: Option<f64>) -> Option<(String, What)> {
    Some((tag.to_owned(), What::Scalar(value? as f32)))
}

/// The tensors of a layer that are drawn, with their names.
fn tensors(captured: &LayerCapture) -> [(&'static str, Option<&Distribution>); 5] {
    [
        ("weight", Some(&captured.weight)),
        ("bias", captured.bias.as_ref()),
        ("weight_gradient", captured.weight_grad.as_ref()),
        ("bias_gradient", captured.bias_grad.as_ref()),
        ("activation", captured.activations.as_ref().map(|a| &a.post)),
    ]
}

/// The histogram of a tensor; `None` where nothing was finite, or where a long record kept no more than moments.
fn buckets(d: &Distribution) -> Option<Histogram> {
    let (min, max, mean, n) = (d.min()?, d.max()?, d.mean()?, d.finite() as f64);
    let bars = histogram(d, BUCKETS);
    let std = d.std().unwrap_or(0.0);
    bars.iter().any(|(_, _, count)| *count > 0.0).then(|| Histogram {
        min,
        max,
        num: n,
        sum: mean * n,
        sum_squares: std * std * (n - 1.0) + n * mean * mean,
        bucket_limit: bars.iter().map(|(_, high, _)| *high).collect(),
        bucket: bars.iter().map(|(_, _, count)| *count).collect(),
    })
}
