//! One of `[[layers]]` in a description.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::fault::{Checked, Fault, MOST_UNITS, bounded, probability, scheme, wrong};
use super::layers::{Dense, LayerSpec, Norm, Window};
use crate::record::Activation;
use crate::train::Scheme;

/// Side, stride or padding of a window, at most.
const LARGEST_WINDOW: u64 = 1 << 10;

/// One of `[[layers]]`, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    r#type: Spanned<Type>,
    units: Option<Spanned<u64>>,
    channels: Option<Spanned<u64>>,
    kernel: Option<Spanned<u64>>,
    stride: Option<Spanned<u64>>,
    padding: Option<Spanned<u64>>,
    act: Option<Spanned<Activation>>,
    init: Option<Spanned<String>>,
    bias: Option<Spanned<BiasEntry>>,
    norm: Option<Spanned<Norm>>,
    dropout: Option<Spanned<f64>>,
    trainable: Option<Spanned<bool>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Type {
    Linear,
    Conv2d,
    MaxPool2d,
    Flatten,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Linear => "linear",
            Type::Conv2d => "conv2d",
            Type::MaxPool2d => "max-pool2d",
            Type::Flatten => "flatten",
        }
    }

    /// The keys that it takes beside `type`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Type::Linear => &["units", "act", "init", "bias", "norm", "dropout", "trainable"],
            Type::Conv2d => &[
                "channels",
                "kernel",
                "stride",
                "padding",
                "act",
                "init",
                "bias",
                "norm",
                "dropout",
                "trainable",
            ],
            Type::MaxPool2d => &["kernel", "stride", "padding"],
            Type::Flatten => &[],
        }
    }
}

#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "bias should be a number, a scheme such as \"zeros\", or false for none")]
enum BiasEntry {
    Is(bool),
    Number(f64),
    Scheme(String),
}

impl Entry {
    /// What it means; `act` is its nonlinearity where it names none.
    pub fn resolve(&self, act: Activation, last: bool) -> Checked<LayerSpec> {
        self.check_keys()?;
        let kind = *self.r#type.get_ref();
        if last && kind != Type::Linear {
            return wrong(
                &self.r#type,
                format!("the last layer gives the output and is linear, not {}", kind.name()),
            );
        }
        Ok(match kind {
            Type::Linear => {
                let units = self.units.as_ref().map(|n| bounded("units", n, 1, MOST_UNITS)).transpose()?;
                if units.is_none() && !last {
                    return wrong(
                        &self.r#type,
                        "a linear layer needs units; only the last has as many as the data needs",
                    );
                }
                LayerSpec::Linear { units, dense: self.dense(act, last)? }
            }
            Type::Conv2d => LayerSpec::Conv2d {
                channels: match &self.channels {
                    Some(channels) => bounded("channels", channels, 1, MOST_UNITS)?,
                    None => return wrong(&self.r#type, "a conv2d layer needs channels"),
                },
                window: self.window(1)?,
                dense: self.dense(act, last)?,
            },
            Type::MaxPool2d => {
                let window = self.window(0)?;
                match &self.padding {
                    // libtorch refuses it in the middle of a run.
                    Some(padding) if 2 * window.padding > window.kernel => {
                        return wrong(padding, "the padding of a max-pool2d is at most half of its kernel");
                    }
                    _ => LayerSpec::MaxPool2d(window),
                }
            }
            Type::Flatten => LayerSpec::Flatten,
        })
    }

    fn check_keys(&self) -> Checked<()> {
        fn span<T>(value: &Option<Spanned<T>>) -> Option<Range<usize>> {
            value.as_ref().map(Spanned::span)
        }
        let given = [
            ("units", span(&self.units)),
            ("channels", span(&self.channels)),
            ("kernel", span(&self.kernel)),
            ("stride", span(&self.stride)),
            ("padding", span(&self.padding)),
            ("act", span(&self.act)),
            ("init", span(&self.init)),
            ("bias", span(&self.bias)),
            ("norm", span(&self.norm)),
            ("dropout", span(&self.dropout)),
            ("trainable", span(&self.trainable)),
        ];
        let kind = *self.r#type.get_ref();
        let misplaced = given.into_iter().find(|(key, span)| span.is_some() && !kind.keys().contains(key));
        let Some((key, span)) = misplaced else { return Ok(()) };
        let takes = match kind.keys() {
            [] => "nothing".into(),
            keys => keys.join(", "),
        };
        Err(Fault { span, reason: format!("a {} layer takes no {key}; it takes {takes}", kind.name()) })
    }

    /// A window; a stride of 0 stands for one as long as the kernel.
    fn window(&self, stride: u64) -> Checked<Window> {
        let Some(kernel) = &self.kernel else {
            return wrong(&self.r#type, format!("a {} layer needs a kernel", self.r#type.get_ref().name()));
        };
        let kernel = bounded("kernel", kernel, 1, LARGEST_WINDOW)?;
        let stride = match &self.stride {
            Some(stride) => bounded("stride", stride, 1, LARGEST_WINDOW)?,
            None if stride == 0 => kernel,
            None => stride,
        };
        let padding = self.padding.as_ref().map_or(Ok(0), |p| bounded("padding", p, 0, LARGEST_WINDOW))?;
        Ok(Window { kernel, stride, padding })
    }

    fn dense(&self, act: Activation, last: bool) -> Checked<Dense> {
        let bias_init = match self.bias.as_ref().map(|b| (b, b.get_ref())) {
            None | Some((_, BiasEntry::Is(_))) => None,
            Some((at, BiasEntry::Number(n))) => Some(scheme(at, &n.to_string(), Scheme::for_bias)?),
            Some((at, BiasEntry::Scheme(text))) => Some(scheme(at, text, Scheme::for_bias)?),
        };
        if let (Some(norm), true) = (&self.norm, last) {
            return wrong(norm, "the last layer gives the output, which is not normalised");
        }
        if let (Some(dropout), true) = (&self.dropout, last) {
            return wrong(dropout, "the last layer gives the output, which takes no dropout");
        }
        Ok(Dense {
            act: self.act.as_ref().map_or(act, |a| *a.get_ref()),
            init: self.init.as_ref().map(|at| scheme(at, at.get_ref(), str::parse)).transpose()?,
            bias: !self.bias.as_ref().is_some_and(|b| matches!(b.get_ref(), BiasEntry::Is(false))),
            bias_init,
            norm: self.norm.as_ref().map_or(Norm::None, |n| *n.get_ref()),
            dropout: self.dropout.as_ref().map_or(Ok(0.0), probability)?,
            trainable: self.trainable.as_ref().is_none_or(|t| *t.get_ref()),
        })
    }
}
