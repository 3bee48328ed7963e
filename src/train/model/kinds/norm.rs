//! Normalisations, with a gain and a shift a unit.

use tch::Tensor;

use super::{Kind, Op, Spec};
use crate::record::LayerKind;
use crate::train::Scheme;
use crate::train::init::Init;
use crate::train::model::entry::Entry;
use crate::train::model::fault::{Checked, MOST_UNITS, bounded};
use crate::train::model::layers::LayerSpec;
use crate::train::model::planner::{Planned, Planner};
use crate::train::network::{Mode, Parameters, Pass};

/// PyTorch's default for the running statistics of batch normalisation.
const BATCH_NORM_MOMENTUM: f64 = 0.1;
/// PyTorch's default for all of them.
const NORM_EPS: f64 = 1e-5;

const TAKES: &[&str] = &["init", "bias", "trainable"];

pub static BATCH: Kind = Kind {
    name: "batch-norm",
    about: "batch normalisation of rows, sequences or images, a gain and a shift a unit",
    needs: &[],
    takes: TAKES,
    output: false,
    resolve: |entry, _| resolve(entry, Over::Batch),
};

pub static LAYER: Kind = Kind {
    name: "layer-norm",
    about: "layer normalisation: of rows, of every step, or of all channels of an image",
    needs: &[],
    takes: TAKES,
    output: false,
    resolve: |entry, _| resolve(entry, Over::Layer),
};

pub static GROUP: Kind = Kind {
    name: "group-norm",
    about: "normalisation of so many groups of channels",
    needs: &["groups"],
    takes: TAKES,
    output: false,
    resolve: |entry, _| {
        let groups = entry.needed(&entry.groups, |n| bounded("groups", n, 1, MOST_UNITS))?;
        resolve(entry, Over::Groups(groups))
    },
};

/// What mean and variance are taken over.
#[derive(Clone, Copy, Debug)]
pub enum Over {
    /// Rows and positions, unit by unit.
    Batch,
    /// The units of a row or of a step; of an image all channels and positions.
    Layer,
    /// So many groups of channels, with all positions.
    Groups(u64),
}

impl Over {
    /// What a record calls it.
    pub fn kind(self) -> LayerKind {
        match self {
            Over::Batch => LayerKind::BatchNorm,
            Over::Layer => LayerKind::LayerNorm,
            Over::Groups(_) => LayerKind::GroupNorm,
        }
    }

    /// What names begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Over::Batch => "bn",
            Over::Layer => "ln",
            Over::Groups(_) => "gn",
        }
    }
}

#[derive(Debug)]
struct Norm {
    over: Over,
    trainable: bool,
    /// Of gain and shift, where either is said.
    init: Option<(Scheme, Scheme)>,
}

fn resolve(entry: &Entry, over: Over) -> Checked<LayerSpec> {
    let (gain, shift) = (entry.gain()?, entry.bias_init()?);
    let default = || Scheme { text: "default".into(), init: Init::Default };
    let init = (gain.is_some() || shift.is_some())
        .then(|| (gain.unwrap_or_else(default), shift.unwrap_or_else(default)));
    Ok(LayerSpec::new(Norm { over, trainable: entry.is_trainable(), init }))
}

impl Spec for Norm {
    fn plan(&self, _layer: &LayerSpec, planner: &mut Planner) -> Planned<()> {
        let units = planner.shape.units();
        if let Over::Groups(groups) = self.over
            && !units.is_multiple_of(groups)
        {
            return Err(format!(
                "a group-norm of {groups} groups does not divide the {units} units that {} gives ({})",
                planner.previous(),
                planner.shape.described()
            ));
        }
        planner.normalise(self.over, self.trainable, self.init.clone());
        Ok(())
    }
}

/// A normalisation in a forward pass.
#[derive(Debug)]
pub struct Normalise {
    pub layer: [usize; 1],
    pub over: Over,
}

impl Op for Normalise {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        let Parameters { weight, bias, running } = pass.parameters(self.layer[0]);
        let (gain, shift) = (Some(weight), bias.as_ref());
        let of_features = |x: &Tensor| x.layer_norm(weight.size(), gain, shift, NORM_EPS, false);
        match self.over {
            Over::Batch => {
                let (mean, variance) = running.as_ref().map(|(m, v)| (m, v)).unzip();
                let momentum = if pass.mode == Mode::Train { BATCH_NORM_MOMENTUM } else { 0.0 };
                let of_batch = pass.mode != Mode::Evaluate;
                x.batch_norm(gain, shift, mean, variance, of_batch, momentum, NORM_EPS, false)
            }
            Over::Layer => match x.dim() {
                2 => of_features(&x),
                // Every step by itself; features come first in memory.
                3 => of_features(&x.transpose(1, 2)).transpose(1, 2),
                // One group of all channels: normalised together, with a gain a channel.
                _ => x.group_norm(1, gain, shift, NORM_EPS, false),
            },
            Over::Groups(groups) => x.group_norm(groups as i64, gain, shift, NORM_EPS, false),
        }
    }

    fn layers(&self) -> &[usize] {
        &self.layer
    }
}
