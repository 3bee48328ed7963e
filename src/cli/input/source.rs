//! The input of a command: a record, a `summary.json`, or the report directory that holds them.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::cli::args::FindingArgs;
use crate::cli::input::findings::Findings;
use crate::cli::output;
use crate::diagnose::diagnose;
use crate::record::{Compression, Record};
use crate::report::{RECORD_FILE, Summary};

/// Of a report directory, its record.
pub fn path(given: &Path) -> PathBuf {
    if given.is_dir() { Compression::find(given, RECORD_FILE) } else { given.into() }
}

/// The summary in a file, or of the record in it.
///
/// # Errors
/// Where there is neither, or where a summary cannot do what the flags ask for.
pub fn read(path: &Path, findings: &Findings, args: &FindingArgs) -> anyhow::Result<Summary> {
    if Summary::is_at(path) {
        ensure!(
            args.off.is_empty() && args.set.is_empty(),
            "{}: a summary holds findings, and no measurements to apply --set and --off to; give its {RECORD_FILE}",
            path.display()
        );
    }
    read_whatever(path, findings)
}

/// The summary in a file, as it is, or of the record in it, with the thresholds of these findings.
pub fn read_whatever(path: &Path, findings: &Findings) -> anyhow::Result<Summary> {
    if Summary::is_at(path) {
        return Ok(Summary::read(path)?);
    }
    let (record, warnings) = Record::read(path)?;
    for warning in warnings {
        output::note(&format!("{}: {warning}", path.display()));
    }
    ensure!(
        !record.epochs.is_empty()
            || record.steps.iter().any(|s| s.capture.is_some() || s.non_finite.is_some()),
        "{} holds no measurement yet: there is nothing to judge",
        path.display()
    );
    Ok(Summary::new(&record, &diagnose(&record, &findings.settings)))
}

/// Reads the run that `--baseline` names, whose findings are known.
pub fn baseline(given: Option<&PathBuf>, findings: &Findings) -> anyhow::Result<Option<Summary>> {
    given.map(|given| read_whatever(&path(given), findings).context("--baseline")).transpose()
}
