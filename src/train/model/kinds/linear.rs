//! Fully connected layers.

use tch::Tensor;

use crate::record::{Activation, LayerKind};
use crate::train::init::Init;
use crate::train::model::entry::Entry;
use crate::train::model::fault::{Checked, MAX_UNITS, bounded, wrong};
use crate::train::model::kind::{Kind, Place};
use crate::train::model::layer_options::LayerOptions;
use crate::train::model::layers::LayerSpec;
use crate::train::model::layers::Spec;
use crate::train::model::op::Op;
use crate::train::model::planner::Takes;
use crate::train::model::planner::{Planned, Planner, Weighted};
use crate::train::model::shape::Shape;
use crate::train::network::Pass;

pub static KIND: Kind = Kind {
    name: "linear",
    about: "fully connected; the last one has as many units as the data needs",
    needs: &[],
    takes: &["units", "act", "init", "bias", "norm", "dropout", "trainable"],
    output: true,
    resolve,
};

#[derive(Debug)]
struct Linear {
    /// As many as the data needs where left out (the last layer).
    units: Option<u64>,
}

/// A hidden layer of the short form; of the last one `units` is `None`.
pub fn hidden(units: Option<u64>, dense: LayerOptions) -> LayerSpec {
    LayerSpec::with(Linear { units }, dense)
}

fn resolve(entry: &Entry, place: &Place) -> Checked<LayerSpec> {
    let units = entry.units.as_ref().map(|n| bounded("units", n, 1, MAX_UNITS)).transpose()?;
    if units.is_none() && !place.last {
        return wrong(
            &entry.r#type,
            "a linear layer needs units; only the last has as many as the data needs",
        );
    }
    Ok(hidden(units, place.dense(entry)?))
}

impl Spec for Linear {
    fn plan(&self, layer: &LayerSpec, planner: &mut Planner) -> Planned<()> {
        let name = planner.name("fc");
        let units = match (self.units, planner.needed) {
            (Some(units), Some(needed)) if units != needed => {
                return Err(format!(
                    "{name} is the last layer and gives {units} outputs, but the data needs {needed}: leave its units out"
                ));
            }
            // A description says the units of every layer but the last.
            (units, needed) => units.or(needed).unwrap_or(1),
        };
        plan(planner, name, units, &layer.dense.clone().unwrap_or(LayerOptions::new(Activation::Identity)))
    }

    fn takes(&self) -> Takes {
        Takes::Rows
    }
}

/// A fully connected layer of this name.
pub fn plan(planner: &mut Planner, name: String, units: u64, dense: &LayerOptions) -> Planned<()> {
    let shape = vec![units, planner.row(&name)?];
    let default = (Init::Default, Init::Default);
    let weighted = Weighted { name, kind: LayerKind::Linear, shape, default, with_next: false };
    let layer = planner.weighted(weighted, dense)?;
    planner.push(Multiply([layer]), Shape::Row(units));
    planner.finish(layer, dense);
    Ok(())
}

#[derive(Debug)]
struct Multiply([usize; 1]);

impl Op for Multiply {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        let parameters = pass.parameters(self.0[0]);
        let output = x.linear(&parameters.weight, parameters.bias.as_ref());
        pass.weighted(self.0[0], output)
    }

    fn layers(&self) -> &[usize] {
        &self.0
    }
}
