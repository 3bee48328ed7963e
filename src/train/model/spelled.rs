//! Names that a description spells, as its schema lists them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::record::Activation;
use crate::record::settings::Named;

/// Names of nonlinearities.
pub struct Act;

impl JsonSchema for Act {
    fn schema_name() -> Cow<'static, str> {
        "Activation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": Activation::ALL.iter().map(|act| act.name()).collect::<Vec<_>>() })
    }
}

/// Names of losses.
pub struct Loss;

impl JsonSchema for Loss {
    fn schema_name() -> Cow<'static, str> {
        "Loss".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let losses = crate::record::Loss::TRAINED.iter();
        json_schema!({ "enum": losses.map(|loss| loss.name()).collect::<Vec<_>>() })
    }
}
