//! `gradscope`: every command, of which those that train are handed over to `gradscope-train`.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, ensure};
use clap::CommandFactory;
use clap::error::ErrorKind;
use serde_json::Value;

use super::args::{Cli, Command};
use super::handover::{self, Training};
use super::output::{Colors, failure};
use super::program::{self, Program};

/// Runs `gradscope`, the program without libtorch.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = env::args_os().collect();
    match handover::handed_over(&words) {
        Some(command) if !is_help(&words) => {
            let status = handover::hand_over(command, &words);
            ExitCode::from(status.unwrap_or_else(|error| failure::report(&error, &|_| false)))
        }
        _ => program::run(&Thin),
    }
}

/// Tells whether help is asked for, which is here for all commands.
fn is_help(words: &[OsString]) -> bool {
    words.iter().any(|word| word == "--help" || word == "-h")
        && Cli::command().try_get_matches_from(words).is_err_and(|e| e.kind() == ErrorKind::DisplayHelp)
}

/// The program without libtorch.
struct Thin;

impl Program for Thin {
    fn words(&self) -> anyhow::Result<Vec<OsString>> {
        Ok(env::args_os().collect())
    }

    fn say_where_flags_stand(&self, _: &str) {
        // `gradscope.toml` is for commands that are handed over, and read there.
    }

    fn train(&self, _: Command, _: Colors) -> anyhow::Result<u8> {
        let words: Vec<OsString> = env::args_os().collect();
        let (_, command) = handover::subcommand(&words).unwrap_or_default();
        handover::hand_over(command, &words)
    }

    fn is_run_failure(&self, _: &(dyn Error + 'static)) -> bool {
        false
    }

    fn training(&self) -> Training {
        let Some(program) = handover::find() else { return Training::default() };
        let mut training = Training::default();
        match asked(&program) {
            Ok(said) => {
                training.libtorch = said["libtorch"].as_str().map(str::to_owned);
                let devices = said["devices"].as_array().into_iter().flatten();
                training.devices = devices.filter_map(|d| Some(d.as_str()?.to_owned())).collect();
            }
            Err(error) => training.problem = Some(failure::chain(&error)),
        }
        training.program = Some(program);
        training
    }
}

/// Returns what `doctor --json` of the program that trains says.
fn asked(program: &Path) -> anyhow::Result<Value> {
    let ran = std::process::Command::new(program).args(["doctor", "--json"]).stdin(Stdio::null()).output();
    let ran = ran.context("it cannot be started")?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{}", said.lines().next().unwrap_or("it says nothing"));
    serde_json::from_slice(&ran.stdout).context("it is another program")
}
