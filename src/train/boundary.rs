//! The plane of two inputs, as a network sees it.

use tch::{Device, Kind, Tensor};

use super::data::{Dataset, Rows};
use super::memory;
use super::network::{Mode, Network};
use super::objective::Objective;
use crate::record::{Answers, Axis, Boundary, SplitPoints, Task};

/// Points of an axis of the grid.
const GRID: i64 = 120;
/// Beyond the data at either end, as a share of its span.
const MARGIN: f64 = 0.06;
/// Rows of a split that are kept.
const MOST_POINTS: i64 = 1_000;
/// Rows of one pass over the grid.
const PASS: i64 = 2_048;
/// Classes that a byte can tell apart.
const MOST_CLASSES: usize = 256;

/// Whether a network on this data has such a plane.
pub fn is_of(data: &Dataset) -> bool {
    data.info.inputs == 2 && data.image.is_none() && data.info.classes.len() <= MOST_CLASSES
}

/// What the network with its present parameters, those after this epoch, answers anywhere on the plane.
pub fn of(
    epoch: u64,
    seed: i64,
    network: &Network,
    objective: &Objective,
    data: &Dataset,
) -> Option<Box<Boundary>> {
    if !is_of(data) {
        return None;
    }
    let splits = [("train", Some(&data.train)), ("dev", data.dev.as_ref()), ("test", data.test.as_ref())];
    let splits: Vec<(&str, &Rows)> =
        splits.into_iter().filter_map(|(name, rows)| Some((name, rows?))).collect();
    tch::no_grad(|| {
        let spans = [0, 1].map(|column| span(column, &splits));
        if !spans.iter().all(|(low, high)| (high - low).is_finite()) {
            return None;
        }
        let answers = answers_on(&grid(spans), network, objective);
        let points = splits.iter().map(|(name, rows)| points(name, rows, seed, network, objective, data));
        let axis = |column: usize| {
            let (low, high) = spans[column];
            let place = |v: f64| data.in_units(column, v);
            Axis { name: data.column(column), low: place(low), high: place(high), points: GRID as u64 }
        };
        Some(Box::new(Boundary { epoch, axes: [axis(0), axis(1)], answers, splits: points.collect() }))
    })
}

/// From the least value of a column to the largest, and a little further.
fn span(column: i64, splits: &[(&str, &Rows)]) -> (f64, f64) {
    let ends = |rows: &Rows| {
        let values = rows.x.select(1, column);
        (values.min().double_value(&[]), values.max().double_value(&[]))
    };
    let all = splits.iter().map(|(_, rows)| ends(rows));
    let (low, high) =
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (l, h)| (low.min(l), high.max(h)));
    // A column that is constant has room around it, too, as float32 tells numbers apart.
    let room = (MARGIN * (high - low)).max(1e-3 * low.abs().max(high.abs())).max(1e-6);
    (low - room, high + room)
}

/// Every point of the grid, the first input running fastest.
fn grid([x, y]: [(f64, f64); 2]) -> Tensor {
    let line = |(low, high): (f64, f64)| Tensor::linspace(low, high, GRID, (Kind::Float, Device::Cpu));
    let x = line(x).unsqueeze(0).expand([GRID, GRID], false);
    let y = line(y).unsqueeze(1).expand([GRID, GRID], false);
    Tensor::stack(&[x.reshape([-1]), y.reshape([-1])], 1)
}

fn answers_on(grid: &Tensor, network: &Network, objective: &Objective) -> Answers {
    let device = network.device();
    let passes = grid.split(PASS, 0).into_iter();
    let parts: Vec<_> = passes
        .map(|x| objective.answers(&network.forward(&x.to_device(device), Mode::Evaluate, None)))
        .collect();
    let joined = |tensors: Vec<&Tensor>| memory::values(&Tensor::cat(&tensors, 0)).into_owned();
    let value = joined(parts.iter().map(|(answer, _)| answer).collect());
    match parts.iter().map(|(_, margin)| margin.as_ref()).collect::<Option<Vec<_>>>() {
        Some(margins) => Answers::Classes {
            class: value.iter().map(|v| *v as u8).collect(),
            margin: joined(margins).iter().map(|m| (255.0 * m.sqrt()).round() as u8).collect(),
        },
        None => Answers::Values { value },
    }
}

fn points(
    name: &str,
    rows: &Rows,
    seed: i64,
    network: &Network,
    objective: &Objective,
    data: &Dataset,
) -> SplitPoints {
    let (_, score) = objective.evaluate(network, rows);
    tch::manual_seed(seed);
    let chosen =
        Tensor::randperm(rows.len(), (Kind::Int64, Device::Cpu)).narrow(0, 0, rows.len().min(MOST_POINTS));
    let chosen = chosen.to_device(rows.x.device());
    let (x, target) = (rows.x.index_select(0, &chosen), rows.y.index_select(0, &chosen));
    let (answer, _) = objective.answers(&network.forward(&x, Mode::Evaluate, None));
    let place = |column: i64| {
        let values = memory::values(&x.select(1, column)).into_owned();
        values.iter().map(|v| data.in_units(column as usize, f64::from(*v)) as f32).collect()
    };
    let wrong = ((1.0 - score) * rows.len() as f64).round() as u64;
    SplitPoints {
        name: name.into(),
        rows: rows.len() as u64,
        score,
        wrong: (data.info.task == Task::Classification).then_some(wrong),
        x: place(0),
        y: place(1),
        target: memory::values(&target.view([-1])).into_owned(),
        answer: memory::values(&answer).into_owned(),
    }
}
