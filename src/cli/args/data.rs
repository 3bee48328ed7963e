//! The flags about data.

use clap::Args;

use super::number;
use super::value::one_of;
use crate::record::Task;
use crate::record::settings::Named;

#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// Data: moons, circles, spirals[:K], blobs[:K], polynomial[:KEY=VALUE,…], memory[:STEPS], csv:FILE or idx:DIR
    /// (`gradscope datasets` describes them) [default: the model's]
    #[arg(long, value_name = "DATA")]
    pub data: Option<String>,
    /// Column of a csv to predict [default: the last]
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,
    /// classification or regression [default: guessed from the target]
    #[arg(long, value_name = "TASK", value_parser = one_of(Task::ALL))]
    pub task: Option<Task>,
    /// Scale inputs to zero mean and unit variance, as measured on the training rows
    #[arg(long)]
    pub standardize: bool,
    /// Standard deviation of the noise of generated data [default: the data's]
    #[arg(long, value_name = "STD", value_parser = number::noise, allow_negative_numbers = true)]
    pub noise: Option<f64>,
    /// Rows of generated data [default: 1000]
    #[arg(long, value_name = "N", value_parser = number::samples, allow_negative_numbers = true)]
    pub samples: Option<u64>,
    /// Training, dev and test rows: shares or numbers; of idx, the first two are of the training files
    /// and the third is of the test files [default: polynomial 0.7,0,0.3; csv 0.7,0.15,0.15; idx
    /// 0.8,0.2,1; otherwise 0.64,0.16,0.2]
    #[arg(long, value_name = "A,B,C", allow_hyphen_values = true)]
    pub split: Option<String>,
    /// Split a file in the order of its rows
    #[arg(long)]
    pub no_shuffle_split: bool,
}
