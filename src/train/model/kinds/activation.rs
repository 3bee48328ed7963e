//! Nonlinearities that stand alone. One that follows a layer which has none is that layer's.

use tch::Tensor;

use super::{Kind, Op, Spec};
use crate::record::Activation;
use crate::train::model::layers::LayerSpec;
use crate::train::model::planner::{Planned, Planner};
use crate::train::network::Pass;

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

/// A nonlinearity in a forward pass.
#[derive(Debug)]
pub struct Activate {
    /// The layer that it is of, if any.
    pub layer: Option<usize>,
    pub kind: Activation,
    /// The row of the parameter table that has it.
    pub row: String,
}

impl Op for Activate {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        pass.activate(self.layer, self.kind, &x)
    }

    fn named(&self) -> Option<String> {
        Some(self.row.clone())
    }

    fn activation(&self) -> Option<(&str, Activation)> {
        Some((&self.row, self.kind))
    }

    fn is_view(&self) -> bool {
        self.kind == Activation::Identity
    }
}
