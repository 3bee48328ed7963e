//! The flags of `sweep`: its own, and those of `run` that all runs share.

use std::path::PathBuf;

use clap::Args;

use super::number;
use super::run::RunFlags;
use super::value::one_of;
use crate::record::settings::Named;
use crate::report::sweep::Sort;

#[derive(Debug, Args)]
#[command(after_help = "Every run is a directory DIR/cells/NAME, named by its settings. A run that is done \
is not trained again: the same command goes on after an interruption, and a larger grid trains only what is \
new.\n\nOn many machines or through a queue:\n  gradscope sweep … --out DIR --print-commands | parallel\n  \
gradscope sweep … --out DIR --print-commands | xargs -d '\\n' -P4 -I{} sh -c '{}'\n  \
gradscope sweep --collect DIR\n\nExit status: 0 done, 1 a finding that --fail-on names, 2 wrong usage or \
input, 3 a run failed or is not there, 130 interrupted, 143 terminated.")]
pub struct SweepArgs {
    /// Model: a name (`gradscope models` lists them) or a file that ends in .toml; or in the grid
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub model: Option<String>,
    /// A flag of run and the values that it takes, such as "lr=0.01;0.1;1"; of a flag without a value,
    /// "standardize=on;off"; one --grid a flag
    #[arg(long, value_name = "FLAG=VALUE;VALUE;…", required_unless_present = "collect")]
    pub grid: Vec<String>,
    /// Runs at a time, which share the cores [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = number::threads, allow_negative_numbers = true)]
    pub jobs: Option<u64>,
    /// Score that the table is sorted by [default: test, where every run has one, else dev, else train]
    #[arg(long, value_name = "SCORE", value_parser = one_of(Sort::ALL))]
    pub sort: Option<Sort>,
    /// Print the command of every run for another program to execute, and do nothing
    #[arg(long, conflicts_with_all = ["jobs", "sort", "quiet", "json"])]
    pub print_commands: bool,
    /// Put the runs in DIR/cells into one table, without training
    #[arg(long, value_name = "DIR")]
    pub collect: Option<PathBuf>,

    #[command(flatten)]
    pub flags: RunFlags,

    /// Directory of the sweep [default: reports/sweep-<model>-<time>]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Write into a directory that holds other files
    #[arg(long, help_heading = "Output")]
    pub force: bool,
    /// No progress; print the table alone
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
    /// Print sweep.json on standard output instead of the table
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}
