//! From a record to files and a verdict: the end of `run`, and all of `report`.

use std::fs;
use std::path::{Path, PathBuf};

use gradscope::diagnose::{Diagnosis, diagnose};
use gradscope::plot;
use gradscope::record::{Packing, Record, RecordError};
use gradscope::report::{self, OutputDir, RECORD_FILE, Summary};

use super::args::{OutputArgs, ReportArgs};
use super::findings::Findings;
use super::{output, verdict};

/// `gradscope report RECORD`
pub fn run(args: &ReportArgs, colours: bool) -> anyhow::Result<u8> {
    let findings = Findings::new(&args.findings)?;
    let source =
        if args.record.is_dir() { Packing::find(&args.record, RECORD_FILE) } else { args.record.clone() };
    let out = args.output.out.clone().unwrap_or_else(|| home_of(&source));
    let (record, warnings) = Record::read(&source)?;
    let directory = OutputDir::check(&out, args.output.force)?;
    for warning in warnings {
        output::note(&format!("{}: {warning}", source.display()));
    }
    let diagnosis = render(&directory, &record, &findings, || {
        directory.create()?;
        let packing = Packing::of(&source);
        if keep_record(&source, &directory.record(packing))? {
            directory.keep_only(packing)?;
        }
        Ok(())
    })?;
    conclude(&record, &diagnosis, &directory, &args.output, colours)?;
    Ok(findings.status(&diagnosis))
}

/// A record inside a report directory is rendered there, any other beside the reports.
fn home_of(source: &Path) -> PathBuf {
    let parent = source.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let plain = match Packing::of(source) {
        Packing::None => source.to_owned(),
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

/// Diagnoses, draws and writes everything; `before_writing` is done once there is something to write.
pub fn render(
    directory: &OutputDir,
    record: &Record,
    findings: &Findings,
    before_writing: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Diagnosis> {
    let diagnosis = diagnose(record, &findings.settings);
    let figures = plot::figures(record, &diagnosis.flagged_layers());
    before_writing()?;
    report::write(directory, record, &diagnosis, &figures)?;
    Ok(diagnosis)
}

/// Prints the verdict, or the summary where that is asked for.
pub fn conclude(
    record: &Record,
    diagnosis: &Diagnosis,
    directory: &OutputDir,
    args: &OutputArgs,
    colours: bool,
) -> anyhow::Result<()> {
    if args.json {
        output::print(&Summary::of(record, diagnosis).to_json()?)?;
        return Ok(());
    }
    let mut text = verdict::verdict(diagnosis, record, colours);
    if !args.quiet {
        text += &format!("\nreport: {}\n", directory.path().join("report.html").display());
    }
    output::print(&text)?;
    Ok(())
}
