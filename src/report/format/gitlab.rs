//! A code quality report of GitLab: <https://docs.gitlab.com/ci/testing/code_quality/>.

use std::collections::HashMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::subject::{Format, Subject, measured};
use crate::diagnose::{Finding, Severity};
use crate::report::ReportError;

pub(super) const FORMAT: Format =
    Format { name: "gitlab", what: "a code quality report of GitLab", of_findings: true, text };

/// An entry with every field that GitLab demands.
#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u64,
}

fn text(subject: &Subject) -> Result<String, ReportError> {
    // GitLab links to the file in the repository, and refuses paths that begin with "./".
    let source = subject.source.to_string_lossy();
    let path = source.trim_start_matches("./");
    let mut seen = HashMap::new();
    // All of them: GitLab itself compares with the target branch, by the fingerprints.
    let issues = subject.findings().into_iter().map(|(f, _)| issue(f, path, &mut seen));
    let mut text = serde_json::to_string_pretty(&issues.collect::<Vec<_>>()).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

fn issue(finding: &Finding, path: &str, seen: &mut HashMap<String, usize>) -> Issue {
    Issue {
        description: format!("{} Measured: {}.", finding.message, measured(finding)),
        check_name: finding.rule.clone(),
        fingerprint: fingerprint(finding, seen),
        severity: match finding.severity {
            Severity::Error if finding.root => "critical",
            Severity::Error => "major",
            Severity::Warning => "minor",
            Severity::Info => "info",
        },
        location: Location { path: path.to_owned(), lines: Lines { begin: 1 } },
    }
}

/// The same in every run where the rule finds the same layer, whatever the numbers; different from all
/// others in a file.
fn fingerprint(finding: &Finding, seen: &mut HashMap<String, usize>) -> String {
    let place = format!("{}\0{}", finding.rule, finding.layer.as_deref().unwrap_or_default());
    let earlier = seen.entry(place.clone()).or_default();
    let text = format!("{place}\0{earlier}");
    *earlier += 1;
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
