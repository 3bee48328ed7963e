//! A network of linear layers, normalisations and nonlinearities, built from its description.

use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use super::init::{Init, Scheme};
use super::model::{Model, Norm};
use crate::record::{Activation, Layer, LayerKind};

/// PyTorch's default for the running statistics of batch normalisation.
const BATCH_NORM_MOMENTUM: f64 = 0.1;
/// PyTorch's default for both normalisations.
const NORM_EPS: f64 = 1e-5;

/// One thing that a forward pass does.
enum Module {
    Linear {
        layer: usize,
    },
    BatchNorm {
        layer: usize,
        running_mean: Tensor,
        running_var: Tensor,
    },
    LayerNorm {
        layer: usize,
    },
    /// The nonlinearity of a layer; the output layer has one too, if only the identity.
    Activation {
        layer: usize,
        kind: Activation,
    },
    Dropout,
}

/// Weight and bias (of a normalisation: gain and shift).
pub struct Parameters {
    /// `[units, fan-in]`, or `[units]` for a gain.
    pub weight: Tensor,
    /// `[units]`.
    pub bias: Tensor,
}

/// What a forward pass shows to whoever watches it.
pub trait Tap {
    /// The output of a linear layer; what is returned takes its place.
    fn linear_output(&mut self, layer: usize, output: Tensor) -> Tensor {
        let _ = layer;
        output
    }

    /// What went into the nonlinearity of a layer and what came out.
    fn activation(&mut self, layer: usize, kind: Activation, pre: &Tensor, post: &Tensor);
}

/// A network with its parameters.
pub struct Network {
    store: VarStore,
    modules: Vec<Module>,
    layers: Vec<Layer>,
    parameters: Vec<Parameters>,
    lrelu_slope: Tensor,
    dropout: f64,
}

impl Network {
    /// Builds a network and draws its parameters from libtorch's generator as PyTorch does: layer by
    /// layer, its default weight and bias first, then the schemes over them in place.
    pub fn new(
        model: &Model,
        inputs: i64,
        outputs: i64,
        init: &Scheme,
        bias: &Scheme,
        device: Device,
    ) -> Self {
        let mut network = Self {
            store: VarStore::new(device),
            modules: Vec::new(),
            layers: Vec::new(),
            parameters: Vec::new(),
            lrelu_slope: Tensor::from_slice(&[model.lrelu_slope as f32]).to_device(device),
            dropout: model.dropout,
        };
        let mut fan_in = inputs;
        let hidden = model.hidden.iter().map(|units| (*units as i64, false));
        for (depth, (units, output)) in hidden.chain([(outputs, true)]).enumerate() {
            let norm = if output { Norm::None } else { model.norm };
            let act = if output { model.output } else { model.act };
            let layer = network.linear(depth + 1, fan_in, units, act, output, norm != Norm::None);
            network.draw(layer, init.init, bias.init);
            match norm {
                Norm::BatchPre => network.batch_norm(depth + 1, units),
                Norm::Layer => network.layer_norm(depth + 1, units),
                Norm::None | Norm::BatchPost => {}
            }
            network.modules.push(Module::Activation { layer, kind: act });
            if norm == Norm::BatchPost {
                network.batch_norm(depth + 1, units);
            }
            if !output && model.dropout > 0.0 {
                network.modules.push(Module::Dropout);
            }
            fan_in = units;
        }
        network
    }

    fn linear(
        &mut self,
        number: usize,
        fan_in: i64,
        units: i64,
        activation: Activation,
        output: bool,
        normalized: bool,
    ) -> usize {
        let name = format!("fc{number}");
        let path = self.store.root() / &name;
        let weight = path.zeros("weight", &[units, fan_in]);
        let bias = path.zeros("bias", &[units]);
        let layer = Layer {
            name,
            kind: LayerKind::Linear,
            shape: vec![units as u64, fan_in as u64],
            fan_in: fan_in as u64,
            units: units as u64,
            bias: true,
            parameters: (units * fan_in + units) as u64,
            activation,
            output,
            normalized,
            trainable: true,
        };
        let index = self.push(layer, Parameters { weight, bias });
        self.modules.push(Module::Linear { layer: index });
        index
    }

    fn batch_norm(&mut self, number: usize, units: i64) {
        let name = format!("bn{number}");
        let path = self.store.root() / &name;
        let running_mean = path.zeros_no_train("running_mean", &[units]);
        let running_var = path.ones_no_train("running_var", &[units]);
        let layer = self.norm(name, LayerKind::BatchNorm, units);
        self.modules.push(Module::BatchNorm { layer, running_mean, running_var });
    }

    fn layer_norm(&mut self, number: usize, units: i64) {
        let layer = self.norm(format!("ln{number}"), LayerKind::LayerNorm, units);
        self.modules.push(Module::LayerNorm { layer });
    }

    fn norm(&mut self, name: String, kind: LayerKind, units: i64) -> usize {
        let path = self.store.root() / &name;
        let parameters =
            Parameters { weight: path.ones("weight", &[units]), bias: path.zeros("bias", &[units]) };
        let layer = Layer {
            name,
            kind,
            shape: vec![units as u64],
            fan_in: 1,
            units: units as u64,
            bias: true,
            parameters: 2 * units as u64,
            activation: Activation::Identity,
            output: false,
            normalized: false,
            trainable: true,
        };
        self.push(layer, parameters)
    }

    fn push(&mut self, layer: Layer, parameters: Parameters) -> usize {
        self.layers.push(layer);
        self.parameters.push(parameters);
        self.layers.len() - 1
    }

    fn draw(&mut self, layer: usize, init: Init, bias_init: Init) {
        let Layer { fan_in, units, .. } = self.layers[layer];
        let Parameters { weight, bias } = &mut self.parameters[layer];
        tch::no_grad(|| {
            Init::Default.fill(weight, fan_in, units);
            Init::Default.fill(bias, fan_in, units);
            if init != Init::Default {
                init.fill(weight, fan_in, units);
            }
            if bias_init != Init::Default {
                bias_init.fill(bias, fan_in, units);
            }
        });
    }

    /// Output for a batch `[n, inputs]`; `train` switches dropout on and batch normalisation to the
    /// batch's own statistics.
    pub fn forward(&self, x: &Tensor, train: bool, mut tap: Option<&mut dyn Tap>) -> Tensor {
        let mut value = x.shallow_clone();
        for module in &self.modules {
            value = match module {
                Module::Linear { layer } => {
                    let Parameters { weight, bias } = &self.parameters[*layer];
                    let output = value.linear(weight, Some(bias));
                    match &mut tap {
                        Some(tap) => tap.linear_output(*layer, output),
                        None => output,
                    }
                }
                Module::BatchNorm { layer, running_mean, running_var } => {
                    let Parameters { weight, bias } = &self.parameters[*layer];
                    value.batch_norm(
                        Some(weight),
                        Some(bias),
                        Some(running_mean),
                        Some(running_var),
                        train,
                        BATCH_NORM_MOMENTUM,
                        NORM_EPS,
                        false,
                    )
                }
                Module::LayerNorm { layer } => {
                    let Parameters { weight, bias } = &self.parameters[*layer];
                    value.layer_norm(
                        [self.layers[*layer].units as i64],
                        Some(weight),
                        Some(bias),
                        NORM_EPS,
                        false,
                    )
                }
                Module::Activation { layer, kind } => {
                    let output = self.activate(&value, *kind);
                    if let Some(tap) = &mut tap {
                        tap.activation(*layer, *kind, &value, &output);
                    }
                    output
                }
                Module::Dropout => value.dropout(self.dropout, train),
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

    /// Everything that training changes, running statistics included.
    pub fn store(&self) -> &VarStore {
        &self.store
    }

    /// A copy of everything that training changes.
    pub fn snapshot(&self) -> Vec<(String, Tensor)> {
        tch::no_grad(|| self.store.variables().into_iter().map(|(n, t)| (n, t.detach().copy())).collect())
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

    /// Element type of the parameters.
    pub fn kind(&self) -> Kind {
        self.store.kind()
    }
}
