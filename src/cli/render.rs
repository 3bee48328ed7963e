//! From a record to files and a verdict: the end of `run`, and all of `report`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use gradscope::diagnose::{Diagnosis, Finding, diagnose};
use gradscope::record::{Compression, Record, RecordError};
use gradscope::report::diff;
use gradscope::report::format::Subject;
use gradscope::report::{OutputDir, RECORD_FILE, RunReport, Summary};
use gradscope::text::counted;

use super::args::{OutputArgs, ReportArgs, TargetArgs};
use super::findings::Findings;
use super::targets::Targets;
use super::{output, source, verdict};

/// `gradscope report RECORD`
pub fn run(args: &ReportArgs, colours: bool) -> anyhow::Result<u8> {
    let findings = Findings::new(&args.findings)?;
    let source = source::path(&args.record);
    let out = args.output.out.clone().unwrap_or_else(|| home_of(&source));
    let (record, warnings) = Record::read(&source)?;
    let directory = OutputDir::check(&out, args.output.force)?;
    let targets = open_targets(
        &args.targets,
        &args.output,
        &[&source, &directory.record(Compression::from_path(&source))],
    )?;
    for warning in warnings {
        output::note(&format!("{}: {warning}", source.display()));
    }
    let (diagnosis, summary) = render(&directory, &record, &findings, || {
        directory.create()?;
        let packing = Compression::from_path(&source);
        if keep_record(&source, &directory.record(packing))? {
            directory.keep_only(packing)?;
        }
        Ok(())
    })?;
    conclude(
        &record,
        &diagnosis,
        &summary,
        &source,
        &Wanted { args: &args.output, targets: &targets, directory: &directory, baseline: None, colours },
    )?;
    Ok(findings.status(&diagnosis))
}

/// A record inside a report directory is rendered there, any other beside the reports.
fn home_of(source: &Path) -> PathBuf {
    let parent = source.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let plain = match Compression::from_path(source) {
        Compression::None => source.to_owned(),
        _ => source.with_extension(""),
    };
    if plain.file_name().is_some_and(|n| n == RECORD_FILE) {
        return parent.to_owned();
    }
    Path::new("reports").join(plain.file_stem().unwrap_or(plain.as_os_str()))
}

/// `reports/<name>-<time>`, in UTC so that names sort.
pub fn default_directory(name: &str) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    PathBuf::from("reports").join(format!("{name}-{now}"))
}

/// A report directory holds the record that it was made from. Whether that came from elsewhere.
fn keep_record(source: &Path, target: &Path) -> Result<bool, RecordError> {
    let failed = |source| RecordError::Write { path: target.into(), source };
    if fs::canonicalize(source).ok() == fs::canonicalize(target).ok() {
        return Ok(false);
    }
    let beside = target.parent().unwrap_or(Path::new("."));
    let copy = tempfile::NamedTempFile::new_in(beside).map_err(failed)?;
    fs::copy(source, copy.path()).map_err(failed)?;
    copy.persist(target).map_err(|e| failed(e.error))?;
    Ok(true)
}

/// Diagnoses, sums up, draws and writes everything; `before_writing` is done once there is something to
/// write.
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

/// What is to be said, and where.
pub struct Wanted<'a> {
    /// The flags about output.
    pub args: &'a OutputArgs,
    /// Further files.
    pub targets: &'a Targets,
    /// Where the report is.
    pub directory: &'a OutputDir,
    /// The run whose findings are known.
    pub baseline: Option<&'a Summary>,
    /// Colours, or none.
    pub colours: bool,
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
    wanted: &Wanted,
) -> anyhow::Result<Vec<Finding>> {
    let known = wanted.baseline.map_or_else(BTreeSet::new, |baseline| diff::known(baseline, summary));
    wanted.targets.write(&Subject { summary, source, known: &known })?;
    if wanted.args.json && !wanted.targets.take_stdout() {
        output::print(&summary.to_json()?)?;
    } else if !wanted.targets.take_stdout() {
        let mut text = verdict::verdict(diagnosis, record, wanted.colours);
        if wanted.baseline.is_some() {
            let (all, new) = (summary.findings.len(), summary.findings.len() - known.len());
            text += &format!("\nbaseline: of {}, {new} not in it\n", counted(all as u64, "finding"));
        }
        if !wanted.args.quiet {
            text += &format!("\nreport: {}\n", wanted.directory.path().join("report.html").display());
        }
        output::print(&text)?;
    }
    let new = diagnosis.findings.iter().enumerate().filter(|(i, _)| !known.contains(i));
    Ok(new.map(|(_, finding)| finding.clone()).collect())
}
