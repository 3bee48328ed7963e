//! Autograd against numerical differentiation, in float64.
//!
//! Gradients of the loss over a few rows, in evaluation mode (dropout is silent), are compared with
//! central differences of fourth order, coordinate by coordinate. Where a nonlinearity or a pooling
//! switches between the points of a difference there is no derivative to compare with: such a
//! coordinate is counted, and left out.

use std::time::Instant;

use serde::Serialize;
use tch::{Device, Kind, Tensor};

use crate::record::{Activation, Loss, Task};
use crate::train::TrainError;
use crate::train::data::Dataset;
use crate::train::model::{Model, Plan, Sizes};
use crate::train::network::Objective;
use crate::train::network::{ForwardHook, Mode, Network};

/// Distances of the points of a difference, times the parameter's size where that is above one. With
/// the first, fourth order has a truncation error near 1e-12 for the networks at hand, and a rounding
/// error like it; the second is for where something switches within the first.
const STEPS: [f64; 2] = [1e-3, 1e-5];
/// Rounding error of a difference, in units of float64's resolution of the loss over the step.
const ROUNDING: f64 = 4.0;
/// Passes whose median time counts: the first pays for what libtorch sets up once, and any may be
/// disturbed.
const PASSES: usize = 5;
/// Relative error up to which the two ways are said to agree.
pub const AGREED: f64 = 1e-6;

/// How to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GradcheckOptions {
    /// Rows of data.
    pub rows: u64,
    /// Parameters of a layer beyond which so many are chosen at random.
    pub coordinates: u64,
    /// Seed of the parameters, of generated data and of that choice.
    pub seed: i64,
}

/// Outcome of the comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gradcheck {
    /// Rows that the loss was taken over.
    pub rows: u64,
    /// In forward order.
    pub layers: Vec<CheckedLayer>,
    /// The largest relative error of all; `None` where nothing could be compared.
    pub max_relative_error: Option<f64>,
    /// Whether some layer was checked in part.
    pub sampled: bool,
    /// Seconds of one forward and backward pass: the median of a few.
    pub autograd_s: f64,
    /// Seconds of the differences for every parameter, from those that were taken.
    pub numerical_s: f64,
    /// The second over the first.
    pub times_slower: f64,
}

/// One layer of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckedLayer {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub parameters: u64,
    /// Those that were looked at.
    pub checked: u64,
    /// Of these, those where something switched between the points of the difference.
    pub kinks: u64,
    /// Of these, those whose gradient is too small for differences to resolve it to a millionth: their
    /// error is taken relative to the smallest gradient that is large enough.
    pub unresolved: u64,
    /// The largest gradient that was compared.
    pub max_gradient: f64,
    /// The largest relative error; `None` where nothing could be compared.
    pub max_relative_error: Option<f64>,
}

/// Rows to check on, and what is minimised.
struct Rows {
    x: Tensor,
    y: Tensor,
    objective: Objective,
}

/// Checks a model on the first training rows of this data, or on generated ones of the stated sizes.
///
/// # Errors
/// [`TrainError`] where the model does not fit the data.
pub fn gradcheck(
    model: &Model,
    sizes: Sizes,
    data: Option<&Dataset>,
    options: GradcheckOptions,
) -> Result<Gradcheck, TrainError> {
    let loss = data.map_or_else(|| usual_loss(model, sizes), |d| d.loss);
    let model = model.for_loss(loss);
    let plan = Plan::new(&model, sizes)?;
    tch::manual_seed(options.seed);
    let network = Network::new(&plan, Device::Cpu).into_double();
    let task = if loss == Loss::Mse { Task::Regression } else { Task::Classification };
    let objective = Objective::new(loss, data.map_or(task, |d| d.info.task), model.output());
    let (x, y) = match data {
        Some(data) => {
            plan.check_token_ids(data)?;
            let rows = (options.rows as i64).min(data.train.len());
            (data.train.x.narrow(0, 0, rows), data.train.y.narrow(0, 0, rows))
        }
        None => generated(sizes, plan.vocab_size, loss, options.rows as i64),
    };
    let y = if loss == Loss::CrossEntropy { y } else { y.to_kind(Kind::Double) };
    let rows = Rows { x: x.to_kind(Kind::Double), y, objective };
    check(&network, &rows, options)
}

/// The loss that the description is for: its own, that of a sigmoid, or that of its outputs.
fn usual_loss(model: &Model, sizes: Sizes) -> Loss {
    match model.defaults.loss {
        Some(loss) => loss,
        None if model.output() == Activation::Sigmoid => Loss::Bce,
        None if sizes.outputs > 1 => Loss::CrossEntropy,
        None => Loss::Mse,
    }
}

fn generated(sizes: Sizes, words: Option<u64>, loss: Loss, rows: i64) -> (Tensor, Tensor) {
    let floats = (Kind::Double, Device::Cpu);
    let shape = [rows, sizes.columns as i64];
    let x = match words {
        Some(words) => Tensor::randint(words as i64, shape, floats),
        None => Tensor::randn(shape, floats),
    };
    let y = match loss {
        Loss::CrossEntropy => Tensor::randint(sizes.outputs as i64, [rows], (Kind::Int64, Device::Cpu)),
        Loss::Bce => Tensor::randint(2, [rows, 1], floats),
        Loss::Mse | Loss::Unknown => Tensor::randn([rows, sizes.outputs as i64], floats),
    };
    (x, y)
}

/// Seconds and loss of one forward and backward pass, which leaves its gradients behind.
fn pass(network: &Network, rows: &Rows) -> Result<(f64, f64), TrainError> {
    for (_, mut variable) in network.variables() {
        variable.zero_grad();
    }
    let start = Instant::now();
    let loss = rows.objective.loss(&network.forward(&rows.x, Mode::Evaluate, None)?, &rows.y);
    loss.backward();
    Ok((start.elapsed().as_secs_f64(), loss.double_value(&[])))
}

fn check(network: &Network, rows: &Rows, options: GradcheckOptions) -> Result<Gradcheck, TrainError> {
    let mut passes = (0..PASSES).map(|_| pass(network, rows)).collect::<Result<Vec<_>, _>>()?;
    passes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (autograd_s, loss) = passes[PASSES / 2];
    let difference =
        Difference { network, rows, rounding: ROUNDING * f64::EPSILON * loss.abs().max(f64::EPSILON) };
    let start = Instant::now();
    let layers = tch::no_grad(|| {
        let all = network.layers().iter().zip(network.parameters());
        all.filter(|(layer, _)| layer.trainable)
            .map(|(layer, parameters)| {
                let mut tensors = vec![&parameters.weight];
                tensors.extend(&parameters.bias);
                difference.layer(&layer.name, &tensors, options.coordinates)
            })
            .collect::<Result<Vec<_>, _>>()
    })?;
    let taken = start.elapsed().as_secs_f64();
    let (parameters, checked) = layers.iter().fold((0, 0), |(p, c), l| (p + l.parameters, c + l.checked));
    let numerical_s = taken * parameters as f64 / checked.max(1) as f64;
    Ok(Gradcheck {
        rows: rows.x.size()[0] as u64,
        max_relative_error: layers.iter().filter_map(|l| l.max_relative_error).reduce(f64::max),
        sampled: checked < parameters,
        layers,
        autograd_s,
        numerical_s,
        times_slower: numerical_s / autograd_s,
    })
}

struct Difference<'a> {
    network: &'a Network,
    rows: &'a Rows,
    /// Rounding error of the loss.
    rounding: f64,
}

impl Difference<'_> {
    fn layer(&self, name: &str, tensors: &[&Tensor], most: u64) -> Result<CheckedLayer, TrainError> {
        let parameters = tensors.iter().map(|t| t.numel() as i64).sum::<i64>();
        let chosen: Vec<i64> = if parameters as u64 <= most {
            (0..parameters).collect()
        } else {
            let order = Tensor::randperm(parameters, (Kind::Int64, Device::Cpu)).narrow(0, 0, most as i64);
            order.iter::<i64>().map_or_else(|_| Vec::new(), Iterator::collect)
        };
        let mut layer = CheckedLayer {
            name: name.into(),
            parameters: parameters as u64,
            checked: chosen.len() as u64,
            kinks: 0,
            unresolved: 0,
            max_gradient: 0.0,
            max_relative_error: None,
        };
        for index in chosen {
            let weights = tensors[0].numel() as i64;
            let (tensor, at) =
                if index < weights { (tensors[0], index) } else { (tensors[1], index - weights) };
            let analytic = tensor.grad().view(-1).double_value(&[at]);
            let value = tensor.view(-1).narrow(0, at, 1);
            let mut found = None;
            for step in STEPS {
                found = self.numerical(&value, step)?.map(|numerical| (numerical, step));
                if found.is_some() {
                    break;
                }
            }
            let Some((numerical, step)) = found else {
                layer.kinks += 1;
                continue;
            };
            // The smallest gradient that the difference resolves to what counts as agreement.
            let resolution = self.rounding / step / AGREED;
            let size = analytic.abs().max(numerical.abs());
            layer.unresolved += u64::from(size < resolution);
            layer.max_gradient = layer.max_gradient.max(size);
            let error = (analytic - numerical).abs() / size.max(resolution);
            // A NaN is the worst of errors, and `max` would drop it.
            let worst = layer.max_relative_error.unwrap_or(0.0);
            layer.max_relative_error = Some(if error.is_nan() { f64::INFINITY } else { worst.max(error) });
        }
        Ok(layer)
    }

    /// The derivative of the loss for one value; `None` where something switches nearby.
    fn numerical(&self, value: &Tensor, step: f64) -> Result<Option<f64>, TrainError> {
        let was = value.double_value(&[0]);
        let step = step * was.abs().max(1.0);
        let mut value = value.shallow_clone();
        let mut at = |steps: f64| {
            let _ = value.fill_(was + steps * step);
            let mut switches = Switches::default();
            let output = self.network.forward(&self.rows.x, Mode::Evaluate, Some(&mut switches))?;
            Ok::<_, TrainError>((self.rows.objective.loss(&output, &self.rows.y).double_value(&[]), switches))
        };
        let ((far_up, switches), (up, _)) = (at(2.0)?, at(1.0)?);
        let ((down, _), (far_down, others)) = (at(-1.0)?, at(-2.0)?);
        let _ = value.fill_(was);
        let smooth = switches == others;
        Ok(smooth.then(|| (8.0 * (up - down) - (far_up - far_down)) / (12.0 * step)))
    }
}

/// On which side of its kink every unit was, and which value every pooling chose.
#[derive(Default)]
struct Switches(Vec<Tensor>);

impl ForwardHook for Switches {
    fn nonlinearity(&mut self, kind: Activation, pre: &Tensor) {
        if matches!(kind, Activation::Relu | Activation::Lrelu | Activation::Selu | Activation::Elu) {
            self.0.push(pre.gt(0.0));
        }
    }

    fn pooled(&mut self, indices: &Tensor) {
        self.0.push(indices.shallow_clone());
    }
}

impl PartialEq for Switches {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.equal(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "inputs = [2, 6, 6]";
    const SEQUENCE: &str = "inputs = [6, 3]";
    const NUMBERS: &str = "inputs = 6";

    /// Models between them hold every kind of layer; the output layer is left out.
    const MODELS: [(&str, &str); 13] = [
        (
            IMAGE,
            "{ type = 'residual', act = 'relu', layers = [CONV, { type = 'group-norm', groups = 2 }, \
             { type = 'conv2d', channels = 2, kernel = 1 }] }, FLATTEN",
        ),
        (
            IMAGE,
            "{ type = 'residual', shortcut = 'projection', layers = [CONV, { type = 'avg-pool2d', kernel = 2 }] }, FLATTEN",
        ),
        (
            IMAGE,
            "CONV, { type = 'batch-norm' }, { type = 'max-pool2d', kernel = 2 }, \
             { type = 'adaptive-avg-pool2d', size = 2 }, FLATTEN",
        ),
        (IMAGE, "CONV, { type = 'layer-norm' }, { type = 'adaptive-max-pool2d', size = 2 }, FLATTEN"),
        (SEQUENCE, "CONV1D, { type = 'avg-pool1d', kernel = 2 }, FLATTEN"),
        (SEQUENCE, "CONV1D, { type = 'max-pool1d', kernel = 2 }, { type = 'layer-norm' }, FLATTEN"),
        (SEQUENCE, "CONV1D, { type = 'adaptive-avg-pool1d', size = 2 }, FLATTEN"),
        (SEQUENCE, "CONV1D, { type = 'adaptive-max-pool1d', size = 2 }, FLATTEN"),
        (SEQUENCE, "{ type = 'rnn', units = 4, act = 'relu' }"),
        (SEQUENCE, "{ type = 'rnn', units = 4, steps = 'all' }, { type = 'gru', units = 4 }"),
        (
            SEQUENCE,
            "{ type = 'residual', shortcut = 'projection', layers = [{ type = 'gru', units = 4, steps = 'all' }] }, \
             { type = 'lstm', units = 4 }",
        ),
        (NUMBERS, "{ type = 'embedding', words = 5, units = 3 }, { type = 'lstm', units = 4 }"),
        (
            NUMBERS,
            "{ type = 'linear', units = 5 }, { type = 'dropout', p = 0.5 }, { type = 'activation', act = 'elu' }",
        ),
    ];

    #[test]
    fn every_kind_of_layer_agrees_below_a_millionth() {
        tch::set_num_threads(1);
        for (inputs, layers) in MODELS {
            let layers = layers
                .replace(
                    "CONV1D",
                    "{ type = 'conv1d', channels = 4, kernel = 3, padding = 1, act = 'lrelu' }",
                )
                .replace("CONV", "{ type = 'conv2d', channels = 4, kernel = 3, padding = 1, act = 'silu' }")
                .replace("FLATTEN", "{ type = 'flatten' }");
            let text = format!("{inputs}\noutputs = 3\nlayers = [{layers}, {{ type = 'linear' }}]\n");
            let model = Model::parse("test", &text).unwrap();
            let options = GradcheckOptions { rows: 3, coordinates: 12, seed: 1 };
            let found = gradcheck(&model, model.stated_sizes().unwrap(), None, options).unwrap();
            assert!(found.max_relative_error.is_some_and(|e| e < AGREED), "{text}: {found:#?}");
            assert!(found.layers.iter().all(|l| l.checked > l.kinks), "{text}");
        }
    }
}
