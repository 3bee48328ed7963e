//! The flags of `prescribe`: its own, and those of `run`.

use std::path::PathBuf;

use clap::Args;

use super::number;
use super::output::OutputArgs;
use super::run::RunFlags;

#[derive(Debug, Args)]
#[command(
    after_help = "The remedies of the finding that explains the others are trained one after another with the \
same data and seed, and pairs of them where none is enough. What helps is trained once more with another seed, beside \
the run as it was: only what helps there as well is prescribed.

Examples:
  gradscope prescribe --model relu5 --bias -8 --epochs 100
  gradscope prescribe reports/relu5-20261120-105843"
)]
pub struct PrescribeArgs {
    /// The record of an unhealthy run, or its report directory; or give the flags of a run instead
    #[arg(conflicts_with_all = ["model", "DataArgs", "NetworkArgs", "TrainingArgs", "LengthArgs"], required_unless_present = "model")]
    pub record: Option<PathBuf>,
    /// Model: a name (`gradscope models` lists them) or a file that ends in .toml
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub model: Option<String>,
    /// Runs to train at most, beside the run as it is: remedies, pairs of them, and the two that confirm
    #[arg(long, value_name = "N", default_value = "10", value_parser = number::budget, allow_negative_numbers = true)]
    pub budget: u64,

    #[command(flatten)]
    pub flags: RunFlags,
    #[command(flatten)]
    pub output: OutputArgs,
}
