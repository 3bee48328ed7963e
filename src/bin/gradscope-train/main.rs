//! The program that is linked with libtorch: `gradscope` starts it for the commands that train.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

use gradscope::cli::args::Command;
use gradscope::cli::handover::Training;
use gradscope::cli::output::{Colors, Listing, exit};
use gradscope::cli::program::{self, Program};
use gradscope::train::{TrainError, devices, libtorch_version};

use command::{compare, datasets, gradcheck, init, models, prescribe, run, summary, sweep};
use input::config_file;

mod command;
mod input;
mod progress;
mod session;
mod side_by_side;
mod signals;

fn main() -> ExitCode {
    program::run(&Full)
}

/// The program with libtorch.
struct Full;

impl Program for Full {
    fn words(&self) -> anyhow::Result<Vec<OsString>> {
        config_file::read()?;
        Ok(config_file::words().collect())
    }

    fn say_where_flags_stand(&self, error: &str) {
        config_file::note(error);
    }

    fn train(&self, command: Command, colors: Colors) -> anyhow::Result<u8> {
        match command {
            Command::Run(args) => run::run(&args, colors),
            Command::Compare(args) => compare::run(&args, colors),
            Command::Prescribe(args) => prescribe::run(&args, colors),
            Command::Sweep(args) => sweep::run(&args, colors),
            Command::Models { json } => models::models(Listing::json_if(json)),
            Command::Datasets { json } => datasets::datasets(Listing::json_if(json)),
            Command::Summary(args) => summary::summary(&args),
            Command::Inits { json } => init::inits(Listing::json_if(json)),
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

    fn is_run_failure(&self, cause: &(dyn Error + 'static)) -> bool {
        cause.downcast_ref::<TrainError>().is_some_and(TrainError::is_run_failure)
    }

    fn training(&self) -> Training {
        Training {
            program: env::current_exe().ok(),
            libtorch: Some(libtorch_version().to_owned()),
            devices: devices(),
            problem: None,
        }
    }
}
