//! One of `[[layers]]` in a description.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::fault::{Checked, MAX_UNITS, bounded, scheme, wrong};
use super::layer_options::{Norm, Window};
use super::spelled;
use crate::record::Activation;
use crate::train::Scheme;

/// Side, stride or padding of a window, at most.
const MAX_WINDOW: u64 = 1 << 10;
/// Blocks inside each other, at most.
const DEEPEST: usize = 8;

/// One of `[[layers]]`, as it is written: what any kind of layer can say.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// The kind of the layer.
    #[schemars(with = "String")]
    pub r#type: Spanned<String>,
    /// Outputs; of a linear layer that gives the model's output as many as the data needs.
    #[schemars(with = "Option<u64>", range(min = 1, max = MAX_UNITS))]
    pub units: Option<Spanned<u64>>,
    /// Output channels of a convolution.
    #[schemars(with = "Option<u64>", range(min = 1, max = MAX_UNITS))]
    pub channels: Option<Spanned<u64>>,
    /// Side of the window, or its steps.
    #[schemars(with = "Option<u64>", range(min = 1, max = MAX_WINDOW))]
    pub kernel: Option<Spanned<u64>>,
    /// How far the window moves: 1 of a convolution, its kernel of a pooling where left out.
    #[schemars(with = "Option<u64>", range(min = 1, max = MAX_WINDOW))]
    pub stride: Option<Spanned<u64>>,
    /// Rows and columns that are added around, 0 where left out: zeros, or of a pooling minus infinities.
    #[schemars(with = "Option<u64>", range(min = 0, max = MAX_WINDOW))]
    pub padding: Option<Spanned<u64>>,
    /// Parts that an adaptive pooling makes of every side, 1 where left out.
    #[schemars(with = "Option<u64>", range(min = 1, max = MAX_WINDOW))]
    pub size: Option<Spanned<u64>>,
    /// Groups of channels that are normalised together.
    #[schemars(with = "Option<u64>", range(min = 1, max = MAX_UNITS))]
    pub groups: Option<Spanned<u64>>,
    /// Words that there are; the data holds their numbers, from 0.
    #[schemars(with = "Option<u64>", range(min = 1))]
    pub words: Option<Spanned<u64>>,
    /// Probability with which a value is silenced.
    #[schemars(with = "Option<f64>", range(min = 0.0))]
    pub p: Option<Spanned<f64>>,
    /// Which states of a recurrent layer come out: the last where left out.
    #[schemars(with = "Option<Steps>")]
    pub steps: Option<Spanned<Steps>>,
    /// The way around a branch: the input as it is where left out.
    #[schemars(with = "Option<Shortcut>")]
    pub shortcut: Option<Spanned<Shortcut>>,
    /// The branch of a residual block, first to last.
    #[schemars(with = "Option<Vec<Entry>>")]
    pub layers: Option<Spanned<Vec<Entry>>>,
    /// Nonlinearity; of what it is part of where left out.
    #[schemars(with = "Option<spelled::Act>")]
    pub act: Option<Spanned<Activation>>,
    /// Initialiser of the weight, of a normalisation's gain, or of a projection.
    #[schemars(with = "Option<String>")]
    pub init: Option<Spanned<String>>,
    /// Initialiser of the weight by which a recurrent layer looks back; as `init` where left out.
    #[schemars(with = "Option<String>")]
    pub recurrent_init: Option<Spanned<String>>,
    /// Initialiser of the bias, or of a normalisation's shift; false for none.
    #[schemars(with = "Option<BiasEntry>")]
    pub bias: Option<Spanned<BiasEntry>>,
    /// Normalisation of its output.
    #[schemars(with = "Option<Norm>")]
    pub norm: Option<Spanned<Norm>>,
    /// Probability with which dropout silences an output.
    #[schemars(with = "Option<f64>", range(min = 0.0))]
    pub dropout: Option<Spanned<f64>>,
    /// Whether the optimizer is to change it, and its normalisation: true where left out.
    #[schemars(with = "Option<bool>")]
    pub trainable: Option<Spanned<bool>>,
}

/// Which states of a recurrent layer come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Steps {
    /// That of the last step.
    Last,
    /// Those of all steps: a sequence.
    All,
}

/// The way around the branch of a residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shortcut {
    /// The block's input, as it is.
    Identity,
    /// A matrix that gives it the branch's shape.
    Projection,
}

/// A bias: whether there is one, or what it is drawn as.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "bias should be a number, a scheme such as \"zeros\", or false for none")]
pub enum BiasEntry {
    Is(bool),
    Number(f64),
    Scheme(String),
}

impl Entry {
    /// Entries, those inside it among them; none where they are too deep inside each other.
    pub fn count(&self) -> Option<usize> {
        self.counted(DEEPEST)
    }

    fn counted(&self, depth: usize) -> Option<usize> {
        let inside = self.layers.as_ref().map_or(&[][..], |layers| layers.get_ref());
        let depth = depth.checked_sub(1)?;
        inside.iter().try_fold(1usize, |sum, entry| Some(sum + entry.counted(depth)?))
    }

    /// The keys that it has, and where.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, Range<usize>)> {
        fn span<T>(value: &Option<Spanned<T>>) -> Option<Range<usize>> {
            value.as_ref().map(Spanned::span)
        }
        let all = [
            ("units", span(&self.units)),
            ("channels", span(&self.channels)),
            ("kernel", span(&self.kernel)),
            ("stride", span(&self.stride)),
            ("padding", span(&self.padding)),
            ("size", span(&self.size)),
            ("groups", span(&self.groups)),
            ("words", span(&self.words)),
            ("p", span(&self.p)),
            ("steps", span(&self.steps)),
            ("shortcut", span(&self.shortcut)),
            ("layers", span(&self.layers)),
            ("act", span(&self.act)),
            ("init", span(&self.init)),
            ("recurrent-init", span(&self.recurrent_init)),
            ("bias", span(&self.bias)),
            ("norm", span(&self.norm)),
            ("dropout", span(&self.dropout)),
            ("trainable", span(&self.trainable)),
        ];
        all.into_iter().filter_map(|(key, span)| Some((key, span?)))
    }

    /// A value that its kind needs, once it is checked.
    pub fn needed<T, U>(
        &self,
        value: &Option<Spanned<T>>,
        check: impl FnOnce(&Spanned<T>) -> Checked<U>,
    ) -> Checked<U> {
        match value {
            Some(value) => check(value),
            None => wrong(&self.r#type, "it lacks what a layer of its type needs"),
        }
    }

    /// Returns a key that is for a projection alone.
    pub fn projection_key(&self) -> Option<(&'static str, Range<usize>)> {
        self.given().find(|(key, _)| matches!(*key, "init" | "trainable"))
    }

    /// A window; a stride of 0 stands for one as long as the kernel.
    pub fn window(&self, stride: u64) -> Checked<Window> {
        let kernel = self.needed(&self.kernel, |kernel| bounded("kernel", kernel, 1, MAX_WINDOW))?;
        let stride = match &self.stride {
            Some(stride) => bounded("stride", stride, 1, MAX_WINDOW)?,
            None if stride == 0 => kernel,
            None => stride,
        };
        let padding = self.padding.as_ref().map_or(Ok(0), |p| bounded("padding", p, 0, MAX_WINDOW))?;
        Ok(Window { kernel, stride, padding })
    }

    /// Initialiser of a bias.
    pub fn bias_init(&self) -> Checked<Option<Scheme>> {
        match self.bias.as_ref().map(|b| (b, b.get_ref())) {
            None | Some((_, BiasEntry::Is(_))) => Ok(None),
            Some((at, BiasEntry::Number(n))) => scheme(at, &n.to_string(), Scheme::for_bias).map(Some),
            Some((at, BiasEntry::Scheme(text))) => scheme(at, text, Scheme::for_bias).map(Some),
        }
    }

    /// Initialiser of a gain, which has no rows and columns either.
    pub fn gain(&self) -> Checked<Option<Scheme>> {
        self.init.as_ref().map(|at| scheme(at, at.get_ref(), Scheme::for_bias)).transpose()
    }

    /// Whether the optimizer is to change it.
    pub fn is_trainable(&self) -> bool {
        self.trainable.as_ref().is_none_or(|t| *t.get_ref())
    }

    /// Initialiser of its weight, where one is said.
    pub fn weight_init(&self) -> Checked<Option<Scheme>> {
        weight_scheme(&self.init)
    }

    /// Initialiser of the weight by which it looks back, where one is said.
    pub fn recurrent_weight_init(&self) -> Checked<Option<Scheme>> {
        weight_scheme(&self.recurrent_init)
    }

    /// Whether it has a bias.
    pub fn has_bias(&self) -> bool {
        !self.bias.as_ref().is_some_and(|b| matches!(b.get_ref(), BiasEntry::Is(false)))
    }
}

fn weight_scheme(value: &Option<Spanned<String>>) -> Checked<Option<Scheme>> {
    value.as_ref().map(|at| scheme(at, at.get_ref(), str::parse)).transpose()
}
