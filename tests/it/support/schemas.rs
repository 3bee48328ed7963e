//! What gradscope wrote, held against its JSON Schemas.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::LazyLock;

use gradscope::report::schema;
use jsonschema::Validator;
use serde_json::Value;

/// Lines of a record that are looked at: of the others, one is like the next.
const MOST_LINES: usize = 100;

static SUMMARY: LazyLock<Validator> = LazyLock::new(|| validator(schema::summary().into()));
static RECORD: LazyLock<Validator> = LazyLock::new(|| validator(schema::record().into()));

fn validator(schema: Value) -> Validator {
    jsonschema::validator_for(&schema).expect("a valid schema")
}

fn complaint(validator: &Validator, value: &Value) -> Option<String> {
    validator.iter_errors(value).next().map(|e| format!("{}: {e}", e.instance_path()))
}

/// What is wrong with a summary.
pub fn complaint_about_summary(summary: &Value) -> Option<String> {
    complaint(&SUMMARY, summary)
}

/// What is wrong with the lines of a record that are JSON: tests cut records short on purpose.
pub fn complaint_about_record(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    let text: Box<dyn Read> = match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => Box::new(flate2::read::GzDecoder::new(file)),
        Some("zst") => Box::new(zstd::stream::read::Decoder::new(file).ok()?),
        _ => Box::new(file),
    };
    let lines = BufReader::new(text).lines().map_while(Result::ok).take(MOST_LINES);
    let values = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    values.filter_map(|value| complaint(&RECORD, &value)).next()
}

/// Looks at every report under a directory.
pub fn hold(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            hold(&path);
            continue;
        }
        let complaint = match path.file_name().and_then(|n| n.to_str()) {
            Some("summary.json") => {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                // One that says to be of another version is none of this one's.
                let ours = |value: &Value| value["schema"] == gradscope::report::SUMMARY_SCHEMA;
                let value = serde_json::from_str::<Value>(&text).ok().filter(ours);
                value.and_then(|value| complaint_about_summary(&value))
            }
            Some("record.jsonl" | "record.jsonl.zst") => complaint_about_record(&path),
            _ => None,
        };
        assert_eq!(complaint, None, "{} is not as its schema says", path.display());
    }
}
