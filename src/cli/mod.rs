//! Arguments in, exit status out: the only place with a dynamic error.

mod args;
mod check;
#[cfg(feature = "train")]
mod compare;
#[cfg(feature = "train")]
mod config;
mod diff;
mod doctor;
mod exit;
mod export;
mod failure;
mod findings;
#[cfg(feature = "train")]
mod gradcheck;
#[cfg(feature = "train")]
mod init;
mod inspect;
mod list;
mod manual;
mod merge;
mod number;
mod output;
#[cfg(feature = "train")]
mod prescribe;
#[cfg(feature = "train")]
mod progress;
mod render;
#[cfg(feature = "train")]
mod resolve;
#[cfg(feature = "train")]
mod resume;
#[cfg(feature = "train")]
mod run;
mod schema;
#[cfg(feature = "train")]
mod side;
#[cfg(feature = "train")]
mod signals;
mod source;
#[cfg(feature = "train")]
mod summary;
mod sweep;
mod targets;
#[cfg(feature = "train")]
mod variants;
mod verdict;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Command};

/// Parses, runs, prints what went wrong, and gives the exit status.
pub fn main() -> ExitCode {
    failure::install_panic_hook();
    let status = panic::catch_unwind(AssertUnwindSafe(|| match parse() {
        Ok(cli) => dispatch(cli).unwrap_or_else(|error| {
            let status = failure::report(&error);
            note(&failure::chain(&error));
            status
        }),
        Err(status) => status,
    }));
    // The hook has said what happened.
    ExitCode::from(status.unwrap_or(exit::RUN_FAILED))
}

/// The command line, or the status of a help page or of wrong usage.
fn parse() -> Result<Cli, u8> {
    let choice = output::colour_choice(std::env::args_os());
    let words = words().map_err(|error| failure::report(&error))?;
    let parsed =
        Cli::command().color(choice).try_get_matches_from(words).and_then(|m| Cli::from_arg_matches(&m));
    parsed.map_err(|error| {
        // A reader that went away is no error.
        let _ = error.print();
        note(&error.to_string());
        if error.use_stderr() { exit::USAGE } else { exit::DONE }
    })
}

/// What was typed, with what `gradscope.toml` adds.
#[cfg(feature = "train")]
fn words() -> anyhow::Result<Vec<std::ffi::OsString>> {
    config::read()?;
    Ok(config::words().collect())
}

/// Where `gradscope.toml` has the flags that an error is about.
#[cfg(feature = "train")]
use config::note;

#[cfg(not(feature = "train"))]
fn note(_: &str) {}

#[cfg(not(feature = "train"))]
fn words() -> anyhow::Result<Vec<std::ffi::OsString>> {
    Ok(std::env::args_os().collect())
}

fn dispatch(cli: Cli) -> anyhow::Result<u8> {
    let colours = output::colours(cli.color);
    match cli.command {
        Command::Report(args) => render::run(&args, colours),
        Command::Check(args) => check::run(&args, colours),
        Command::Diff(args) => diff::run(&args, colours),
        Command::Export(args) => export::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Inspect(args) => inspect::run(&args, colours),
        Command::Sweep(args) if args.collect.is_some() => sweep::collect(&args, colours),
        Command::Explain { rule } => list::explain(&rule),
        Command::Rules { json, markdown } => list::rules(json, markdown),
        Command::Schema { of } => schema::run(of),
        Command::Doctor { json } => doctor::run(json),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::man(command.as_deref()),
        other => with_libtorch(other, colours),
    }
}

/// The commands that need a tensor library.
#[cfg(feature = "train")]
fn with_libtorch(command: Command, colours: bool) -> anyhow::Result<u8> {
    match command {
        Command::Run(args) => run::run(&args, colours),
        Command::Compare(args) => compare::run(&args, colours),
        Command::Prescribe(args) => prescribe::run(&args, colours),
        Command::Sweep(args) => sweep::run(&args, colours),
        Command::Models { json } => summary::models(json),
        Command::Datasets { json } => list::datasets(json),
        Command::Summary(args) => summary::summary(&args),
        Command::Inits { json } => init::inits(json),
        Command::Gradcheck(args) => gradcheck::run(&args),
        Command::Init(args) => init::init(&args),
        // The others have been dispatched.
        Command::Report(_)
        | Command::Check(_)
        | Command::Diff(_)
        | Command::Export(_)
        | Command::Merge(_)
        | Command::Inspect(_)
        | Command::Explain { .. }
        | Command::Rules { .. }
        | Command::Schema { .. }
        | Command::Doctor { .. }
        | Command::Completions { .. }
        | Command::Man { .. } => Ok(exit::DONE),
    }
}

/// What this build says instead.
#[cfg(not(feature = "train"))]
fn with_libtorch(_: Command, _: bool) -> anyhow::Result<u8> {
    anyhow::bail!(
        "this build cannot train and has no models: it was built without libtorch (feature `train`); \
         use the full build, which `make build` gives"
    )
}
