//! The weights of one checkpoint, or of several in the order of training, as a record.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::thread;

use super::CheckpointError;
use super::content::Content;
use super::dtype::Values;
use super::layers::{Named, Part, group};
use super::open::open;
use super::tensor::{PIECE, Tensor};
use crate::record::{
    Data, End, Epoch, Header, LayerCapture, Line, Loss, Outcome, Record, Run, SCHEMA, Task, WEIGHTS_ALONE,
    in_full,
};
use crate::stats::Distribution;
use crate::text::quoted;

/// Layers of a checkpoint, at most: each is a row and a picture of the report.
const MAX_LAYERS: usize = 10_000;

/// A file whose layers were found.
struct Checkpoint {
    path: PathBuf,
    tensors: Vec<Tensor>,
    parts: Vec<Part>,
}

impl Checkpoint {
    fn open(path: &Path, notes: &mut Vec<String>) -> Result<Self, CheckpointError> {
        let Content { tensors, left_out, notes: own, .. } = open(path)?;
        let mut told = own;
        if !left_out.is_empty() {
            let named: Vec<String> = left_out.iter().map(|l| format!("{} ({})", l.name, l.dtype)).collect();
            let named: Vec<&str> = named.iter().map(String::as_str).collect();
            told.push(format!(
                "left out, since only floating-point weights are measured: {}",
                quoted(&named)
            ));
        }
        let named: Vec<Named> = tensors.iter().map(|t| Named { name: &t.name, shape: &t.shape }).collect();
        let (parts, left) = group(&named);
        if parts.is_empty() {
            let names: Vec<&str> = tensors.iter().map(|t| t.name.as_str()).collect();
            let reason = format!("none of its tensors is the weight of a layer: {}", quoted(&names));
            return Err(CheckpointError::invalid(path, reason));
        }
        if parts.len() > MAX_LAYERS {
            let reason =
                format!("it has {} layers, and more than {MAX_LAYERS} are not diagnosed", parts.len());
            return Err(CheckpointError::invalid(path, reason));
        }
        if !left.is_empty() {
            let names: Vec<&str> = left.iter().map(|i| tensors[*i].name.as_str()).collect();
            told.push(format!(
                "left out, being no weights of layers (running statistics, say): {}",
                quoted(&names)
            ));
        }
        // Of several files of one run all say the same.
        for text in told {
            if !notes.iter().any(|n| n.ends_with(&text)) {
                notes.push(format!("{}: {text}", path.display()));
            }
        }
        Ok(Self { path: path.to_owned(), tensors, parts })
    }

    /// The same layers in the order of another, of which it must be a checkpoint.
    fn in_order_of(mut self, first: &Self) -> Result<Self, CheckpointError> {
        let invalid = |reason: String| {
            let reason =
                format!("it is no checkpoint of the same model as {}: {reason}", first.path.display());
            CheckpointError::invalid(&self.path, reason)
        };
        let places: HashMap<&str, usize> = names(&first.parts).zip(0..).collect();
        if let Some(more) = self.parts.iter().find(|p| !places.contains_key(p.layer.name.as_str())) {
            return Err(invalid(format!("only this one has a layer {}", more.layer.name)));
        }
        let own: HashSet<&str> = names(&self.parts).collect();
        if let Some(less) = first.parts.iter().find(|p| !own.contains(p.layer.name.as_str())) {
            return Err(invalid(format!("it lacks the layer {}", less.layer.name)));
        }
        let mut pairs =
            self.parts.iter().map(|p| (p, &first.parts[places[p.layer.name.as_str()]].layer.shape));
        if let Some((other, there)) = pairs.find(|(part, there)| part.layer.shape != **there) {
            return Err(invalid(format!(
                "the weight of {} has the shape {:?} here and {there:?} there",
                other.layer.name, other.layer.shape
            )));
        }
        self.parts.sort_by_key(|part| places[part.layer.name.as_str()]);
        Ok(self)
    }

    /// Everything that is measured of its layers; `earlier` is the checkpoint before it.
    fn captures(&self, earlier: Option<&Self>) -> Result<Vec<LayerCapture>, CheckpointError> {
        let mut captures = Vec::with_capacity(self.parts.len());
        for (i, part) in self.parts.iter().enumerate() {
            let weight = &self.tensors[part.weight];
            let compared = part.layer.kind.is_matrix() && part.layer.units >= 2;
            let bias = part.bias.map(|b| distribution(&self.tensors[b])).transpose()?;
            let before = earlier.map(|e| &e.tensors[e.parts[i].weight]);
            captures.push(LayerCapture {
                bias,
                update: before.map(|before| change(before, weight)).transpose()?,
                weight_row_deviation: if compared { row_deviation(weight)? } else { None },
                ..LayerCapture::new(distribution(weight)?)
            });
        }
        Ok(captures)
    }
}

fn names(parts: &[Part]) -> impl Iterator<Item = &str> {
    parts.iter().map(|p| p.layer.name.as_str())
}

/// The weights of these checkpoints, each an epoch, and what to tell whoever gave them. `command` is the
/// command line that the record keeps.
///
/// # Errors
/// [`CheckpointError`] where a file cannot be read, or is no checkpoint of the same model as the first.
pub fn record(paths: &[PathBuf], command: Vec<String>) -> Result<(Record, Vec<String>), CheckpointError> {
    let mut notes = Vec::new();
    let mut checkpoints: Vec<Checkpoint> = Vec::with_capacity(paths.len());
    for path in paths {
        let checkpoint = Checkpoint::open(path, &mut notes)?;
        checkpoints.push(match checkpoints.first() {
            None => checkpoint,
            Some(first) => checkpoint.in_order_of(first)?,
        });
    }
    let Some(last) = checkpoints.last() else {
        return Err(CheckpointError::invalid(Path::new(""), "no file was given"));
    };
    let layers: Vec<_> = checkpoints[0].parts.iter().map(|p| p.layer.clone()).collect();
    let count = layers.len();
    let epochs = checkpoints.len() as u64;
    let mut record = Record::new(Header {
        schema: SCHEMA.into(),
        gradscope: env!("CARGO_PKG_VERSION").into(),
        commit: crate::COMMIT.into(),
        libtorch: None,
        command,
        run: run(&last.path, epochs),
        data: unknown_data(),
        layers,
        ranks: None,
    });
    let labels = labels(paths);
    for (i, (checkpoint, label)) in checkpoints.iter().zip(labels).enumerate() {
        let mut epoch = Epoch {
            source: Some(label),
            layers: checkpoint.captures(i.checked_sub(1).map(|before| &checkpoints[before]))?,
            ..Epoch::new(i as u64, i as u64)
        };
        if i + 1 < checkpoints.len() && !in_full(i as u64, count) {
            epoch.compact();
        }
        let pushed = record.push(Line::Epoch(epoch));
        pushed.map_err(|reason| CheckpointError::invalid(&checkpoint.path, reason))?;
    }
    record.end = Some(End {
        outcome: Outcome::Finished,
        epochs_done: epochs,
        steps_done: 0,
        wall_s: 0.0,
        capture_s: 0.0,
        test: None,
        early_stop: None,
        boundary: None,
    });
    Ok((record, notes))
}

/// Names of files that tell them apart: without their directories, where that is enough.
fn labels(paths: &[PathBuf]) -> Vec<String> {
    let names = paths.iter().map(|p| p.file_name().unwrap_or(p.as_os_str()).to_string_lossy().into_owned());
    let names: Vec<String> = names.collect();
    let different: HashSet<&str> = names.iter().map(String::as_str).collect();
    if different.len() == paths.len() {
        return names;
    }
    paths.iter().map(|p| p.display().to_string()).collect()
}

fn run(path: &Path, epochs: u64) -> Run {
    let model = path.file_stem().unwrap_or_default().to_string_lossy();
    Run {
        norm: "unknown".into(),
        capture: Some(WEIGHTS_ALONE.into()),
        ..Run::new(&model, Loss::Unknown, epochs, 0)
    }
}

fn unknown_data() -> Data {
    Data {
        name: "unknown".into(),
        // One of the two has to stand there; of a regression less is taken for granted.
        task: Task::Regression,
        train: 0,
        dev: 0,
        test: 0,
        inputs: 0,
        shape: None,
        classes: Vec::new(),
        baseline_loss: f64::NAN,
        input_rms: f64::NAN,
        target_mean: None,
        target_std: None,
    }
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn distribution(tensor: &Tensor) -> Result<Distribution, CheckpointError> {
    let mut all = Distribution::default();
    let mut pieces = tensor.pieces()?;
    while let Some(values) = pieces.next()? {
        all.merge(&match values {
            Values::F32(values) => Distribution::with_threads(&values, threads()),
            Values::F64(values) => Distribution::with_threads(&values, threads()),
        });
    }
    Ok(all)
}

/// The change from one tensor to another of the same shape.
fn change(before: &Tensor, after: &Tensor) -> Result<Distribution, CheckpointError> {
    let mut all = Distribution::default();
    let (mut before, mut after) = (before.pieces()?, after.pieces()?);
    while let (Some(before), Some(after)) = (before.next()?, after.next()?) {
        let change: Vec<f64> = after.iter().zip(before.iter()).map(|(a, b)| a - b).collect();
        all.merge(&Distribution::with_threads(&change, threads()));
    }
    Ok(all)
}

/// The largest distance of a row from the mean row, over the norm of the mean row, in two passes; `None`
/// for rows so long that their mean would not be small.
fn row_deviation(tensor: &Tensor) -> Result<Option<f64>, CheckpointError> {
    let (rows, columns) = (tensor.shape[0], tensor.shape[1..].iter().product::<u64>());
    if columns > PIECE {
        return Ok(None);
    }
    let mut mean = vec![0.0; columns as usize];
    in_rows(tensor, columns as usize, |place, value| mean[place] += value)?;
    mean.iter_mut().for_each(|m| *m /= rows as f64);
    let (mut largest, mut distance) = (0.0f64, 0.0);
    in_rows(tensor, columns as usize, |place, value| {
        if place == 0 {
            largest = largest.max(distance);
            distance = 0.0;
        }
        distance += (value - mean[place]).powi(2);
    })?;
    let largest = largest.max(distance).sqrt();
    let norm = mean.iter().map(|m| m * m).sum::<f64>().sqrt();
    // `f64::max` drops a NaN, which must stay visible.
    Ok(Some(if !norm.is_finite() {
        f64::NAN
    } else if largest == 0.0 {
        0.0
    } else {
        largest / norm
    }))
}

/// Every value with its place in its row.
fn in_rows(tensor: &Tensor, columns: usize, mut each: impl FnMut(usize, f64)) -> Result<(), CheckpointError> {
    let mut pieces = tensor.pieces()?;
    let mut place = 0;
    while let Some(values) = pieces.next()? {
        for value in values.iter() {
            each(place, value);
            place = if place + 1 == columns { 0 } else { place + 1 };
        }
    }
    Ok(())
}
