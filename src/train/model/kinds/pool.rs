//! Pooling: the largest or the mean value of every window, or of as many windows as are asked for.

use tch::Tensor;

use super::conv::slid;
use crate::train::model::entry::Entry;
use crate::train::model::fault::{Checked, bounded, wrong};
use crate::train::model::kind::Kind;
use crate::train::model::layer_options::Window;
use crate::train::model::layers::LayerSpec;
use crate::train::model::layers::Spec;
use crate::train::model::op::Op;
use crate::train::model::planner::Takes;
use crate::train::model::planner::{Planned, Planner};
use crate::train::model::shape::Shape;
use crate::train::network::Pass;

/// Side of what an adaptive pooling gives, at most.
const MAX_SIZE: u64 = 1 << 10;

/// A kind with windows of its own.
macro_rules! windows {
    ($name:literal, $about:literal, $max:literal, $flat:literal) => {
        Kind {
            name: $name,
            about: $about,
            needs: &["kernel"],
            takes: &["stride", "padding"],
            output: false,
            resolve: |entry, _| windows(entry, $name, $max, $flat),
        }
    };
}

/// A kind with as many windows as are asked for.
macro_rules! adaptive {
    ($name:literal, $about:literal, $max:literal, $flat:literal) => {
        Kind {
            name: $name,
            about: $about,
            needs: &[],
            takes: &["size"],
            output: false,
            resolve: |entry, _| adaptive(entry, $name, $max, $flat),
        }
    };
}

pub static MAX_1D: Kind = windows!("max-pool1d", "the largest value of every few steps", true, false);
pub static MAX_2D: Kind = windows!("max-pool2d", "the largest value of every window", true, true);
pub static AVG_1D: Kind = windows!("avg-pool1d", "the mean of every few steps", false, false);
pub static AVG_2D: Kind = windows!("avg-pool2d", "the mean of every window", false, true);
pub static ADAPTIVE_MAX_1D: Kind =
    adaptive!("adaptive-max-pool1d", "the largest values of so many parts of the steps", true, false);
pub static ADAPTIVE_MAX_2D: Kind =
    adaptive!("adaptive-max-pool2d", "the largest values of so many parts of either side", true, true);
pub static ADAPTIVE_AVG_1D: Kind =
    adaptive!("adaptive-avg-pool1d", "the means of so many parts of the steps", false, false);
pub static ADAPTIVE_AVG_2D: Kind =
    adaptive!("adaptive-avg-pool2d", "the means of so many parts of either side", false, true);

#[derive(Clone, Copy, Debug)]
struct Pool {
    kind: &'static str,
    max: bool,
    flat: bool,
    parts: Parts,
}

#[derive(Clone, Copy, Debug)]
enum Parts {
    Windows(Window),
    /// So many of every side.
    Number(u64),
}

fn windows(entry: &Entry, kind: &'static str, max: bool, flat: bool) -> Checked<LayerSpec> {
    let window = entry.window(0)?;
    match &entry.padding {
        // libtorch refuses it in the middle of a run.
        Some(padding) if 2 * window.padding > window.kernel => {
            wrong(padding, format!("the padding of a {kind} is at most half of its kernel"))
        }
        _ => Ok(LayerSpec::new(Pool { kind, max, flat, parts: Parts::Windows(window) })),
    }
}

fn adaptive(entry: &Entry, kind: &'static str, max: bool, flat: bool) -> Checked<LayerSpec> {
    let size = entry.size.as_ref().map_or(Ok(1), |n| bounded("size", n, 1, MAX_SIZE))?;
    Ok(LayerSpec::new(Pool { kind, max, flat, parts: Parts::Number(size) }))
}

impl Spec for Pool {
    fn plan(&self, _layer: &LayerSpec, planner: &mut Planner) -> Planned<()> {
        let shape = match self.flat {
            true => Shape::Image(planner.image(self.kind)?),
            false => Shape::Sequence(planner.sequence(self.kind)?),
        };
        let output = match (self.parts, shape) {
            (Parts::Windows(window), _) => slid(planner, self.kind, shape, window, shape.units())?,
            (Parts::Number(n), Shape::Image([channels, ..])) => Shape::Image([channels, n, n]),
            (Parts::Number(n), _) => Shape::Sequence([n, shape.units()]),
        };
        let name = planner.name("pool");
        planner.continue_layer(Pooling { pool: *self, name }, output);
        Ok(())
    }

    fn takes(&self) -> Takes {
        if self.flat { Takes::Images } else { Takes::Sequences }
    }
}

#[derive(Debug)]
struct Pooling {
    pool: Pool,
    name: String,
}

impl Op for Pooling {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        let Pool { max, flat, parts, .. } = self.pool;
        let largest = match (parts, flat) {
            (Parts::Windows(Window { kernel, stride, padding }), _) => {
                let [kernel, stride, padding] = [kernel, stride, padding].map(|n| n as i64);
                match (max, flat) {
                    (true, true) => {
                        x.max_pool2d_with_indices([kernel; 2], [stride; 2], [padding; 2], [1, 1], false)
                    }
                    (true, false) => x.max_pool1d_with_indices([kernel], [stride], [padding], [1], false),
                    (false, true) => {
                        let (kernel, stride, padding) = ([kernel; 2], [stride; 2], [padding; 2]);
                        return x.avg_pool2d(kernel, stride, padding, false, true, None::<i64>);
                    }
                    (false, false) => return x.avg_pool1d([kernel], [stride], [padding], false, true),
                }
            }
            (Parts::Number(n), true) if max => x.adaptive_max_pool2d([n as i64; 2]),
            (Parts::Number(n), false) if max => x.adaptive_max_pool1d([n as i64]),
            (Parts::Number(n), true) => return x.adaptive_avg_pool2d([n as i64; 2]),
            (Parts::Number(n), false) => return x.adaptive_avg_pool1d([n as i64]),
        };
        let (output, indices) = largest;
        pass.pooled(&indices);
        output
    }

    fn named(&self) -> Option<String> {
        Some(format!("the {}", self.pool.kind))
    }

    fn row(&self) -> Option<(String, &'static str)> {
        Some((self.name.clone(), self.pool.kind))
    }
}
