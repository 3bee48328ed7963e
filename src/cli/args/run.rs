//! The flags of `run`, and those that it shares with the commands that train several networks.

use std::path::PathBuf;

use clap::Args;

use super::data::DataArgs;
use super::findings::FindingArgs;
use super::network::NetworkArgs;
use super::output::{OutputArgs, TargetArgs};
use super::training::{LengthArgs, TrainingArgs};

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Model: a name (`gradscope models` lists them), a file that ends in .toml, or a TorchScript program
    #[arg(
        long,
        value_name = "NAME|FILE.toml|FILE.pt",
        required_unless_present_any = ["resume", "show_config"]
    )]
    pub model: Option<String>,
    /// Go on with the run in this report directory, which --save-model has kept; its record gives all
    /// other flags, and --epochs and --patience may be given anew
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "DataArgs", "NetworkArgs", "TrainingArgs", "out", "force"])]
    pub resume: Option<PathBuf>,

    /// Print every flag that is set, here or in gradscope.toml, with where, and do nothing
    #[arg(long, conflicts_with = "resume")]
    pub show_config: bool,

    #[command(flatten)]
    pub flags: RunFlags,
    /// Let --fail-on look only at findings that this record, summary.json or report directory lacks, or
    /// has as milder or of fewer layers
    #[arg(long, value_name = "FILE", help_heading = "Findings")]
    pub baseline: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub targets: TargetArgs,
}

/// The network, its training and the judgement of it: the same flags for one run and for several.
#[derive(Debug, Args)]
pub struct RunFlags {
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub training: TrainingArgs,
    #[command(flatten)]
    pub length: LengthArgs,
    #[command(flatten)]
    pub findings: FindingArgs,
}
