//! The flags of the commands that read records, summaries and checkpoints.

use std::path::PathBuf;

use clap::Args;

use super::findings::FindingArgs;
use super::number;
use super::output::{OutputArgs, TargetArgs};
use crate::report::diff::TOLERANCE;

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A record (record.jsonl, or compressed as .zst or .gz), or the report directory that holds one
    pub record: PathBuf,
    #[command(flatten)]
    pub findings: FindingArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub targets: TargetArgs,
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Checkpoints: .safetensors (or the index of several), .pt and .pth of torch.save, .npz, .npy, or a
    /// directory with a model in it; several of one run, in the order of training, tell what changed
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub findings: FindingArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub targets: TargetArgs,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A record (record.jsonl), a summary.json, or a report directory
    #[arg(value_name = "RECORD|summary.json")]
    pub file: PathBuf,
    #[command(flatten)]
    pub findings: FindingArgs,
    /// Only tell of, and fail on, findings that this record, summary.json or report directory lacks, or
    /// has as milder or of fewer layers
    #[arg(long, value_name = "FILE", help_heading = "Findings")]
    pub baseline: Option<PathBuf>,
    #[command(flatten)]
    pub targets: TargetArgs,
}

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// What to compare with: a record, a summary.json, or a report directory
    pub base: PathBuf,
    /// What to compare: a record, a summary.json, or a report directory
    pub new: PathBuf,
    /// Relative change from which a number of a layer or finding is told
    #[arg(long, value_name = "SHARE", default_value_t = TOLERANCE, value_parser = number::probability, allow_negative_numbers = true)]
    pub tolerance: f64,
    #[command(flatten)]
    pub findings: FindingArgs,
    /// Write a page and diff.json into this directory
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Write into a directory that holds other files
    #[arg(long, requires = "out", help_heading = "Output")]
    pub force: bool,
    /// Print diff.json on standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    #[command(flatten)]
    pub targets: TargetArgs,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// A record (record.jsonl), or the report directory that holds one
    pub record: PathBuf,
    /// Write an event file with scalars and histograms into this directory, for `tensorboard --logdir DIR`
    #[arg(long, value_name = "DIR", required = true)]
    pub tensorboard: PathBuf,
}

#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The records of all ranks, in any order
    #[arg(required = true, value_name = "RECORD")]
    pub records: Vec<PathBuf>,
    /// Where the one record goes; compressed where the name ends in .zst
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum SchemaArg {
    /// The summary of a run, summary.json
    Summary,
    /// Every line of record.jsonl
    Record,
    /// A model file, which is TOML
    Model,
}
