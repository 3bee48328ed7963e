//! The summary as JSON, as it stands in `summary.json`.

use super::subject::Format;

pub(super) const FORMAT: Format = Format {
    name: "json",
    what: "summary.json",
    of_findings: false,
    text: |subject| subject.summary.to_json(),
};
