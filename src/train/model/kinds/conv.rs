//! Convolutions, over the steps of sequences and over images.

use tch::Tensor;

use crate::record::{Activation, LayerKind};
use crate::train::init::Init;
use crate::train::model::entry::Entry;
use crate::train::model::fault::{Checked, MAX_UNITS, bounded};
use crate::train::model::kind::{Kind, Place};
use crate::train::model::layer_options::{LayerOptions, Window};
use crate::train::model::layers::LayerSpec;
use crate::train::model::layers::Spec;
use crate::train::model::op::Op;
use crate::train::model::planner::Takes;
use crate::train::model::planner::{Planned, Planner, Weighted};
use crate::train::model::shape::Shape;
use crate::train::network::Pass;

const TAKES: &[&str] = &["stride", "padding", "act", "init", "bias", "norm", "dropout", "trainable"];

pub static CONV1D: Kind = Kind {
    name: "conv1d",
    about: "a convolution along the steps of a sequence",
    needs: &["channels", "kernel"],
    takes: TAKES,
    output: false,
    resolve: |entry, place| resolve(entry, place, false),
};

pub static CONV2D: Kind = Kind {
    name: "conv2d",
    about: "a convolution over an image",
    needs: &["channels", "kernel"],
    takes: TAKES,
    output: false,
    resolve: |entry, place| resolve(entry, place, true),
};

/// A convolution over images if `flat`, else over sequences.
#[derive(Clone, Copy, Debug)]
pub struct Conv {
    pub channels: u64,
    pub window: Window,
    pub flat: bool,
}

fn resolve(entry: &Entry, place: &Place, flat: bool) -> Checked<LayerSpec> {
    let channels = entry.needed(&entry.channels, |n| bounded("channels", n, 1, MAX_UNITS))?;
    let window = entry.window(1)?;
    Ok(LayerSpec::with(Conv { channels, window, flat }, place.dense(entry)?))
}

impl Spec for Conv {
    fn plan(&self, layer: &LayerSpec, planner: &mut Planner) -> Planned<()> {
        let name = planner.name("conv");
        let dense = layer.dense.clone().unwrap_or(LayerOptions::new(Activation::Identity));
        plan(planner, name, *self, &dense)
    }

    fn takes(&self) -> Takes {
        if self.flat { Takes::Images } else { Takes::Sequences }
    }
}

/// Plans a convolution of this name.
pub fn plan(planner: &mut Planner, name: String, conv: Conv, dense: &LayerOptions) -> Planned<()> {
    let Conv { channels, window, flat } = conv;
    let (shape, weight, kind) = if flat {
        let image = planner.image(&name)?;
        let shape = Shape::Image(image);
        (shape, vec![channels, image[0], window.kernel, window.kernel], LayerKind::Conv2d)
    } else {
        let [steps, features] = planner.sequence(&name)?;
        (Shape::Sequence([steps, features]), vec![channels, features, window.kernel], LayerKind::Conv1d)
    };
    let output = slid(planner, &name, shape, window, channels)?;
    let default = (Init::Default, Init::Default);
    let layer = planner.weighted(Weighted { name, kind, shape: weight, default, with_next: false }, dense)?;
    planner.push(Convolve { layer: [layer], window, flat }, output);
    planner.finish(layer, dense);
    Ok(())
}

/// The shape of what a window gives that moves over this.
pub fn slid(planner: &Planner, name: &str, shape: Shape, window: Window, channels: u64) -> Planned<Shape> {
    let Window { kernel, stride, padding } = window;
    let fits = |side: u64| side + 2 * padding >= kernel;
    let positions = |side: u64| (side + 2 * padding - kernel) / stride + 1;
    match shape {
        Shape::Image([_, height, width]) if fits(height) && fits(width) => {
            Ok(Shape::Image([channels, positions(height), positions(width)]))
        }
        Shape::Sequence([steps, _]) if fits(steps) => Ok(Shape::Sequence([positions(steps), channels])),
        _ => {
            let kernel = match shape {
                Shape::Image(_) => format!("{kernel} × {kernel}"),
                _ => counted_steps(kernel),
            };
            Err(format!(
                "{name}: a kernel of {kernel} with a padding of {padding} does not fit into the {shape} that {} gives",
                planner.previous()
            ))
        }
    }
}

fn counted_steps(steps: u64) -> String {
    crate::text::counted(steps, "step")
}

#[derive(Debug)]
struct Convolve {
    layer: [usize; 1],
    window: Window,
    flat: bool,
}

impl Op for Convolve {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        let parameters = pass.parameters(self.layer[0]);
        let (weight, bias) = (&parameters.weight, parameters.bias.as_ref());
        let (stride, padding) = (self.window.stride as i64, self.window.padding as i64);
        let output = if self.flat {
            x.conv2d(weight, bias, [stride, stride], [padding, padding], [1, 1], 1)
        } else {
            x.conv1d(weight, bias, [stride], [padding], [1], 1)
        };
        pass.weighted(self.layer[0], output)
    }

    fn layers(&self) -> &[usize] {
        &self.layer
    }
}
