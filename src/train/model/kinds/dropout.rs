//! Dropout.

use tch::Tensor;

use super::{Kind, Op, Spec};
use crate::train::model::fault::probability;
use crate::train::model::layers::LayerSpec;
use crate::train::model::planner::{Planned, Planner};
use crate::train::network::{Mode, Pass};

pub static KIND: Kind = Kind {
    name: "dropout",
    about: "silences values at random in training, with this probability",
    needs: &["p"],
    takes: &[],
    output: false,
    resolve: |entry, _| Ok(LayerSpec::new(Dropout(entry.needed(&entry.p, probability)?))),
};

/// With this probability.
#[derive(Clone, Copy, Debug)]
pub struct Dropout(pub f64);

impl Spec for Dropout {
    fn plan(&self, _layer: &LayerSpec, planner: &mut Planner) -> Planned<()> {
        planner.dropout(self.0);
        Ok(())
    }

    fn dropout(&self) -> f64 {
        self.0
    }
}

impl Op for Dropout {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        x.dropout(self.0, pass.mode == Mode::Train)
    }
}
