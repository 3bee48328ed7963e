//! Lines: one a finding, worst first, for `grep` and `cut`.

use super::subject::{Format, Subject};
use crate::report::ReportError;

pub(super) const FORMAT: Format = Format { name: "lines", what: "a line a finding", of_findings: true, text };

fn text(subject: &Subject) -> Result<String, ReportError> {
    // A name of a layer may hold what ends a line, or a field.
    let field = |text: &str| text.replace(char::is_control, " ");
    let lines = subject.new_findings().map(|f| {
        let layer = field(f.layer.as_deref().unwrap_or("-"));
        format!("{}\t{}\t{layer}\t{}\n", f.severity.name(), f.rule, field(&f.message))
    });
    Ok(lines.collect())
}
