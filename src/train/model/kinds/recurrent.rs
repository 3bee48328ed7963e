//! Recurrent layers, step by step: plain (Elman, 1990), LSTM (Hochreiter and Schmidhuber, 1997) and GRU
//! (Cho and others, 2014), with PyTorch's parameters, their order and their draws.
//!
//! libtorch's own recurrent operations show nothing of the states in between; a loop over the steps
//! shows the gradient of every one of them.

use std::sync::Arc;

use tch::Tensor;

use crate::record::settings::Named;
use crate::record::{Activation, LayerKind};
use crate::train::Scheme;
use crate::train::init::Init;
use crate::train::model::entry::{Entry, Steps};
use crate::train::model::fault::{Checked, MAX_UNITS, bounded};
use crate::train::model::kind::{Kind, Place};
use crate::train::model::layer_options::{Cell, LayerOptions};
use crate::train::model::layers::LayerSpec;
use crate::train::model::layers::Spec;
use crate::train::model::op::Op;
use crate::train::model::planner::Takes;
use crate::train::model::planner::{Planned, Planner, Weighted};
use crate::train::model::shape::Shape;
use crate::train::network::Pass;

/// Steps, at most: each is a dozen operations that backward goes through one after the other.
const MAX_STEPS: u64 = 1 << 14;

const TAKES: &[&str] = &["steps", "init", "recurrent-init", "bias", "dropout", "trainable"];

pub static RNN: Kind = Kind {
    name: "rnn",
    about: "a plain recurrent layer over the steps of a sequence, tanh where act says nothing else",
    needs: &["units"],
    takes: &["steps", "act", "init", "recurrent-init", "bias", "dropout", "trainable"],
    output: false,
    resolve: |entry, place| resolve(entry, place, Cell::Rnn),
};

pub static LSTM: Kind = Kind {
    name: "lstm",
    about: "a long short-term memory over the steps of a sequence",
    needs: &["units"],
    takes: TAKES,
    output: false,
    resolve: |entry, place| resolve(entry, place, Cell::Lstm),
};

pub static GRU: Kind = Kind {
    name: "gru",
    about: "gated recurrent units over the steps of a sequence",
    needs: &["units"],
    takes: TAKES,
    output: false,
    resolve: |entry, place| resolve(entry, place, Cell::Gru),
};

/// Returns how many parts its matrices have, a row of units each.
fn gates(cell: Cell) -> u64 {
    match cell {
        Cell::Rnn => 1,
        Cell::Lstm => 4,
        Cell::Gru => 3,
    }
}

#[derive(Clone, Copy, Debug)]
struct Recurrent {
    cell: Cell,
    units: u64,
    steps: Steps,
}

fn resolve(entry: &Entry, place: &Place, cell: Cell) -> Checked<LayerSpec> {
    let units = entry.needed(&entry.units, |n| bounded("units", n, 1, MAX_UNITS))?;
    let steps = entry.steps.as_ref().map_or(Steps::Last, |s| *s.get_ref());
    // A nonlinearity between layers says nothing of the one inside a cell.
    let dense = Place { act: Activation::Tanh, ..*place }.dense(entry)?;
    Ok(LayerSpec::with(Recurrent { cell, units, steps }, dense))
}

impl Spec for Recurrent {
    fn plan(&self, layer: &LayerSpec, planner: &mut Planner) -> Planned<()> {
        let name = planner.name(self.cell.name());
        let dense = layer.dense.clone().unwrap_or(LayerOptions::new(Activation::Tanh));
        let [steps, features] = planner.sequence(&name)?;
        if steps > MAX_STEPS {
            return Err(format!(
                "{name}: sequences of {steps} steps are too long; at most {MAX_STEPS} are possible"
            ));
        }
        let bound = 1.0 / (self.units as f64).sqrt();
        let drawn = Init::Uniform(-bound, bound);
        let rows = gates(self.cell) * self.units;
        // No single nonlinearity follows a matrix of gates.
        let of_input = LayerOptions { act: Activation::Identity, dropout: 0.0, ..dense.clone() };
        let of_state = LayerOptions {
            init: dense.recurrent_init.clone().or(dense.init.clone()),
            // PyTorch has two biases that add up: what is asked for is their sum.
            bias_init: dense.bias_init.as_ref().map(|_| zeros()),
            ..of_input.clone()
        };
        let weighted = |part: &str, columns, with_next| Weighted {
            name: format!("{name}.weight_{part}_l0"),
            kind: LayerKind::Recurrent,
            shape: vec![rows, columns],
            default: (drawn, drawn),
            with_next,
        };
        let input = planner.weighted(weighted("ih", features, true), &of_input)?;
        let state = planner.weighted(weighted("hh", self.units, false), &of_state)?;
        let output = match self.steps {
            Steps::All => Shape::Sequence([steps, self.units]),
            Steps::Last => Shape::Row(self.units),
        };
        let (cell, act, all) = (self.cell, dense.act, self.steps == Steps::All);
        planner.push(Recur { cell, layers: [input, state], steps, act, all, name }, output);
        planner.dropout(dense.dropout);
        Ok(())
    }

    fn takes(&self) -> Takes {
        Takes::Sequences
    }

    fn takes_act(&self) -> bool {
        self.cell == Cell::Rnn
    }

    fn takes_norm(&self) -> bool {
        false
    }

    fn with_cell(&self, cell: Cell) -> Option<Arc<dyn Spec>> {
        Some(Arc::new(Self { cell, ..*self }))
    }
}

fn zeros() -> Scheme {
    Scheme { text: "0".into(), init: Init::Constant(0.0) }
}

#[derive(Debug)]
struct Recur {
    cell: Cell,
    /// Of the input, and of the state.
    layers: [usize; 2],
    steps: u64,
    /// Of a plain cell.
    act: Activation,
    /// Whether every step's state comes out, or the last alone.
    all: bool,
    name: String,
}

impl Op for Recur {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        let [input, state] = self.layers;
        // Features come first in memory.
        let projected = {
            let of_input = pass.parameters(input);
            x.transpose(1, 2).linear(&of_input.weight, of_input.bias.as_ref())
        };
        let projected = pass.weighted(input, projected);
        let units = pass.parameters(state).weight.size()[1];
        let mut h = Tensor::zeros([x.size()[0], units], (x.kind(), x.device()));
        let mut memory = h.shallow_clone();
        let mut states = Vec::new();
        for step in projected.unbind(1) {
            let of_state = pass.parameters(state);
            let from_state = h.linear(&of_state.weight, of_state.bias.as_ref());
            h = match self.cell {
                Cell::Rnn => pass.activate(None, self.act, &(step + from_state)),
                Cell::Lstm => {
                    let (next, memory_now) = long_short_term(&(step + from_state), &memory);
                    memory = memory_now;
                    next
                }
                Cell::Gru => gated(&step, &from_state, &h),
            };
            h = pass.state(state, h);
            if self.all {
                states.push(h.shallow_clone());
            }
        }
        if self.all { Tensor::stack(&states, 2) } else { h }
    }

    fn layers(&self) -> &[usize] {
        &self.layers
    }

    fn times(&self, _output: Shape) -> u64 {
        self.steps
    }

    fn named(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn kept(&self, output: Shape) -> u64 {
        // The gates and the state of every step.
        self.steps.saturating_mul(output.units()).saturating_mul(gates(self.cell) + 1)
    }
}

/// The next state and the next memory.
fn long_short_term(gates: &Tensor, memory: &Tensor) -> (Tensor, Tensor) {
    let [input, forget, new, output] = parts(gates);
    let memory = forget.sigmoid() * memory + input.sigmoid() * new.tanh();
    (output.sigmoid() * memory.tanh(), memory)
}

/// The next state.
fn gated(from_input: &Tensor, from_state: &Tensor, h: &Tensor) -> Tensor {
    let [reset, update, new] = parts(from_input);
    let [reset_h, update_h, new_h] = parts(from_state);
    let new = (new + (reset + reset_h).sigmoid() * new_h).tanh();
    (h - &new) * (update + update_h).sigmoid() + new
}

/// Equal parts of the units.
fn parts<const N: usize>(gates: &Tensor) -> [Tensor; N] {
    let units = gates.size()[1] / N as i64;
    std::array::from_fn(|part| gates.narrow(1, part as i64 * units, units))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind as Numbers};

    use super::*;
    use crate::train::network::{Mode, Network, Parameters};
    use crate::train::{Model, Plan, Sizes};

    /// The network of such a layer over 7 steps of 3 features, and an input.
    fn network(cell: Cell) -> (Network, Tensor) {
        let text = format!(
            "inputs = [7, 3]\n[[layers]]\ntype = \"{}\"\nunits = 5\nsteps = \"all\"\n[[layers]]\ntype = \
             \"flatten\"\n[[layers]]\ntype = \"linear\"\n",
            cell.name()
        );
        let model = Model::parse("test", &text).unwrap();
        let sizes = Sizes { columns: 21, image: None, sequence: Some([7, 3]), outputs: 35 };
        tch::manual_seed(4);
        let network = Network::new(&Plan::new(&model, sizes).unwrap(), Device::Cpu).into_double();
        // All states, as they are.
        let output = &network.parameters()[2];
        tch::no_grad(|| {
            let eye = Tensor::eye(35, (Numbers::Double, Device::Cpu));
            output.weight.shallow_clone().copy_(&eye);
            let _ = output.bias.as_ref().unwrap().shallow_clone().zero_();
        });
        (network, Tensor::randn([4, 21], (Numbers::Double, Device::Cpu)))
    }

    #[test]
    fn states_are_those_of_libtorchs_own_layers() {
        for cell in [Cell::Rnn, Cell::Lstm, Cell::Gru] {
            let (network, x) = network(cell);
            let ours = network.forward(&x, Mode::Evaluate, None).unwrap().reshape([4, 5, 7]).transpose(1, 2);
            let [of_input, of_state, _] = network.parameters() else { panic!("three layers") };
            let bias = |p: &Parameters| p.bias.as_ref().unwrap().shallow_clone();
            let (w_ih, w_hh) = (of_input.weight.shallow_clone(), of_state.weight.shallow_clone());
            let all = [w_ih, w_hh, bias(of_input), bias(of_state)];
            let (x, zero) =
                (x.reshape([4, 7, 3]), || Tensor::zeros([1, 4, 5], (Numbers::Double, Device::Cpu)));
            let theirs = match cell {
                Cell::Rnn => x.rnn_tanh(&zero(), &all, true, 1, 0.0, false, false, true).0,
                Cell::Lstm => x.lstm(&[zero(), zero()], &all, true, 1, 0.0, false, false, true).0,
                Cell::Gru => x.gru(&zero(), &all, true, 1, 0.0, false, false, true).0,
            };
            let apart = (ours - theirs).abs().max().double_value(&[]);
            assert!(apart < 1e-12, "{}: {apart}", cell.name());
        }
    }

    #[test]
    fn parameters_are_drawn_in_pytorchs_order_within_its_bounds() {
        let (network, _) = network(Cell::Gru);
        tch::manual_seed(4);
        let bound = 1.0 / 5f64.sqrt();
        let drawn: Vec<Tensor> = [vec![15, 3], vec![15, 5], vec![15], vec![15]]
            .iter()
            .map(|shape: &Vec<i64>| {
                Tensor::empty(shape, (Numbers::Float, Device::Cpu)).uniform_(-bound, bound)
            })
            .collect();
        let [of_input, of_state, _] = network.parameters() else { panic!("three layers") };
        let ours = [
            &of_input.weight,
            &of_state.weight,
            of_input.bias.as_ref().unwrap(),
            of_state.bias.as_ref().unwrap(),
        ];
        for (ours, theirs) in ours.into_iter().zip(&drawn) {
            assert!(ours.to_kind(Numbers::Float).equal(theirs));
        }
    }
}
