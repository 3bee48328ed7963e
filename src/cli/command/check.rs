//! `gradscope check`: the findings of a record or summary in a line each, and the exit status.

use std::collections::BTreeSet;

use anyhow::ensure;

use crate::cli::args::CheckArgs;
use crate::cli::input::findings::Findings;
use crate::cli::input::source;
use crate::cli::output;
use crate::cli::output::Colors;
use crate::cli::output::targets::Targets;
use crate::diagnose::Finding;
use crate::report::diff;
use crate::report::format::Subject;
use crate::text::fill;

/// Prints one line a finding, worst first, and nothing where there is none.
pub fn run(args: &CheckArgs, colors: Colors) -> anyhow::Result<u8> {
    let findings = Findings::new(&args.findings)?;
    let path = source::path(&args.file);
    let targets = Targets::open(&args.targets.output, &[&path])?;
    let baseline = source::baseline(args.baseline.as_ref(), &findings)?;
    let summary = source::read(&path, &findings, &args.findings)?;
    // Whether it would have passed nobody knows.
    ensure!(
        !(summary.epochs.is_empty() && summary.findings.is_empty()),
        "{} holds no measurement yet: there is nothing to judge",
        path.display()
    );
    let known = baseline.map_or_else(BTreeSet::new, |baseline| diff::known(&baseline, &summary));
    targets.write(&Subject { summary: &summary, source: &path, known: &known })?;
    let told =
        summary.findings.iter().enumerate().filter(|(i, _)| !known.contains(i)).map(|(_, f)| f.clone());
    let mut told: Vec<Finding> = told.collect();
    if !targets.take_stdout() {
        told.sort_by_key(Finding::rank);
        let lines: Vec<String> = told.iter().map(|f| line(f, colors)).collect();
        output::print(&lines.concat())?;
    }
    Ok(findings.status_of(&told))
}

/// A finding in a line of its own.
pub fn line(finding: &Finding, colors: Colors) -> String {
    let since = finding.since();
    let layer = finding.layer.as_ref().map_or(String::new(), |layer| format!(" {layer}"));
    let cause = if finding.caused_by.is_some() { " (follows from another)" } else { "" };
    let severity = colors.severity(finding.severity, finding.severity.name());
    let first = finding.message.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let text = format!("{}{layer} since {since}{cause}: {first}", finding.rule);
    // A name with a line break must not pass for a second finding.
    format!("{severity}: {}", fill(&text, usize::MAX, ""))
}
