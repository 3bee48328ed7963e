//! Residual blocks (He, Zhang, Ren and Sun, 2016): a branch of layers, and a shortcut around it.

use tch::Tensor;

use super::{conv, linear};
use crate::record::Activation;
use crate::train::model::entry::{Entry, Shortcut};
use crate::train::model::fault::{Checked, Fault};
use crate::train::model::kind::{Kind, Place};
use crate::train::model::layer_options::{LayerOptions, Window};
use crate::train::model::layers::LayerSpec;
use crate::train::model::layers::Spec;
use crate::train::model::op::Op;
use crate::train::model::ops::Activate;
use crate::train::model::planner::{Planned, Planner};
use crate::train::model::shape::Shape;
use crate::train::network::Pass;

pub static KIND: Kind = Kind {
    name: "residual",
    about: "a branch of layers whose output is added to what a shortcut passes by them",
    needs: &["layers"],
    takes: &["shortcut", "act", "init", "trainable"],
    output: false,
    resolve,
};

#[derive(Debug)]
struct Residual;

fn resolve(entry: &Entry, place: &Place) -> Checked<LayerSpec> {
    let shortcut = entry.shortcut.as_ref().map_or(Shortcut::Identity, |s| *s.get_ref());
    if let (Shortcut::Identity, Some((key, span))) = (shortcut, entry.projection_key()) {
        let reason = format!("{key} is that of a projection: say shortcut = \"projection\" as well");
        return Err(Fault { span: Some(span), reason });
    }
    let layers = (place.inside)(entry, place.between)?;
    let act = entry.act.as_ref().map_or(Activation::Identity, |act| *act.get_ref());
    // A projection is one matrix, as in the paper: what it would shift, the branch can.
    let place =
        Place { act: Activation::Identity, between: place.between, last: false, inside: place.inside };
    let projection = LayerOptions { act: Activation::Identity, bias: false, ..place.dense(entry)? };
    let dense = (shortcut == Shortcut::Projection).then_some(projection);
    Ok(LayerSpec { dense, act: Some(act), layers, ..LayerSpec::new(Residual) })
}

impl Spec for Residual {
    fn plan(&self, layer: &LayerSpec, planner: &mut Planner) -> Planned<()> {
        let name = planner.name("block");
        let (from, input) = (planner.previous(), planner.shape);
        planner.push(Fork, input);
        planner.inside(&name, |planner| layer.layers.iter().try_for_each(|l| l.spec.plan(l, planner)))?;
        let output = planner.shape;
        match &layer.dense {
            Some(dense) => {
                planner.push(Swap, input);
                projection(planner, format!("{name}.shortcut"), output, dense)?;
            }
            None if input != output => {
                return Err(format!(
                    "{name}: the branch gives {output}, but the shortcut around it passes on the {input} that {from} \
                     gives: make them equal, or say shortcut = \"projection\""
                ));
            }
            None => {}
        }
        planner.push(Add(name.clone()), output);
        let act = layer.act.unwrap_or(Activation::Identity);
        if act != Activation::Identity {
            planner.push(Activate { layer: None, kind: act, row: name }, output);
        }
        Ok(())
    }

    fn takes_norm(&self) -> bool {
        false
    }

    fn takes_act(&self) -> bool {
        false
    }
}

/// Plans the projection that makes a shortcut's values as many as the branch's.
fn projection(planner: &mut Planner, name: String, output: Shape, dense: &LayerOptions) -> Planned<()> {
    let input = planner.shape;
    // The stride that makes one side of another.
    let stride = |from: u64, to: u64| {
        let stride = from.div_ceil(to.max(1));
        (from >= to && from.div_ceil(stride) == to).then_some(stride)
    };
    let (stride, flat) = match (input, output) {
        (Shape::Row(_), Shape::Row(units)) => return linear::plan(planner, name, units, dense),
        (Shape::Sequence([a, _]), Shape::Sequence([b, _])) => (stride(a, b), false),
        (Shape::Image([_, a, b]), Shape::Image([_, c, d])) => {
            (stride(a, c).filter(|s| stride(b, d) == Some(*s)), true)
        }
        _ => (None, false),
    };
    match stride {
        Some(stride) => {
            let window = Window { kernel: 1, stride, padding: 0 };
            let conv = conv::Conv { channels: output.units(), window, flat };
            conv::plan(planner, name, conv, dense)
        }
        None => Err(format!(
            "{name}: the branch gives {}, and no stride makes them of the block's {}",
            output.described(),
            input.described()
        )),
    }
}

/// Keeps what the shortcut passes on.
#[derive(Debug)]
struct Fork;

impl Op for Fork {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        pass.keep_shortcut(x.shallow_clone());
        x
    }

    fn is_view(&self) -> bool {
        true
    }
}

/// From the end of the branch to the beginning of the shortcut.
#[derive(Debug)]
struct Swap;

impl Op for Swap {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        let shortcut = pass.take_shortcut();
        pass.keep_shortcut(x.shallow_clone());
        shortcut.unwrap_or(x)
    }

    fn is_view(&self) -> bool {
        true
    }
}

/// Adds branch and shortcut.
#[derive(Debug)]
struct Add(String);

impl Op for Add {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        match pass.take_shortcut() {
            Some(shortcut) => x + shortcut,
            None => x,
        }
    }

    fn named(&self) -> Option<String> {
        Some(self.0.clone())
    }

    fn row(&self) -> Option<(String, &'static str)> {
        Some((self.0.clone(), "residual"))
    }
}
