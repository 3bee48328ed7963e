//! The process that both programs are: parse, run, print the error chain, exit status.

use std::error::Error;
use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use super::args::{Cli, Command};
use super::command::{check, diff, doctor, export, inspect, manual, merge, report, rules, schema, sweep};
use super::handover::Training;
use super::output::{Colors, Listing, exit, failure, terminal};

/// The part that differs between `gradscope` and `gradscope-train`.
pub trait Program {
    /// Returns the words of the command line, with those that `gradscope.toml` adds.
    fn words(&self) -> anyhow::Result<Vec<OsString>>;
    /// Says where `gradscope.toml` has the flags that an error is about.
    fn say_where_flags_stand(&self, error: &str);
    /// Carries out a command that needs libtorch.
    fn train(&self, command: Command, colors: Colors) -> anyhow::Result<u8>;
    /// Tells whether an error of libtorch, or of training otherwise, is none of what was typed.
    fn is_run_failure(&self, cause: &(dyn Error + 'static)) -> bool;
    /// Returns the state of training here, for `gradscope doctor`.
    fn training(&self) -> Training;
}

/// Parses, runs, prints what went wrong, and gives the exit status.
pub fn run(program: &dyn Program) -> ExitCode {
    failure::install_panic_hook();
    let status = panic::catch_unwind(AssertUnwindSafe(|| match parse(program) {
        Ok(cli) => dispatch(cli, program).unwrap_or_else(|error| {
            let status = failure::report(&error, &|cause| program.is_run_failure(cause));
            program.say_where_flags_stand(&failure::chain(&error));
            status
        }),
        Err(status) => status,
    }));
    // The hook has said what happened.
    ExitCode::from(status.unwrap_or(exit::RUN_FAILED))
}

/// Returns the command line, or the status of a help page or of wrong usage.
fn parse(program: &dyn Program) -> Result<Cli, u8> {
    let choice = terminal::color_choice(std::env::args_os());
    let words =
        program.words().map_err(|error| failure::report(&error, &|cause| program.is_run_failure(cause)))?;
    let parsed =
        Cli::command().color(choice).try_get_matches_from(words).and_then(|m| Cli::from_arg_matches(&m));
    parsed.map_err(|error| {
        // A reader that went away is no error.
        let _ = error.print();
        program.say_where_flags_stand(&error.to_string());
        if error.use_stderr() { exit::USAGE } else { exit::DONE }
    })
}

fn dispatch(cli: Cli, program: &dyn Program) -> anyhow::Result<u8> {
    let colors = terminal::colors(cli.color);
    match cli.command {
        Command::Report(args) => report::run(&args, colors),
        Command::Check(args) => check::run(&args, colors),
        Command::Diff(args) => diff::run(&args, colors),
        Command::Export(args) => export::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Inspect(args) => inspect::run(&args, colors),
        Command::Sweep(args) if args.collect.is_some() => sweep::collect(&args, colors),
        Command::Explain { rule } => rules::explain(&rule),
        Command::Rules { json, markdown } => {
            rules::rules(if markdown { Listing::Markdown } else { Listing::json_if(json) })
        }
        Command::Schema { of } => schema::run(of),
        Command::Doctor { json } => doctor::run(Listing::json_if(json), program.training()),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::man(command.as_deref()),
        other => program.train(other, colors),
    }
}
