//! One forward pass: what operations see of a network, and what they show to whoever watches.

use tch::Tensor;

use crate::record::Activation;

/// Weight and bias (of a normalisation: gain and shift).
pub struct Parameters {
    /// Output dimension first: `[units, fan-in]`, `[channels, depth, height, width]`, or `[units]` for
    /// a gain.
    pub weight: Tensor,
    /// Of shape `[units]`.
    pub bias: Option<Tensor>,
    /// Mean and variance that batch normalisation uses in evaluation mode.
    pub(in crate::train) running: Option<(Tensor, Tensor)>,
}

impl Parameters {
    /// Those of a layer that was made elsewhere.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
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

/// A hook on a forward pass, which shows it what passes. Units are the second dimension of all that is shown.
pub trait ForwardHook {
    /// The output of a layer with a weight, before normalisation and nonlinearity; what is returned
    /// takes its place.
    fn pre_activation(&mut self, layer: usize, output: Tensor) -> Tensor {
        let _ = layer;
        output
    }

    /// Takes the input and the output of the nonlinearity of a layer.
    fn activation(&mut self, layer: usize, kind: Activation, pre: &Tensor, post: &Tensor) {
        let _ = (layer, kind, pre, post);
    }

    /// Takes the input of a nonlinearity, whether a layer's own or not: behind the sum of a residual block,
    /// or inside a recurrent cell.
    fn nonlinearity(&mut self, kind: Activation, pre: &Tensor) {
        let _ = (kind, pre);
    }

    /// The hidden state of a recurrent layer after its next step; what is returned takes its place.
    fn state(&mut self, layer: usize, state: Tensor) -> Tensor {
        let _ = layer;
        state
    }

    /// Where the largest values of a pooling were.
    fn pooled(&mut self, indices: &Tensor) {
        let _ = indices;
    }
}

/// A pass in progress.
pub struct Pass<'a> {
    /// How dropout and batch normalisation behave.
    pub mode: Mode,
    pub(super) parameters: &'a [Parameters],
    pub(super) lrelu_slope: &'a Tensor,
    pub(super) hook: Option<&'a mut (dyn ForwardHook + 'a)>,
    pub(super) shortcuts: Vec<Tensor>,
}

impl Pass<'_> {
    /// The parameters of a layer.
    pub fn parameters(&self, layer: usize) -> &Parameters {
        &self.parameters[layer]
    }

    /// Shows the output of a layer's weight, and gives back what takes its place.
    pub fn weighted(&mut self, layer: usize, output: Tensor) -> Tensor {
        match &mut self.hook {
            Some(hook) => hook.pre_activation(layer, output),
            None => output,
        }
    }

    /// Shows the next hidden state of a recurrent layer, and gives back what takes its place.
    pub fn state(&mut self, layer: usize, state: Tensor) -> Tensor {
        match &mut self.hook {
            Some(hook) => hook.state(layer, state),
            None => state,
        }
    }

    /// Shows where the largest values of a pooling were.
    pub fn pooled(&mut self, indices: &Tensor) {
        if let Some(hook) = &mut self.hook {
            hook.pooled(indices);
        }
    }

    /// A nonlinearity, which is that of a layer or belongs to none.
    pub fn activate(&mut self, layer: Option<usize>, kind: Activation, x: &Tensor) -> Tensor {
        let output = match kind {
            Activation::Identity => x.shallow_clone(),
            Activation::Relu => x.relu(),
            // PReLU with a constant weight: a leaky ReLU whose slope can be chosen.
            Activation::Lrelu => x.prelu(self.lrelu_slope),
            Activation::Elu => x.elu(),
            Activation::Gelu => x.gelu("none"),
            Activation::Selu => x.selu(),
            Activation::Silu => x.silu(),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Tanh => x.tanh(),
        };
        if let Some(hook) = &mut self.hook {
            hook.nonlinearity(kind, x);
            if let Some(layer) = layer {
                hook.activation(layer, kind, x, &output);
            }
        }
        output
    }

    /// Keeps what goes around a branch.
    pub fn keep_shortcut(&mut self, x: Tensor) {
        self.shortcuts.push(x);
    }

    /// Returns what was kept last; an operation that takes it stands behind one that keeps it.
    pub fn take_shortcut(&mut self) -> Option<Tensor> {
        self.shortcuts.pop()
    }
}
