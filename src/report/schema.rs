//! JSON Schemas of what gradscope writes, generated from the types that write it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::Summary;
use crate::record::Line;

/// Of `summary.json`, as it is written.
pub fn summary() -> Schema {
    titled::<Summary>(SchemaSettings::draft2020_12().for_serialize(), super::SUMMARY_SCHEMA)
}

/// Of every line of a record, as it is read: what a recorder of one's own has to write.
pub fn record() -> Schema {
    titled::<Line>(SchemaSettings::draft2020_12().for_deserialize(), crate::record::SCHEMA)
}

fn titled<T: JsonSchema>(settings: SchemaSettings, title: &str) -> Schema {
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    schema
}
