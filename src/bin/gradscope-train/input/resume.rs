//! `gradscope run --resume DIR`: the flags of a run from its own record.

use std::path::{Path, PathBuf};

use clap::Parser;
use gradscope::cli::args::number;
use gradscope::cli::args::{Cli, Command, FindingArgs, LengthArgs};
use gradscope::record::{Compression, Record};
use gradscope::report::RECORD_FILE;
use gradscope::report::command::{is_run, line, replaced};
use gradscope::train::{Config, STATE_FILE, TrainError};

use crate::input::resolve;

/// The part of a run that there is already.
pub struct PreviousRun {
    /// The record, which may hold more than what was saved.
    pub record: Record,
    /// The saved state.
    pub state: PathBuf,
    /// Its flags about findings.
    pub findings: FindingArgs,
}

/// Resolves the flags of the run in this directory, with these in place of its own.
pub fn config(directory: &Path, length: &LengthArgs) -> anyhow::Result<(Config, PreviousRun)> {
    let path = Compression::find(directory, RECORD_FILE);
    let (record, _) = Record::read(&path)?;
    let state = directory.join(STATE_FILE);
    let refused =
        |reason: String| TrainError::Settings(format!("--resume {}: {reason}", directory.display()));
    if !state.is_file() {
        return Err(refused(format!(
            "it holds no {STATE_FILE}, without which a run cannot go on; --save-model keeps one"
        ))
        .into());
    }
    if record.held.is_less() {
        return Err(refused("its record is too large to be gone on with".into()).into());
    }
    let packing = Compression::from_path(&path);
    if packing == Compression::Gzip {
        return Err(
            refused("its record is packed as gzip, which is only read; unpack it first".into()).into()
        );
    }
    let mut flags = Vec::new();
    for (flag, value) in [("--epochs", length.epochs), ("--patience", length.patience)] {
        flags.extend(value.into_iter().flat_map(|n| [flag.to_owned(), n.to_string()]));
    }
    let command = &record.header.command;
    let unknown = || refused(format!("its record is of a command that cannot be run: {}", line(command)));
    if !is_run(command) {
        return Err(unknown().into());
    }
    let command = replaced(command, &flags);
    let args = match Cli::try_parse_from(&command).map(|cli| cli.command) {
        Ok(Command::Run(args)) if args.resume.is_none() => args,
        _ => return Err(unknown().into()),
    };
    let mut config = resolve::config(&args, command)?;
    config.save_model = true;
    config.packing = packing;
    // Sums over rows depend on it.
    config.threads = number::threads(&record.header.run.threads.to_string()).ok();
    Ok((config, PreviousRun { record, state, findings: args.flags.findings }))
}
