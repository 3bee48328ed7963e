//! The flags of the commands that look at a model or an initialiser before any training.

use std::path::PathBuf;

use clap::Args;

use super::data::DataArgs;
use super::network::NetworkArgs;
use super::number;

#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// Model: a name (`gradscope models` lists them) or a file that ends in .toml
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub model: String,
    /// Rows of the batch whose memory is estimated [default: the model's, or 1]
    #[arg(long, value_name = "N", value_parser = number::steps, allow_negative_numbers = true)]
    pub batch_size: Option<u64>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
}

#[derive(Debug, Args)]
pub struct GradcheckArgs {
    /// Model: a name (`gradscope models` lists them) or a file that ends in .toml
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub model: String,
    /// Rows that the loss is taken over
    #[arg(long, value_name = "N", default_value = "8", value_parser = number::rows, allow_negative_numbers = true)]
    pub rows: u64,
    /// Parameters of a layer beyond which only so many are checked, chosen at random
    #[arg(long, value_name = "N", default_value = "200", value_parser = number::steps, allow_negative_numbers = true)]
    pub coordinates: u64,
    /// Seed of data, parameters and choice
    #[arg(long, value_name = "N", default_value = "0", value_parser = number::seed, allow_negative_numbers = true)]
    pub seed: i64,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Initialiser of the weight (`gradscope inits` lists them)
    #[arg(long, value_name = "SCHEME", allow_hyphen_values = true)]
    pub scheme: String,
    /// Inputs of a unit: columns of the matrix
    #[arg(long, value_name = "N", value_parser = number::units, allow_negative_numbers = true)]
    pub fan_in: u64,
    /// Units: rows of the matrix
    #[arg(long, value_name = "M", value_parser = number::units, allow_negative_numbers = true)]
    pub fan_out: u64,
    /// Seed of the draw
    #[arg(long, value_name = "N", default_value = "0", value_parser = number::seed, allow_negative_numbers = true)]
    pub seed: i64,
    /// Initialiser of the bias: a number or a scheme
    #[arg(long, value_name = "NUMBER|SCHEME", default_value = "default", allow_hyphen_values = true)]
    pub bias: String,
    /// Print weight and bias as JSON
    #[arg(long)]
    pub json: bool,
    /// Draw a density histogram of the weights into this file
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
}
