//! Nonlinearities that stand alone. One that follows a layer which has none is that layer's.

use crate::record::Activation;
use crate::train::model::kind::Kind;
use crate::train::model::layers::LayerSpec;
use crate::train::model::layers::Spec;
use crate::train::model::planner::{Planned, Planner};

pub static KIND: Kind = Kind {
    name: "activation",
    about: "a nonlinearity",
    needs: &["act"],
    takes: &[],
    output: false,
    resolve: |entry, _| {
        let act = entry.needed(&entry.act, |act| Ok(*act.get_ref()))?;
        Ok(LayerSpec { act: Some(act), ..LayerSpec::new(Alone) })
    },
};

#[derive(Debug)]
struct Alone;

impl Spec for Alone {
    fn plan(&self, layer: &LayerSpec, planner: &mut Planner) -> Planned<()> {
        planner.activate(layer.act.unwrap_or(Activation::Identity));
        Ok(())
    }
}
