//! JUnit XML: a suite a layer and one for the whole run, a test case a rule.
//!
//! A warning or an error fails its test case; what is only worth knowing passes, with the text as its
//! output. What was not evaluated is skipped, and never passed.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::subject::{Format, Subject, measured};
use crate::diagnose::{Finding, Scope, Severity, rules};
use crate::report::ReportError;

pub(super) const FORMAT: Format = Format {
    name: "junit",
    what: "a test case a layer and rule, for any CI that shows tests",
    of_findings: true,
    text,
};

/// The suite of findings that name no layer.
const RUN: &str = "run";

fn text(subject: &Subject) -> Result<String, ReportError> {
    let mut report = Report::new("gradscope");
    report.add_test_suite(suite(subject, None));
    for layer in &subject.summary.layers {
        report.add_test_suite(suite(subject, Some(&layer.name)));
    }
    // The writer fails only where the memory it writes into does.
    report.to_string().map_err(|e| ReportError::Xml(e.to_string()))
}

/// The rules that a layer, or the run, can fail, and whether it did.
fn suite(subject: &Subject, layer: Option<&str>) -> TestSuite {
    let mut suite = TestSuite::new(layer.unwrap_or(RUN));
    let about = |f: &&(&Finding, bool)| match layer {
        Some(name) => f.0.layers.iter().any(|l| l == name),
        None => f.0.layers.is_empty(),
    };
    let findings = subject.findings();
    let here: Vec<_> = findings.iter().filter(about).copied().collect();
    for rule in rules() {
        let found: Vec<_> = here.iter().filter(|(f, _)| f.rule == rule.name).copied().collect();
        if found.is_empty() && (rule.scope == Scope::Run) == layer.is_some() {
            continue;
        }
        let mut case = TestCase::new(rule.name, status(subject, rule.name, &found));
        case.set_classname(format!("gradscope.{}", layer.unwrap_or(RUN)));
        let notes: Vec<String> = found
            .iter()
            .filter(|(f, _)| f.severity == Severity::Info)
            .map(|(f, _)| told(subject, f))
            .collect();
        if !notes.is_empty() {
            case.set_system_out(notes.join("\n\n"));
        }
        suite.add_test_case(case);
    }
    suite
}

fn status(subject: &Subject, rule: &str, found: &[(&Finding, bool)]) -> TestCaseStatus {
    let bad: Vec<_> = found.iter().filter(|(f, _)| f.severity > Severity::Info).collect();
    let failing: Vec<_> = bad.iter().filter(|(_, known)| !known).map(|(f, _)| *f).collect();
    if let Some(worst) = failing.first() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type(worst.severity.name());
        status.set_message(worst.message.as_str());
        let texts: Vec<String> = failing.iter().map(|f| told(subject, f)).collect();
        status.set_description(texts.join("\n\n"));
        return status;
    }
    let missing = subject.summary.not_measured.iter().find(|n| n.rule == rule);
    let skipped = if let Some((known, _)) = bad.first() {
        format!("known, in the baseline: {}", known.message)
    } else if let Some(missing) = missing {
        format!("not measured: {}", missing.why)
    } else {
        return TestCaseStatus::success();
    };
    let mut status = TestCaseStatus::skipped();
    status.set_message(skipped);
    status
}

/// All that a person needs who sees nothing but this test case.
fn told(subject: &Subject, finding: &Finding) -> String {
    let mut lines = vec![
        finding.message.clone(),
        measured(finding),
        format!("{} ({}), since {}", finding.rule, finding.severity.name(), finding.since()),
    ];
    let cause = finding.caused_by.and_then(|i| subject.summary.findings.get(i));
    if let Some(cause) = cause {
        let place = cause.layer.as_ref().map_or(String::new(), |l| format!(" of {l}"));
        lines.push(format!("follows from: {}{place}", cause.rule));
    }
    for remedy in &finding.remedies {
        lines.push(format!("try: {}: {}", remedy.flags(), remedy.why));
    }
    lines.push(format!("gradscope explain {}", finding.rule));
    lines.join("\n")
}
