//! A kind of layer, as a model file names it.

use super::entry::Entry;
use super::fault::{Checked, probability, wrong};
use super::layer_options::{LayerOptions, Norm};
use super::layers::LayerSpec;
use crate::record::Activation;

/// A kind of layer, as an entry of a model file names it.
pub struct Kind {
    /// The value of `type`.
    pub name: &'static str,
    /// A description in one line.
    pub about: &'static str,
    /// Keys that it needs beside `type`.
    pub needs: &'static [&'static str],
    /// Keys that it takes as well.
    pub takes: &'static [&'static str],
    /// Whether it can be the last, which gives the output.
    pub output: bool,
    /// Checks an entry of this kind, which has all that it needs and nothing that it does not take.
    pub resolve: fn(&Entry, &Place) -> Checked<LayerSpec>,
}

impl Kind {
    /// Its name in a sentence.
    pub fn with_article(&self) -> String {
        // Letters that are spelled out begin with a vowel as well.
        let vowel = ["a", "e", "lstm", "rnn"].iter().any(|start| self.name.starts_with(start));
        format!("{} {}", if vowel { "an" } else { "a" }, self.name)
    }
}

/// Where an entry stands.
pub struct Place {
    /// The nonlinearity of a layer that names none.
    pub act: Activation,
    /// The nonlinearity of a layer inside it that names none.
    pub between: Activation,
    /// Whether it is the last of the model.
    pub last: bool,
    /// Reads the layers inside it, whose nonlinearity is this where they name none.
    pub inside: fn(&Entry, Activation) -> Checked<Vec<LayerSpec>>,
}

impl Place {
    /// Reads the options of a layer with a weight that stands here.
    pub fn dense(&self, entry: &Entry) -> Checked<LayerOptions> {
        if let (Some(norm), true) = (&entry.norm, self.last) {
            return wrong(norm, "the last layer gives the output, which is not normalised");
        }
        if let (Some(dropout), true) = (&entry.dropout, self.last) {
            return wrong(dropout, "the last layer gives the output, which takes no dropout");
        }
        Ok(LayerOptions {
            act: entry.act.as_ref().map_or(self.act, |a| *a.get_ref()),
            init: entry.weight_init()?,
            recurrent_init: entry.recurrent_weight_init()?,
            bias: entry.has_bias(),
            bias_init: entry.bias_init()?,
            norm: entry.norm.as_ref().map_or(Norm::None, |n| *n.get_ref()),
            dropout: entry.dropout.as_ref().map_or(Ok(0.0), probability)?,
            trainable: entry.is_trainable(),
        })
    }
}
