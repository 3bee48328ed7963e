//! Dropout, a layer of its own (Srivastava et al., 2014).

use crate::train::model::fault::probability;
use crate::train::model::kind::Kind;
use crate::train::model::layers::LayerSpec;
use crate::train::model::layers::Spec;
use crate::train::model::ops::Dropout;
use crate::train::model::planner::{Planned, Planner};

pub static KIND: Kind = Kind {
    name: "dropout",
    about: "silences values at random in training, with this probability",
    needs: &["p"],
    takes: &[],
    output: false,
    resolve: |entry, _| Ok(LayerSpec::new(Dropout(entry.needed(&entry.p, probability)?))),
};

impl Spec for Dropout {
    fn plan(&self, _layer: &LayerSpec, planner: &mut Planner) -> Planned<()> {
        planner.dropout(self.0);
        Ok(())
    }

    fn dropout(&self) -> f64 {
        self.0
    }
}
