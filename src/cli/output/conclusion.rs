//! The end of every command that judges a record: the report, further files, and the verdict.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::ensure;

use super::targets::Targets;
use super::{Colors, print, verdict};
use crate::cli::args::{OutputArgs, TargetArgs};
use crate::cli::input::findings::Findings;
use crate::diagnose::{Diagnosis, Finding, diagnose};
use crate::record::Record;
use crate::report::diff;
use crate::report::format::Subject;
use crate::report::{OutputDir, RunReport, Summary};
use crate::text::counted;

/// `reports/<name>-<time>`, in UTC so that names sort.
pub fn default_directory(name: &str) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    PathBuf::from("reports").join(format!("{name}-{now}"))
}

/// Diagnoses, sums up, draws and writes everything; `before_writing` is done once there is something to write.
pub fn render(
    directory: &OutputDir,
    record: &Record,
    findings: &Findings,
    before_writing: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<(Diagnosis, Summary)> {
    let diagnosis = diagnose(record, &findings.settings);
    let report = RunReport::new(record, &diagnosis);
    before_writing()?;
    report.write(directory)?;
    let summary = report.into_summary();
    Ok((diagnosis, summary))
}

/// The flags and files that say what is printed and written.
pub struct OutputRequest<'a> {
    /// The flags about output.
    pub args: &'a OutputArgs,
    /// The files that `--output` asks for.
    pub targets: &'a Targets,
    /// The place of the report.
    pub directory: &'a OutputDir,
    /// The run whose findings are known.
    pub baseline: Option<&'a Summary>,
    /// Colours, or none.
    pub colors: Colors,
}

/// Where `--output` goes; `taken` are files that are read or written otherwise.
pub fn open_targets(args: &TargetArgs, output: &OutputArgs, taken: &[&Path]) -> anyhow::Result<Targets> {
    let targets = Targets::open(&args.output, taken)?;
    ensure!(
        !(output.json && targets.take_stdout()),
        "--json and an --output to - both want standard output: give one of them a file, such as --output json=summary.json"
    );
    Ok(targets)
}

/// Writes what `--output` asks for, and prints the verdict, or the summary where that is asked for. Gives
/// the findings that are not known.
pub fn conclude(
    record: &Record,
    diagnosis: &Diagnosis,
    summary: &Summary,
    source: &Path,
    wanted: &OutputRequest,
) -> anyhow::Result<Vec<Finding>> {
    let known = wanted.baseline.map_or_else(BTreeSet::new, |baseline| diff::known(baseline, summary));
    wanted.targets.write(&Subject { summary, source, known: &known })?;
    if wanted.args.json && !wanted.targets.take_stdout() {
        print(&summary.to_json()?)?;
    } else if !wanted.targets.take_stdout() {
        let mut text = verdict::verdict(diagnosis, record, wanted.colors);
        if wanted.baseline.is_some() {
            let (all, new) = (summary.findings.len(), summary.findings.len() - known.len());
            text += &format!("\nbaseline: of {}, {new} not in it\n", counted(all as u64, "finding"));
        }
        if !wanted.args.quiet {
            text += &format!("\nreport: {}\n", wanted.directory.path().join("report.html").display());
        }
        print(&text)?;
    }
    let new = diagnosis.findings.iter().enumerate().filter(|(i, _)| !known.contains(i));
    Ok(new.map(|(_, finding)| finding.clone()).collect())
}
