//! The plane of two inputs, as a network sees it.

use tch::{Device, Kind, Tensor};

use crate::record::{Answers, Axis, Boundary, SplitPoints, Task};
use crate::train::TrainError;
use crate::train::data::{Dataset, Rows};
use crate::train::measure::memory;
use crate::train::network::Objective;
use crate::train::network::{Mode, Network};

/// Points of an axis of the grid.
const GRID: i64 = 120;
/// Beyond the data at either end, as a share of its span.
const MARGIN: f64 = 0.06;
/// Rows of a split that are kept.
const MAX_POINTS: i64 = 1_000;
/// Rows of one pass over the grid.
const PASS: i64 = 2_048;
/// Classes that a byte can tell apart.
const MAX_CLASSES: usize = 256;

/// Whether a network on this data has such a plane.
pub fn applies_to(data: &Dataset) -> bool {
    data.info.inputs == 2 && data.image.is_none() && data.info.classes.len() <= MAX_CLASSES
}

/// Measures what the network with its present parameters, those after this epoch, answers anywhere on the plane.
///
/// # Errors
/// As [`Network::forward`].
pub fn measure(
    epoch: u64,
    seed: i64,
    network: &Network,
    objective: &Objective,
    data: &Dataset,
) -> Result<Option<Box<Boundary>>, TrainError> {
    if !applies_to(data) || network.takes_token_ids() {
        return Ok(None);
    }
    let splits = [("train", Some(&data.train)), ("dev", data.dev.as_ref()), ("test", data.test.as_ref())];
    let splits: Vec<(&str, &Rows)> =
        splits.into_iter().filter_map(|(name, rows)| Some((name, rows?))).collect();
    tch::no_grad(|| {
        let spans = [0, 1].map(|column| span(column, &splits));
        if !spans.iter().all(|(low, high)| (high - low).is_finite()) {
            return Ok(None);
        }
        let answers = answers_on(&grid(spans), network, objective)?;
        let points = splits.iter().map(|split| points(*split, seed, network, objective, data));
        let splits = points.collect::<Result<_, _>>()?;
        let axis = |column: usize| {
            let (low, high) = spans[column];
            let place = |v: f64| data.in_units(column, v);
            Axis { name: data.column(column), low: place(low), high: place(high), points: GRID as u64 }
        };
        Ok(Some(Box::new(Boundary { epoch, axes: [axis(0), axis(1)], answers, splits })))
    })
}

/// From the least value of a column to the largest, and a little further.
fn span(column: i64, splits: &[(&str, &Rows)]) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (_, rows) in splits {
        let values = rows.x.select(1, column);
        low = low.min(values.min().double_value(&[]));
        high = high.max(values.max().double_value(&[]));
    }
    with_room(low, high)
}

/// A column that is constant has room around it, too. Never less than float32 tells numbers apart.
fn with_room(low: f64, high: f64) -> (f64, f64) {
    let largest = low.abs().max(high.abs());
    let room = if low == high {
        (1e-3 * largest).max(1e-6)
    } else {
        (MARGIN * (high - low)).max(f64::from(f32::EPSILON) * largest)
    };
    (low - room, high + room)
}

/// Every point of the grid, the first input running fastest.
fn grid([x, y]: [(f64, f64); 2]) -> Tensor {
    let line = |(low, high): (f64, f64)| Tensor::linspace(low, high, GRID, (Kind::Float, Device::Cpu));
    let x = line(x).unsqueeze(0).expand([GRID, GRID], false);
    let y = line(y).unsqueeze(1).expand([GRID, GRID], false);
    Tensor::stack(&[x.reshape([-1]), y.reshape([-1])], 1)
}

fn answers_on(grid: &Tensor, network: &Network, objective: &Objective) -> Result<Answers, TrainError> {
    let device = network.device();
    let passes = grid.split(PASS.min(network.rows_at_once()), 0).into_iter();
    let parts: Vec<_> = passes
        .map(|x| Ok(objective.answers(&network.forward(&x.to_device(device), Mode::Evaluate, None)?)))
        .collect::<Result<_, TrainError>>()?;
    let joined = |tensors: Vec<&Tensor>| memory::values(&Tensor::cat(&tensors, 0)).into_owned();
    let value = joined(parts.iter().map(|(answer, _)| answer).collect());
    Ok(match parts.iter().map(|(_, margin)| margin.as_ref()).collect::<Option<Vec<_>>>() {
        Some(margins) => Answers::Classes {
            class: value.iter().map(|v| *v as u8).collect(),
            margin: joined(margins).iter().map(|m| (255.0 * m.sqrt()).round() as u8).collect(),
        },
        None => Answers::Values { value },
    })
}

fn points(
    (name, rows): (&str, &Rows),
    seed: i64,
    network: &Network,
    objective: &Objective,
    data: &Dataset,
) -> Result<SplitPoints, TrainError> {
    let (_, score) = objective.evaluate(network, rows)?;
    tch::manual_seed(seed);
    let chosen =
        Tensor::randperm(rows.len(), (Kind::Int64, Device::Cpu)).narrow(0, 0, rows.len().min(MAX_POINTS));
    let chosen = chosen.to_device(rows.x.device());
    let (x, target) = (rows.x.index_select(0, &chosen), rows.y.index_select(0, &chosen));
    let passes = x.split(network.rows_at_once(), 0).into_iter();
    let answers = passes.map(|x| Ok(objective.answers(&network.forward(&x, Mode::Evaluate, None)?).0));
    let answer = Tensor::cat(&answers.collect::<Result<Vec<_>, TrainError>>()?, 0);
    let place = |column: i64| {
        let values = memory::values(&x.select(1, column)).into_owned();
        values.iter().map(|v| data.in_units(column as usize, f64::from(*v)) as f32).collect()
    };
    let wrong = ((1.0 - score) * rows.len() as f64).round() as u64;
    Ok(SplitPoints {
        name: name.into(),
        rows: rows.len() as u64,
        score,
        wrong: (data.info.task == Task::Classification).then_some(wrong),
        x: place(0),
        y: place(1),
        target: memory::values(&target.view([-1])).into_owned(),
        answer: memory::values(&answer).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Activation, Loss};
    use crate::train::model::Plan;
    use crate::train::{DataOptions, DataSource, Model, Sizes};

    /// Returns the answers of a network that gives `weight · x − limit`, with where the grid has its points.
    fn plane(weight: [f32; 2], limit: f32) -> (Boundary, [Vec<f64>; 2]) {
        let source: DataSource = "moons".parse().unwrap();
        let options = DataOptions { samples: Some(200), ..Default::default() };
        let data = source.dataset(&options, Some(Loss::Bce), 0, Device::Cpu).unwrap();
        let model = Model::parse("test", "[[layers]]\ntype = \"linear\"\n").unwrap();
        let sizes = Sizes { columns: 2, image: None, sequence: None, outputs: 1 };
        let network = Network::new(&Plan::new(&model, sizes).unwrap(), Device::Cpu);
        let parameters = &network.parameters()[0];
        tch::no_grad(|| {
            parameters.weight.view(2).copy_(&Tensor::from_slice(&weight));
            parameters.bias.as_ref().unwrap().view(1).copy_(&Tensor::from_slice(&[-limit]));
        });
        let objective = Objective::new(Loss::Bce, Task::Classification, Activation::Identity);
        let boundary = *measure(0, 0, &network, &objective, &data).unwrap().unwrap();
        let places = boundary.axes.each_ref().map(|axis: &Axis| {
            let step = (axis.high - axis.low) / (GRID - 1) as f64;
            (0..GRID).map(|i| axis.low + i as f64 * step).collect()
        });
        (boundary, places)
    }

    #[test]
    fn every_answer_stands_where_it_is_given() {
        for (weight, limit) in [([1.0, 0.0], 0.7), ([0.0, 1.0], -0.2), ([1.0, 2.0], 0.4), ([-1.0, 0.5], 0.1)]
        {
            let (boundary, [x, y]) = plane(weight, limit);
            let Answers::Classes { class, margin } = &boundary.answers else { panic!("numbers") };
            let output =
                |x: f64, y: f64| f64::from(weight[0]) * x + f64::from(weight[1]) * y - f64::from(limit);
            let mut seen = [0, 0];
            for (row, y) in y.iter().enumerate() {
                for (column, x) in x.iter().enumerate() {
                    let at = row * GRID as usize + column;
                    let expected = output(*x, *y);
                    if expected.abs() < 1e-4 {
                        continue;
                    }
                    seen[usize::from(expected > 0.0)] += 1;
                    assert_eq!(class[at], u8::from(expected > 0.0), "{weight:?} at {x}, {y}");
                    let sure = (2.0 / (1.0 + (-expected.abs()).exp()) - 1.0).sqrt() * 255.0;
                    assert!((f64::from(margin[at]) - sure).abs() < 1.0, "{weight:?} at {x}, {y}");
                }
            }
            assert!(seen.iter().all(|n| *n > 1_000), "{weight:?}: {seen:?}");
            let train = &boundary.splits[0];
            for ((x, y), answer) in train.x.iter().zip(&train.y).zip(&train.answer) {
                let expected = output(f64::from(*x), f64::from(*y));
                assert_eq!(*answer, f32::from(u8::from(expected > 0.0)), "{weight:?} at {x}, {y}");
            }
        }
    }

    #[test]
    fn a_plane_is_as_wide_as_its_data() {
        // Seconds of a day, as they are counted since 1970.
        assert_eq!(with_room(1.6000e9, 1.6001e9), (1.599994e9, 1.600106e9));
        assert_eq!(with_room(-1.0, 1.0), (-1.12, 1.12));
        let (low, high) = with_room(1e-9, 2e-9);
        assert!(0.0 < low && high < 2.1e-9);
        assert_eq!(with_room(1000.0, 1000.0), (999.0, 1001.0));
        assert_eq!(with_room(0.0, 0.0), (-1e-6, 1e-6));
        // Neighbours in float32 stay apart with room around them.
        let (low, high) = with_room(16_777_216.0, 16_777_218.0);
        assert!((low as f32) < 16_777_216.0 && high as f32 > 16_777_218.0);
    }
}
