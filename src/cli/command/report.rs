//! `gradscope report`: files and a verdict from a record, without training.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::args::ReportArgs;
use crate::cli::input::findings::Findings;
use crate::cli::input::source;
use crate::cli::output::conclusion::{OutputRequest, conclude, open_targets, render};
use crate::cli::output::{self, Colors};
use crate::record::{Compression, Record, RecordError};
use crate::report::{OutputDir, RECORD_FILE};

/// `gradscope report RECORD`
pub fn run(args: &ReportArgs, colors: Colors) -> anyhow::Result<u8> {
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
        &OutputRequest {
            args: &args.output,
            targets: &targets,
            directory: &directory,
            baseline: None,
            colors,
        },
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
