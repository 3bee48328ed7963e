//! The walk through a description that makes a plan of it for given data.

use super::description::Model;
use super::layers::LayerSpec;
use super::plan::{Plan, Sizes};
use super::planner::{Planned, Planner, Takes};
use super::shape::Shape;
use crate::text::count;
use crate::train::TrainError;

/// Parameters of a model, at most: with gradients, optimizer state and what is measured, training holds
/// some five copies of them, 20 GiB.
const MAX_PARAMETERS: u64 = 1 << 30;

impl Plan {
    /// Works out all shapes.
    ///
    /// # Errors
    /// [`TrainError::Model`] naming the layer and the two shapes that do not fit each other.
    pub fn new(model: &Model, sizes: Sizes) -> Result<Self, TrainError> {
        let (init, bias) = model.schemes()?;
        let empty = Self {
            input: Shape::Row(sizes.columns),
            ops: Vec::new(),
            layers: Vec::new(),
            lrelu_slope: model.lrelu_slope,
            vocab_size: None,
            batch_norm: None,
        };
        let plan = whole(Planner::new(empty, sizes, init, bias), &model.layers)
            .map_err(|reason| TrainError::Model { place: format!("model {}", model.name), reason })?;
        match plan.parameters() {
            n if n > MAX_PARAMETERS => Err(TrainError::Settings(format!(
                "model {} would have {} parameters; at most {} are trained",
                model.name,
                count(n),
                count(MAX_PARAMETERS)
            ))),
            _ => Ok(plan),
        }
    }
}

/// Plans all layers of a model.
fn whole(mut planner: Planner, layers: &[LayerSpec]) -> Planned<Plan> {
    planner.start(first_need(layers))?;
    for (index, layer) in layers.iter().enumerate() {
        if index + 1 == layers.len() {
            planner.begin_last();
        }
        layer.spec.plan(layer, &mut planner)?;
    }
    Ok(planner.plan)
}

/// Returns the kind of input that the first layers need which take one alone.
fn first_need(layers: &[LayerSpec]) -> Takes {
    let mut needs = layers.iter().map(|layer| match layer.layers.as_slice() {
        [] => layer.spec.takes(),
        inside => first_need(inside),
    });
    needs.find(|takes| *takes != Takes::Anything).unwrap_or(Takes::Anything)
}
