//! Workflow commands of GitHub Actions: an annotation a finding, worst first.

use super::subject::{Format, Subject, measured};
use crate::diagnose::{Finding, Severity};
use crate::report::ReportError;

pub(super) const FORMAT: Format =
    Format { name: "github", what: "annotations of a GitHub workflow", of_findings: true, text };

/// Annotations of a kind that GitHub shows of a step; the others it drops without a word.
/// <https://docs.github.com/en/rest/checks/runs> and the runner's own limit.
const MOST: usize = 10;

fn text(subject: &Subject) -> Result<String, ReportError> {
    let findings: Vec<&Finding> = subject.new_findings().collect();
    let mut text: String = findings.iter().take(MOST).map(|f| annotation(f)).collect();
    if findings.len() > MOST {
        let more = crate::text::counted((findings.len() - MOST) as u64, "more finding");
        // The source may hold what a workflow would take for a command.
        text += &format!("and {more}: {}\n", data(&subject.source.display().to_string()));
    }
    Ok(text)
}

fn annotation(finding: &Finding) -> String {
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let layer = finding.layer.as_ref().map_or(String::new(), |layer| format!(" {layer}"));
    let title = format!("{}{layer} since {}", finding.rule, finding.since());
    let mut lines = vec![finding.message.clone(), measured(finding)];
    lines.extend(finding.remedies.first().map(|remedy| format!("try: {}: {}", remedy.flags(), remedy.why)));
    format!("::{command} title={}::{}\n", property(&title), data(&lines.join("\n")))
}

/// As the runner's toolkit escapes what stands after the colons.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As it escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_ends_a_command_or_begins_another() {
        assert_eq!(
            property("a,b=1::error::x\n::set-env\r100%"),
            "a%2Cb=1%3A%3Aerror%3A%3Ax%0A%3A%3Aset-env%0D100%25"
        );
        assert_eq!(data("50% a:b,c\nd"), "50%25 a:b,c%0Ad");
    }
}
