//! A network with its tensors, built from a plan or loaded as a program.

use std::collections::HashMap;
use std::sync::Arc;

use tch::nn::{Path, VarStore};
use tch::{Device, Kind, Tensor};

use super::pass::{ForwardHook, Mode, Parameters, Pass};
use crate::record::{Layer, LayerKind};
use crate::train::TrainError;
use crate::train::init::{self, Init};
use crate::train::model::{Op, Plan, PlannedLayer};
use crate::train::script::Loaded;

/// Tensors by their names, such as `fc1.weight`.
pub type Snapshot = Vec<(String, Tensor)>;

/// A network with its parameters.
pub struct Network {
    body: Body,
    layers: Vec<Layer>,
    parameters: Vec<Parameters>,
    work: u64,
    takes_token_ids: bool,
    device: Device,
    rows_at_once: i64,
}

/// The computation of a forward pass.
enum Body {
    /// One operation after another.
    Ops { store: VarStore, ops: Vec<Arc<dyn Op>>, lrelu_slope: Tensor },
    /// A program, which cannot be looked into.
    Program(Loaded),
}

/// Rows of one evaluation batch: bounds the memory of a pass over a large split.
const EVALUATION_ROWS: i64 = 8_192;

impl Network {
    /// Builds a network and draws its parameters from libtorch's generator as PyTorch does: layer by
    /// layer, its default weight and bias first, then the schemes over them in place.
    pub fn new(plan: &Plan, device: Device) -> Self {
        let store = VarStore::new(device);
        let mut parameters: Vec<Parameters> =
            plan.layers.iter().map(|layer| tensors(&store.root(), &layer.layer)).collect();
        let mut start = 0;
        for (index, layer) in plan.layers.iter().enumerate() {
            if !layer.with_next {
                draw(&plan.layers[start..=index], &mut parameters[start..=index]);
                start = index + 1;
            }
        }
        Self {
            body: Body::Ops {
                store,
                ops: plan.ops.iter().map(|step| Arc::clone(&step.op)).collect(),
                lrelu_slope: Tensor::from_slice(&[plan.lrelu_slope as f32]).to_device(device),
            },
            layers: plan.layers.iter().map(|l| l.layer.clone()).collect(),
            parameters,
            work: plan.macs(),
            takes_token_ids: plan.vocab_size.is_some(),
            device,
            rows_at_once: EVALUATION_ROWS,
        }
    }

    /// A program with its parameters as they were saved, for batches of so many rows.
    pub(in crate::train) fn from_program(mut program: Loaded, device: Device, batch: i64) -> Self {
        let work = program.macs();
        Self {
            layers: std::mem::take(&mut program.layers),
            parameters: std::mem::take(&mut program.parameters),
            work,
            device,
            takes_token_ids: false,
            // What it takes of memory beyond that is not known.
            rows_at_once: batch.clamp(1, EVALUATION_ROWS),
            body: Body::Program(program),
        }
    }

    /// Output for a batch `[n, inputs]`. A program shows a hook nothing, and what it does in
    /// `Mode::Observe` is what it does in evaluation.
    ///
    /// # Errors
    /// [`TrainError::Script`] where a program fails.
    pub fn forward<'a>(
        &'a self,
        x: &Tensor,
        mode: Mode,
        hook: Option<&'a mut (dyn ForwardHook + 'a)>,
    ) -> Result<Tensor, TrainError> {
        match &self.body {
            Body::Ops { ops, lrelu_slope, .. } => {
                let parameters = self.parameters.as_slice();
                let mut pass = Pass { mode, parameters, lrelu_slope, hook, shortcuts: Vec::new() };
                Ok(ops.iter().fold(x.shallow_clone(), |value, op| op.forward(value, &mut pass)))
            }
            Body::Program(program) => program.forward(x, mode),
        }
    }

    /// Of a program's layers, whether the rows of a weight are known to make its units.
    pub fn units_first(&self) -> &[bool] {
        match &self.body {
            Body::Ops { .. } => &[],
            Body::Program(program) => &program.units_first,
        }
    }

    /// Whether it is a program, inside of which nothing can be seen.
    pub fn is_program(&self) -> bool {
        matches!(self.body, Body::Program(_))
    }

    /// Whether [`restore`](Self::restore) brings back all that training has changed: tensors of a program that
    /// are no parameters cannot be reached.
    pub fn can_go_back(&self) -> bool {
        !matches!(&self.body, Body::Program(program) if !program.buffers.is_empty())
    }

    /// Rows of one pass that need no gradients.
    pub fn rows_at_once(&self) -> i64 {
        self.rows_at_once
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
    pub fn macs(&self) -> u64 {
        self.work
    }

    /// Whether its inputs are numbers of words, between which there is nothing.
    pub fn takes_token_ids(&self) -> bool {
        self.takes_token_ids
    }

    /// The same network in float64.
    pub fn into_double(mut self) -> Self {
        if let Body::Ops { store, lrelu_slope, .. } = &mut self.body {
            store.double();
            *lrelu_slope = lrelu_slope.to_kind(Kind::Double);
        }
        self
    }

    /// Everything that training changes, running statistics included, by name; of a program its parameters
    /// alone. These are the tensors themselves.
    pub fn variables(&self) -> Snapshot {
        let mut variables: Snapshot = match &self.body {
            Body::Ops { store, .. } => store.variables().into_iter().collect(),
            Body::Program(program) => {
                program.variables.iter().map(|(name, t)| (name.clone(), t.shallow_clone())).collect()
            }
        };
        variables.sort_by(|a, b| a.0.cmp(&b.0));
        variables
    }

    /// Where its parameters are.
    pub fn device(&self) -> Device {
        self.device
    }

    /// A copy of everything that training changes, by name.
    pub fn snapshot(&self) -> Snapshot {
        tch::no_grad(|| {
            self.variables()
                .into_iter()
                .map(|(name, tensor): (String, Tensor)| (name, tensor.detach().copy()))
                .collect()
        })
    }

    /// Goes back to a snapshot of this network.
    pub fn restore(&self, snapshot: &[(String, Tensor)]) {
        let mut variables: HashMap<String, Tensor> = self.variables().into_iter().collect();
        tch::no_grad(|| {
            for (name, value) in snapshot {
                if let Some(variable) = variables.get_mut(name) {
                    variable.copy_(value);
                }
            }
        });
    }
}

/// Makes the tensors of a layer: a gain of ones, everything else of zeros.
///
/// They are named as PyTorch names them: `block1.fc1.weight`, and of a recurrent layer, whose own name
/// says which matrix it is, `lstm1.weight_hh_l0` and `lstm1.bias_hh_l0`.
fn tensors(root: &Path, layer: &Layer) -> Parameters {
    let module = |name: &str| name.split('.').fold(root.clone(), |path, part| path / part);
    let (path, weight_name, bias_name) = match layer.name.rsplit_once('.') {
        Some((module_name, weight)) if layer.kind == LayerKind::Recurrent => {
            (module(module_name), weight.to_owned(), weight.replace("weight", "bias"))
        }
        _ => (module(&layer.name), "weight".to_owned(), "bias".to_owned()),
    };
    let tensor = |name: &str, shape: &[i64], one: bool| match (layer.trainable, one) {
        (true, false) => path.zeros(name, shape),
        (true, true) => path.ones(name, shape),
        (false, false) => path.zeros_no_train(name, shape),
        (false, true) => path.ones_no_train(name, shape),
    };
    let shape: Vec<i64> = layer.shape.iter().map(|d| *d as i64).collect();
    let units = [layer.units as i64];
    Parameters {
        weight: tensor(&weight_name, &shape, shape.len() == 1),
        bias: layer.bias.then(|| tensor(&bias_name, &units, false)),
        running: (layer.kind == LayerKind::BatchNorm).then(|| {
            (path.zeros_no_train("running_mean", &units), path.ones_no_train("running_var", &units))
        }),
    }
}

/// Draws the parameters of layers that are one in PyTorch: all weights and biases by default, weights
/// first, then the schemes over them in place.
fn draw(layers: &[PlannedLayer], parameters: &mut [Parameters]) {
    let (mut weights, mut biases) = (Vec::new(), Vec::new());
    for (layer, parameters) in layers.iter().zip(parameters) {
        let Some((weight_init, bias_init)) = &layer.init else { continue };
        let fans = (layer.layer.fan_in, layer.fan_out);
        let drawing = |tensor, default: Init, init: Init| init::Drawing { tensor, default, init, fans };
        weights.push(drawing(&mut parameters.weight, layer.default.0, weight_init.init));
        biases.extend(parameters.bias.as_mut().map(|b| drawing(b, layer.default.1, bias_init.init)));
    }
    weights.append(&mut biases);
    init::draw(&mut weights);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Model, Sizes};

    fn network(text: &str, sizes: Sizes) -> Network {
        tch::manual_seed(2);
        let model = Model::parse("test", text).unwrap();
        Network::new(&Plan::new(&model, sizes).unwrap(), Device::Cpu)
    }

    #[test]
    fn a_residual_block_adds_its_branch_to_what_the_shortcut_passes_on() {
        let text = "[[layers]]\ntype = \"residual\"\nact = \"tanh\"\nshortcut = \"projection\"\nlayers = [{ type = \
                    \"conv2d\", channels = 3, kernel = 3, padding = 1, stride = 2, act = \"gelu\" }]\n\
                    [[layers]]\ntype = \"flatten\"\n[[layers]]\ntype = \"linear\"\n";
        let sizes = Sizes { columns: 50, image: Some([2, 5, 5]), sequence: None, outputs: 4 };
        let network = network(text, sizes);
        let x = Tensor::randn([6, 50], (Kind::Float, Device::Cpu));
        let [conv, shortcut, linear] = network.parameters() else { panic!("three layers") };
        let images = x.reshape([6, 2, 5, 5]);
        let branch = images.conv2d(&conv.weight, conv.bias.as_ref(), [2, 2], [1, 1], [1, 1], 1).gelu("none");
        let around = images.conv2d::<Tensor>(&shortcut.weight, None, [2, 2], [0, 0], [1, 1], 1);
        let expected = (branch + around).tanh().flatten(1, -1).linear(&linear.weight, linear.bias.as_ref());
        let output = network.forward(&x, Mode::Train, None).unwrap();
        assert!((output - expected).abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn tensors_are_named_as_pytorch_names_them() {
        let text = "[[layers]]\ntype = \"residual\"\nlayers = [{ type = \"linear\", units = 6 }]\n[[layers]]\ntype = \
                    \"linear\"\n";
        let sizes = Sizes { columns: 6, image: None, sequence: None, outputs: 1 };
        let names = |n: &Network| n.snapshot().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let linear = names(&network(text, sizes));
        assert_eq!(linear, ["block1.fc1.bias", "block1.fc1.weight", "fc1.bias", "fc1.weight"]);
        let text = "[[layers]]\ntype = \"lstm\"\nunits = 2\n[[layers]]\ntype = \"linear\"\n";
        let lstm = names(&network(text, sizes));
        let of = ["bias_hh_l0", "bias_ih_l0", "weight_hh_l0", "weight_ih_l0"].map(|n| format!("lstm1.{n}"));
        assert_eq!(lstm[2..], of);
    }
}
