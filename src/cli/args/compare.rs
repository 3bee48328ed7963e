//! The flags of `compare`: its own, and those of `run` that all variants share.

use clap::Args;

use super::number;
use super::output::OutputArgs;
use super::run::RunFlags;

#[derive(Debug, Args)]
#[command(after_help = "Every flag of `run` may be given for all variants, or inside one.

Examples:
  gradscope compare --model sigmoid4 --vary \"init=default;xavier-uniform\"
  gradscope compare --model relu5 --variant \"as it is:\" --variant \"He: --init kaiming-normal --bias 0\"")]
pub struct CompareArgs {
    /// Model: a name (`gradscope models` lists them) or a file that ends in .toml
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub model: Option<String>,
    /// A variant: its label, a colon, and the flags that it changes; again for each variant
    #[arg(long, value_name = "LABEL: FLAGS", conflicts_with = "vary")]
    pub variant: Vec<String>,
    /// A variant for each of these values of a flag; given again: for each combination
    #[arg(long, value_name = "FLAG=VALUE;VALUE")]
    pub vary: Vec<String>,
    /// Draw the loss of the first N batches as well
    #[arg(long, value_name = "N", value_parser = number::first_batches, allow_negative_numbers = true)]
    pub plot_batches: Option<u64>,

    #[command(flatten)]
    pub flags: RunFlags,
    #[command(flatten)]
    pub output: OutputArgs,
}
