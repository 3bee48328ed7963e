//! `gradscope schema`: what the files hold, for programs that read or write them.

use gradscope::report::schema;

use super::args::SchemaArg;
use super::{exit, output};

/// Prints a JSON Schema.
pub fn run(of: SchemaArg) -> anyhow::Result<u8> {
    let schema = match of {
        SchemaArg::Summary => schema::summary(),
        SchemaArg::Record => schema::record(),
    };
    output::print(&(serde_json::to_string_pretty(&schema)? + "\n"))?;
    Ok(exit::DONE)
}
