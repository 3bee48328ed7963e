//! Plans, which descriptions become for data of a given shape: every operation and every layer with its
//! sizes, before a tensor is made.

use std::sync::Arc;

use super::op::Op;
use super::shape::Shape;
use crate::record::Layer;
use crate::train::init::Init;
use crate::train::{Dataset, Scheme, TrainError};

/// Sizes of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Numbers of an input.
    pub columns: u64,
    /// Channels, height and width, where an input is an image.
    pub image: Option<[u64; 3]>,
    /// Steps and the features of each, where an input is said to be a sequence.
    pub sequence: Option<[u64; 2]>,
    /// Outputs that are needed.
    pub outputs: u64,
}

/// A layer with parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedLayer {
    /// As a record describes it.
    pub layer: Layer,
    /// Outputs of one input: of a matrix its rows, of a convolution these times the size of its kernel.
    pub fan_out: u64,
    /// Initialisers of weight and bias; none for a normalisation that says none.
    pub init: Option<(Scheme, Scheme)>,
    /// The draws of the layer's constructor in PyTorch.
    pub default: (Init, Init),
    /// Whether it is drawn together with the next: two matrices of one recurrent layer are.
    pub with_next: bool,
}

/// An operation, and the shape of what comes out.
#[derive(Clone, Debug)]
pub struct Step {
    /// The operation.
    pub op: Arc<dyn Op>,
    /// For one row.
    pub shape: Shape,
}

/// A whole network without its tensors.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Shape of an input as the data has it.
    pub input: Shape,
    /// Operations of a forward pass, in order.
    pub ops: Vec<Step>,
    /// Layers with parameters, in forward order.
    pub layers: Vec<PlannedLayer>,
    /// Negative slope of leaky ReLU.
    pub lrelu_slope: f64,
    /// How many words there are, where inputs are numbers of words.
    pub vocab_size: Option<u64>,
    /// The first batch normalisation that has no positions to take its statistics over, but rows alone.
    pub batch_norm: Option<String>,
}

impl Plan {
    /// Number of parameters.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().fold(0, |sum, l| sum.saturating_add(l.layer.parameters))
    }

    /// The initialisers of all weights, or of all biases, in a few words.
    pub fn init_text(&self, of: fn(&(Scheme, Scheme)) -> &Scheme) -> String {
        let schemes = self.layers.iter().filter_map(|l| Some((&l.layer.name, &of(l.init.as_ref()?).text)));
        let schemes: Vec<(&String, &String)> = schemes.collect();
        match schemes.first() {
            Some((_, first)) if schemes.iter().all(|(_, text)| text == first) => (*first).clone(),
            _ => schemes.iter().map(|(name, text)| format!("{name} {text}")).collect::<Vec<_>>().join(", "),
        }
    }

    /// Whether the inputs are the numbers of words, where these are what the first layer looks up.
    ///
    /// # Errors
    /// [`TrainError::Data`] with a value that is none.
    pub fn check_token_ids(&self, data: &Dataset) -> Result<(), TrainError> {
        let Some(vocab_size) = self.vocab_size else { return Ok(()) };
        let splits = [Some(&data.train), data.dev.as_ref(), data.test.as_ref()];
        for rows in splits.into_iter().flatten() {
            let x = &rows.x;
            let odd =
                x.lt(0.0).logical_or(&x.gt((vocab_size - 1) as f64)).logical_or(&x.ne_tensor(&x.round()));
            let odd = x.masked_select(&odd);
            if odd.numel() > 0 {
                return Err(TrainError::Data(format!(
                    "{} looks up words by their numbers, whole ones from 0 to {}, but the data has {}",
                    self.layers.first().map_or("the model", |l| l.layer.name.as_str()),
                    vocab_size - 1,
                    odd.double_value(&[0])
                )));
            }
        }
        Ok(())
    }

    /// Multiply-adds of one row, about.
    pub fn macs(&self) -> u64 {
        self.ops
            .iter()
            .map(|step: &Step| {
                let layers = step.op.layers().iter().map(|l| self.layers[*l].layer.parameters);
                layers.fold(0, u64::saturating_add).saturating_mul(step.op.times(step.shape))
            })
            .fold(0, u64::saturating_add)
    }
}
