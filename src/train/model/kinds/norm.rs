//! Normalisations, with a gain and a shift a unit.

use crate::train::Scheme;
use crate::train::init::Init;
use crate::train::model::entry::Entry;
use crate::train::model::fault::{Checked, MAX_UNITS, bounded};
use crate::train::model::kind::Kind;
use crate::train::model::layers::LayerSpec;
use crate::train::model::layers::Spec;
use crate::train::model::ops::Over;
use crate::train::model::planner::{Planned, Planner};

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
        let groups = entry.needed(&entry.groups, |n| bounded("groups", n, 1, MAX_UNITS))?;
        resolve(entry, Over::Groups(groups))
    },
};

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
