//! From a record to files and a verdict: the end of `run`, and all of `report`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gradscope::diagnose::{Diagnosis, Severity, diagnose};
use gradscope::plot;
use gradscope::record::Record;
use gradscope::report::{self, OutputDir, Summary};

use super::args::ReportArgs;
use super::findings::Findings;
use super::{output, verdict};

/// Name of the record in a report directory.
pub const RECORD_FILE: &str = "record.jsonl";

/// `gradscope report RECORD`
pub fn run(args: &ReportArgs, colours: bool) -> anyhow::Result<u8> {
    let findings = Findings::new(&args.findings)?;
    let source = if args.record.is_dir() { args.record.join(RECORD_FILE) } else { args.record.clone() };
    let out = args.out.clone().unwrap_or_else(|| home_of(&source));
    let directory = OutputDir::check(&out, args.force)?;
    let (record, warnings) = Record::read(&source)?;
    for warning in warnings {
        output::note(&format!("{}: {warning}", source.display()));
    }
    directory.create()?;
    directory.keep_record(&source)?;
    let diagnosis = render(&directory, &record, &findings)?;
    conclude(&record, &diagnosis, &directory, args.json, args.quiet, colours)?;
    Ok(findings.status(&diagnosis))
}

/// A record inside a report directory is rendered there, any other beside the reports.
fn home_of(source: &Path) -> PathBuf {
    let parent = source.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if source.file_name().is_some_and(|n| n == RECORD_FILE) {
        return parent.to_owned();
    }
    Path::new("reports").join(source.file_stem().unwrap_or(source.as_os_str()))
}

/// Diagnoses, draws and writes everything.
pub fn render(directory: &OutputDir, record: &Record, findings: &Findings) -> anyhow::Result<Diagnosis> {
    let diagnosis = diagnose(record, &findings.settings);
    let flagged: BTreeSet<String> = diagnosis
        .findings
        .iter()
        .filter(|f| f.severity > Severity::Info)
        .flat_map(|f| f.layers.iter().cloned())
        .collect();
    let figures = plot::figures(record, &flagged);
    report::write(directory, record, &diagnosis, &figures)?;
    Ok(diagnosis)
}

/// Prints the verdict, or the summary where that is asked for.
pub fn conclude(
    record: &Record,
    diagnosis: &Diagnosis,
    directory: &OutputDir,
    json: bool,
    quiet: bool,
    colours: bool,
) -> anyhow::Result<()> {
    if json {
        output::print(&Summary::new(record, diagnosis).to_json())?;
        return Ok(());
    }
    let mut text = verdict::verdict(diagnosis, &record.header.command, colours);
    if !quiet {
        text += &format!("\nreport: {}\n", directory.path().join("report.html").display());
    }
    output::print(&text)?;
    Ok(())
}
