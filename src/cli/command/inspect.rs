//! `gradscope inspect`: what the weights in checkpoints say, without a training.

use std::path::Path;

use crate::checkpoint;
use crate::cli::args::{InspectArgs, reproducible};
use crate::cli::input::findings::Findings;
use crate::cli::output;
use crate::cli::output::Colors;
use crate::cli::output::conclusion::{OutputRequest, conclude, default_directory, open_targets, render};
use crate::record::{Compression, Line, Record, Writer};
use crate::report::OutputDir;

/// Measures the files, writes the record of weights alone, and reports on it as on any other.
pub fn run(args: &InspectArgs, colors: Colors) -> anyhow::Result<u8> {
    let findings = Findings::new(&args.findings)?;
    let made_up = args.output.out.is_none();
    let name = args.files.last().map_or(Path::new("checkpoint"), |f| f.as_path());
    let name = name.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let out = args.output.out.clone().unwrap_or_else(|| default_directory(&name));
    let mut directory = OutputDir::check(&out, args.output.force || made_up)?;
    let taken: Vec<&Path> = args.files.iter().map(|file| file.as_path()).collect();
    let targets = open_targets(&args.targets, &args.output, &taken)?;
    let (record, notes) = checkpoint::record(&args.files, reproducible(std::env::args_os()))?;
    if !args.output.quiet {
        notes.iter().for_each(|note| output::note(note));
    }
    // Only then is a name that was made up taken.
    if made_up {
        directory.create_new()?;
    }
    let (diagnosis, summary) = render(&directory, &record, &findings, || {
        directory.create()?;
        write(&directory, &record)?;
        Ok(directory.keep_only(Compression::None)?)
    })?;
    let source = directory.record(Compression::None);
    let wanted = OutputRequest {
        args: &args.output,
        targets: &targets,
        directory: &directory,
        baseline: None,
        colors,
    };
    conclude(&record, &diagnosis, &summary, &source, &wanted)?;
    Ok(findings.status(&diagnosis))
}

fn write(directory: &OutputDir, record: &Record) -> anyhow::Result<()> {
    let mut writer = Writer::create(&directory.record(Compression::None), &record.header)?;
    for epoch in &record.epochs {
        writer.write(&Line::Epoch(epoch.clone()))?;
    }
    if let Some(end) = &record.end {
        writer.write(&Line::End(end.clone()))?;
    }
    Ok(())
}
