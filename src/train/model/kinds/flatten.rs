//! Images and sequences to rows of numbers, and back.

use tch::Tensor;

use crate::train::model::kind::Kind;
use crate::train::model::layers::LayerSpec;
use crate::train::model::layers::Spec;
use crate::train::model::op::Op;
use crate::train::model::planner::{Planned, Planner};
use crate::train::model::shape::Shape;
use crate::train::network::Pass;

pub static KIND: Kind = Kind {
    name: "flatten",
    about: "images or sequences to rows of numbers",
    needs: &[],
    takes: &[],
    output: false,
    resolve: |_, _| Ok(LayerSpec::new(Flatten)),
};

#[derive(Clone, Copy, Debug)]
struct Flatten;

impl Spec for Flatten {
    fn plan(&self, _layer: &LayerSpec, planner: &mut Planner) -> Planned<()> {
        let name = planner.name("flatten");
        // There is hardly ever more than one.
        let name = name.strip_suffix('1').unwrap_or(&name).to_owned();
        planner.push(Flattened(name), Shape::Row(planner.shape.values()));
        Ok(())
    }
}

#[derive(Debug)]
struct Flattened(String);

impl Op for Flattened {
    fn forward(&self, x: Tensor, _pass: &mut Pass) -> Tensor {
        x.flatten(1, -1)
    }

    fn named(&self) -> Option<String> {
        Some("the flatten".into())
    }

    fn row(&self) -> Option<(String, &'static str)> {
        Some((self.0.clone(), "flatten"))
    }

    fn is_view(&self) -> bool {
        true
    }
}
