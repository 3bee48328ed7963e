//! The part of a record that describes a model.

use super::data::Dataset;
use super::model::{Model, Plan};
use super::script::Loaded;
use crate::record::settings::{Norm, Setting};
use crate::record::{Activation, Layer, Run, TORCHSCRIPT};

/// The part of a record's header that describes a model.
pub struct ModelMetadata {
    pub format: Option<String>,
    pub layers: Vec<Layer>,
    pub init: String,
    pub bias: String,
    pub activation: Setting<Activation>,
    pub lrelu_slope: f64,
    pub norm: Setting<Norm>,
    pub dropout: f64,
    pub takes_token_ids: bool,
}

impl ModelMetadata {
    /// Describes a model that is laid out.
    pub fn from_plan(model: &Model, plan: &Plan) -> Self {
        Self {
            format: None,
            layers: plan.layers.iter().map(|l| l.layer.clone()).collect(),
            init: plan.init_text(|(weight, _)| weight),
            bias: plan.init_text(|(_, bias)| bias),
            activation: model.activation().into(),
            lrelu_slope: model.lrelu_slope,
            norm: model.norm().into(),
            dropout: model.dropout(),
            takes_token_ids: plan.vocab_size.is_some(),
        }
    }

    /// Describes a program, of which little more is known than its layers.
    pub fn from_program(program: &Loaded, data: &Dataset) -> Self {
        let unknown = Run::new("", data.loss, 0, 0);
        Self {
            format: Some(TORCHSCRIPT.into()),
            layers: program.layers.clone(),
            init: "as saved".into(),
            bias: "as saved".into(),
            activation: unknown.activation,
            lrelu_slope: unknown.lrelu_slope,
            norm: "unknown".into(),
            dropout: unknown.dropout,
            takes_token_ids: false,
        }
    }
}
