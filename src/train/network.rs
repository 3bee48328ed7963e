//! A network with its tensors, built from a plan.

use tch::nn::{Path, VarStore};
use tch::{Device, Kind, Tensor};

use super::init;
use super::model::{Op, Plan, PlannedLayer, Window};
use crate::record::{Activation, Layer, LayerKind};

/// PyTorch's default for the running statistics of batch normalisation.
const BATCH_NORM_MOMENTUM: f64 = 0.1;
/// PyTorch's default for both normalisations.
const NORM_EPS: f64 = 1e-5;

/// Tensors by their names, such as `fc1.weight`.
pub type Snapshot = Vec<(String, Tensor)>;

/// Weight and bias (of a normalisation: gain and shift).
pub struct Parameters {
    /// Output dimension first: `[units, fan-in]`, `[channels, depth, height, width]`, or `[units]` for
    /// a gain.
    pub weight: Tensor,
    /// `[units]`.
    pub bias: Option<Tensor>,
    /// Mean and variance that batch normalisation uses in evaluation mode.
    running: Option<(Tensor, Tensor)>,
}

impl Parameters {
    /// Those of a layer that was made elsewhere.
    pub fn of(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias, running: None }
    }
}

/// How dropout and batch normalisation behave in a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dropout is on; batch normalisation uses the batch's statistics and learns from them.
    Train,
    /// Dropout is off; batch normalisation uses what it has learned.
    Evaluate,
    /// Dropout is off; batch normalisation uses the batch's statistics and learns nothing: what units do
    /// in training, without its noise and without a trace.
    Observe,
}

/// What a forward pass shows to whoever watches it.
pub trait Tap {
    /// The output of a layer with a weight, before normalisation and nonlinearity; what is returned
    /// takes its place.
    fn weighted_output(&mut self, layer: usize, output: Tensor) -> Tensor {
        let _ = layer;
        output
    }

    /// What went into the nonlinearity of a layer and what came out.
    fn activation(&mut self, layer: usize, kind: Activation, pre: &Tensor, post: &Tensor);

    /// Where the largest values of a pooling were.
    fn pooled(&mut self, indices: &Tensor) {
        let _ = indices;
    }
}

/// A network with its parameters.
pub struct Network {
    store: VarStore,
    ops: Vec<Op>,
    layers: Vec<Layer>,
    parameters: Vec<Parameters>,
    lrelu_slope: Tensor,
    work: u64,
}

impl Network {
    /// Builds a network and draws its parameters from libtorch's generator as PyTorch does: layer by
    /// layer, its default weight and bias first, then the schemes over them in place.
    pub fn new(plan: &Plan, device: Device) -> Self {
        let store = VarStore::new(device);
        let parameters = plan.layers.iter().map(|layer| parameters(&store.root(), layer)).collect();
        Self {
            store,
            ops: plan.ops.iter().map(|(op, _)| *op).collect(),
            layers: plan.layers.iter().map(|l| l.layer.clone()).collect(),
            parameters,
            lrelu_slope: Tensor::from_slice(&[plan.lrelu_slope as f32]).to_device(device),
            work: plan.work(),
        }
    }

    /// Output for a batch `[n, inputs]`.
    pub fn forward(&self, x: &Tensor, mode: Mode, mut tap: Option<&mut dyn Tap>) -> Tensor {
        let mut value = x.shallow_clone();
        for op in &self.ops {
            value = match op {
                Op::Unflatten([channels, height, width]) => {
                    value.reshape([-1, *channels as i64, *height as i64, *width as i64])
                }
                Op::Linear(layer) => {
                    let Parameters { weight, bias, .. } = &self.parameters[*layer];
                    let output = value.linear(weight, bias.as_ref());
                    watched(&mut tap, *layer, output)
                }
                Op::Conv2d(layer, window) => {
                    let Parameters { weight, bias, .. } = &self.parameters[*layer];
                    let (stride, padding) = (window.stride as i64, window.padding as i64);
                    let output =
                        value.conv2d(weight, bias.as_ref(), [stride, stride], [padding, padding], [1, 1], 1);
                    watched(&mut tap, *layer, output)
                }
                Op::BatchNorm(layer) => {
                    let Parameters { weight, bias, running } = &self.parameters[*layer];
                    let (mean, variance) = running.as_ref().map(|(m, v)| (m, v)).unzip();
                    value.batch_norm(
                        Some(weight),
                        bias.as_ref(),
                        mean,
                        variance,
                        mode != Mode::Evaluate,
                        if mode == Mode::Train { BATCH_NORM_MOMENTUM } else { 0.0 },
                        NORM_EPS,
                        false,
                    )
                }
                Op::LayerNorm(layer) => {
                    let Parameters { weight, bias, .. } = &self.parameters[*layer];
                    if value.dim() == 2 {
                        let features = [self.layers[*layer].units as i64];
                        value.layer_norm(features, Some(weight), bias.as_ref(), NORM_EPS, false)
                    } else {
                        // One group of all channels: normalised together, with a gain a channel.
                        value.group_norm(1, Some(weight), bias.as_ref(), NORM_EPS, false)
                    }
                }
                Op::Activation(layer, kind) => {
                    let output = self.activate(&value, *kind);
                    if let Some(tap) = &mut tap {
                        tap.activation(*layer, *kind, &value, &output);
                    }
                    output
                }
                Op::Dropout(probability) => value.dropout(*probability, mode == Mode::Train),
                Op::MaxPool2d(window) => max_pool(&value, *window, &mut tap),
                Op::Flatten => value.flatten(1, -1),
            };
        }
        value
    }

    fn activate(&self, x: &Tensor, kind: Activation) -> Tensor {
        match kind {
            Activation::Identity => x.shallow_clone(),
            Activation::Relu => x.relu(),
            // PReLU with a constant weight: a leaky ReLU whose slope can be chosen.
            Activation::Lrelu => x.prelu(&self.lrelu_slope),
            Activation::Elu => x.elu(),
            Activation::Gelu => x.gelu("none"),
            Activation::Selu => x.selu(),
            Activation::Silu => x.silu(),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Tanh => x.tanh(),
        }
    }

    /// The layers, in forward order, as a record describes them.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Their parameters, in the same order.
    pub fn parameters(&self) -> &[Parameters] {
        &self.parameters
    }

    /// Number of parameters.
    pub fn parameter_count(&self) -> u64 {
        self.layers.iter().map(|l| l.parameters).sum()
    }

    /// Multiply-adds of one row, about.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// The same network in float64.
    pub fn into_double(mut self) -> Self {
        self.store.double();
        self.lrelu_slope = self.lrelu_slope.to_kind(Kind::Double);
        self
    }

    /// Everything that training changes, running statistics included.
    pub fn store(&self) -> &VarStore {
        &self.store
    }

    /// Where its parameters are.
    pub fn device(&self) -> Device {
        self.store.device()
    }

    /// A copy of everything that training changes, by name.
    pub fn snapshot(&self) -> Snapshot {
        let copied = |(name, tensor): (String, Tensor)| (name, tensor.detach().copy());
        let mut copies: Snapshot = tch::no_grad(|| self.store.variables().into_iter().map(copied).collect());
        copies.sort_by(|a, b| a.0.cmp(&b.0));
        copies
    }

    /// Goes back to a snapshot of this network.
    pub fn restore(&self, snapshot: &[(String, Tensor)]) {
        let mut variables = self.store.variables();
        tch::no_grad(|| {
            for (name, value) in snapshot {
                if let Some(variable) = variables.get_mut(name) {
                    variable.copy_(value);
                }
            }
        });
    }
}

/// Makes the tensors of a layer and draws them.
fn parameters(root: &Path, planned: &PlannedLayer) -> Parameters {
    let layer = &planned.layer;
    let path = root / &layer.name;
    let tensor = |name: &str, shape: &[i64], one: bool| match (layer.trainable, one) {
        (true, false) => path.zeros(name, shape),
        (true, true) => path.ones(name, shape),
        (false, false) => path.zeros_no_train(name, shape),
        (false, true) => path.ones_no_train(name, shape),
    };
    let shape: Vec<i64> = layer.shape.iter().map(|d| *d as i64).collect();
    let units = [layer.units as i64];
    let mut weight = tensor("weight", &shape, !layer.kind.is_matrix());
    let mut bias = layer.bias.then(|| tensor("bias", &units, false));
    let running = (layer.kind == LayerKind::BatchNorm)
        .then(|| (path.zeros_no_train("running_mean", &units), path.ones_no_train("running_var", &units)));
    if let Some((weight_init, bias_init)) = &planned.init {
        init::draw(
            &mut weight,
            bias.as_mut(),
            (weight_init.init, bias_init.init),
            layer.fan_in,
            planned.fan_out,
        );
    }
    Parameters { weight, bias, running }
}

fn watched(tap: &mut Option<&mut dyn Tap>, layer: usize, output: Tensor) -> Tensor {
    match tap {
        Some(tap) => tap.weighted_output(layer, output),
        None => output,
    }
}

fn max_pool(x: &Tensor, window: Window, tap: &mut Option<&mut dyn Tap>) -> Tensor {
    let [kernel, stride, padding] = [window.kernel, window.stride, window.padding].map(|n| [n as i64; 2]);
    let (output, indices) = x.max_pool2d_with_indices(kernel, stride, padding, [1, 1], false);
    if let Some(tap) = tap {
        tap.pooled(&indices);
    }
    output
}
