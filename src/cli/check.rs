//! `gradscope check`: the findings of a record or summary in a line each, and the exit status.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use gradscope::diagnose::{Finding, diagnose};
use gradscope::record::Record;
use gradscope::report::{RECORD_FILE, SUMMARY_SCHEMA};
use gradscope::text::fill;
use serde::Deserialize;

use super::args::CheckArgs;
use super::findings::Findings;
use super::output;

/// Bytes of a summary that are read at most: a thousand layers over two hundred epochs stay below.
const LARGEST_SUMMARY: u64 = 2 << 30;
/// Bytes in which a summary names its schema.
const BEGINNING: u64 = 256;

/// What is read of a summary.
#[derive(Deserialize)]
struct Verdicts {
    schema: String,
    findings: Vec<Finding>,
}

/// Prints one line a finding, worst first, and nothing where there is none.
pub fn run(args: &CheckArgs, colours: bool) -> anyhow::Result<u8> {
    let findings = Findings::new(&args.findings)?;
    let path = source(&args.file);
    let found = if is_summary(&path)? {
        let changed = !args.findings.off.is_empty() || !args.findings.set.is_empty();
        ensure!(
            !changed,
            "{}: a summary holds findings, and no measurements to apply --set and --off to; give its {RECORD_FILE}",
            path.display()
        );
        of_summary(&path)?
    } else {
        let (record, warnings) = Record::read(&path)?;
        for warning in warnings {
            output::note(&format!("{}: {warning}", path.display()));
        }
        ensure!(
            !record.epochs.is_empty()
                || record.steps.iter().any(|s| s.capture.is_some() || s.non_finite.is_some()),
            "{} holds no measurement yet: there is nothing to judge",
            path.display()
        );
        diagnose(&record, &findings.settings).findings
    };
    let mut sorted: Vec<&Finding> = found.iter().collect();
    // Causes before what follows from them.
    sorted.sort_by_key(|f| (std::cmp::Reverse(f.severity), !f.root));
    let lines: Vec<String> = sorted.iter().map(|f| line(f, colours)).collect();
    output::print(&lines.concat())?;
    Ok(findings.status_of(&found))
}

/// Of a report directory, its record.
fn source(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(RECORD_FILE) } else { path.into() }
}

fn is_summary(path: &Path) -> anyhow::Result<bool> {
    let mut beginning = Vec::new();
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.take(BEGINNING)
        .read_to_end(&mut beginning)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&beginning).contains("\"gradscope.summary/"))
}

fn of_summary(path: &Path) -> anyhow::Result<Vec<Finding>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let length = file.metadata().map_or(0, |m| m.len());
    ensure!(length <= LARGEST_SUMMARY, "{} has {length} bytes: no summary is so large", path.display());
    let read: Result<Verdicts, _> = serde_json::from_reader(BufReader::new(file));
    let summary = read.with_context(|| format!("{} is no whole summary", path.display()))?;
    if summary.schema != SUMMARY_SCHEMA {
        bail!("{} has schema {:?}; this version reads {SUMMARY_SCHEMA:?}", path.display(), summary.schema);
    }
    Ok(summary.findings)
}

fn line(finding: &Finding, colours: bool) -> String {
    let since = match finding.first_step {
        Some(step) => format!("step {step}"),
        None => format!("epoch {}", finding.first_epoch),
    };
    let layer = finding.layer.as_ref().map_or(String::new(), |layer| format!(" {layer}"));
    let cause = if finding.caused_by.is_some() { " (follows from another)" } else { "" };
    let severity = super::verdict::Paint(colours).severity(finding.severity, finding.severity.name());
    let first = finding.message.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let text = format!("{}{layer} since {since}{cause}: {first}", finding.rule);
    // A name with a line break must not pass for a second finding.
    format!("{severity}: {}", fill(&text, usize::MAX, ""))
}
