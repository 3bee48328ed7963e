//! The JSON Schema of a model file, for editors: generated from the types that read it and from the kinds
//! of layer that there are.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::file::File;
use super::kind::Kind;
use super::kinds::KINDS;

/// Name and version of the format.
const TITLE: &str = "gradscope.model/1";

/// Of a model file, as it is read.
pub fn schema() -> Schema {
    let mut schema =
        SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<File>();
    schema.insert("title".into(), TITLE.into());
    if let Some(entry) = schema.pointer_mut("/$defs/Entry") {
        // What any kind can say, and which of it each does.
        let says = entry["properties"].take();
        *entry = json!({ "oneOf": KINDS.map(|kind| kind_schema(kind, &says)) });
    }
    schema
}

fn kind_schema(kind: &Kind, says: &Value) -> Value {
    let keys = kind.needs.iter().chain(kind.takes);
    let mut properties: Map<String, Value> =
        keys.map(|key| ((*key).to_owned(), says[*key].clone())).collect();
    properties.insert("type".into(), json!({ "const": kind.name }));
    let needs: Vec<&str> = ["type"].iter().chain(kind.needs).copied().collect();
    json!({
        "title": kind.name,
        "description": kind.about,
        "type": "object",
        "properties": properties,
        "required": needs,
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::zoo::ZOO;
    use super::*;

    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas/model.json");
        if std::env::var_os("GRADSCOPE_UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "docs/schemas/model.json is stale: `make update` writes it again");
    }

    #[test]
    fn it_takes_what_is_read_and_refuses_what_is_not() {
        let schema = jsonschema::validator_for(schema().as_value()).unwrap();
        let takes = |text: &str| schema.is_valid(&toml::from_str::<Value>(text).unwrap());
        for (name, text) in ZOO {
            assert!(takes(text), "{name}");
        }
        let linear = "{ type = \"linear\" }";
        let block = "{ type = \"residual\", layers = [{ type = \"lstm\", units = 3, steps = \"all\" }] }";
        assert!(takes(&format!("inputs = [4, 3]\nlayers = [{block}, {linear}]\n")));
        for wrong in [
            "layers = [{ type = \"lstm\" }]\n",
            "layers = [{ type = \"lstm\", units = 3, act = \"relu\" }]\n",
            "layers = [{ type = \"lstn\", units = 3 }]\n",
            "layers = [{ units = 3 }]\n",
            "layers = []\n",
            "hidden = [3]\nact = \"rleu\"\n",
            "hidden = [3]\nact = \"relu\"\ncolour = 1\n",
            "hidden = [3]\nact = \"relu\"\n[defaults]\nlr = -1\n",
        ] {
            assert!(!takes(wrong), "{wrong}");
        }
    }
}
