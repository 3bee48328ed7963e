//! Names that a description spells, as its schema lists them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::record::Activation;

/// Names of nonlinearities.
pub struct Act;

impl JsonSchema for Act {
    fn schema_name() -> Cow<'static, str> {
        "Activation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": Activation::ALL.map(Activation::name) })
    }
}

/// Names of losses.
pub struct Loss;

impl JsonSchema for Loss {
    fn schema_name() -> Cow<'static, str> {
        "Loss".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        use crate::record::Loss::{Bce, CrossEntropy, Mse};
        let names = [Bce, Mse, CrossEntropy].map(|loss| loss.name());
        json_schema!({ "enum": names })
    }
}
