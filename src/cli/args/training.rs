//! The flags about how a network is trained and measured, and for how long.

use clap::Args;

use super::number;
use super::value::one_of;
use crate::record::{Compression, Loss};

#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub struct TrainingArgs {
    /// bce, mse or cross-entropy [default: by the targets]
    #[arg(long, value_name = "LOSS", value_parser = one_of(Loss::TRAINED))]
    pub loss: Option<Loss>,
    /// sgd, adam, adamw or rmsprop
    #[arg(long, value_name = "NAME")]
    pub optimizer: Option<String>,
    /// Learning rate
    #[arg(long, value_name = "LR", value_parser = number::rate, allow_negative_numbers = true)]
    pub lr: Option<f64>,
    /// Momentum of sgd and rmsprop
    #[arg(long, value_name = "M", value_parser = number::probability, allow_negative_numbers = true)]
    pub momentum: Option<f64>,
    /// Weight decay
    #[arg(long, value_name = "WD", value_parser = number::decay, allow_negative_numbers = true)]
    pub weight_decay: Option<f64>,
    /// Clip the gradient's L2 norm to this
    #[arg(long, value_name = "NORM", value_parser = number::clip, allow_negative_numbers = true)]
    pub clip_norm: Option<f64>,
    /// Clip every value of the gradient to between -V and V
    #[arg(long, value_name = "V", value_parser = number::clip, allow_negative_numbers = true)]
    pub clip_value: Option<f64>,
    /// Let the learning rate fall: step:EPOCHS,FACTOR, exponential:FACTOR, cosine[:LEAST]
    #[arg(long, value_name = "RULE", allow_hyphen_values = true)]
    pub lr_decay: Option<String>,
    /// Rows a step: a number, or full for all of them
    #[arg(long, value_name = "N|full", allow_hyphen_values = true)]
    pub batch_size: Option<String>,
    /// Seed of everything that is drawn [default: 0]
    #[arg(long, value_name = "N", value_parser = number::seed, allow_negative_numbers = true)]
    pub seed: Option<i64>,
    /// auto, cpu, cuda, cuda:N or mps
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// Threads of libtorch [default: by the size of the work, at most OMP_NUM_THREADS]
    #[arg(long, value_name = "N", value_parser = number::threads, allow_negative_numbers = true)]
    pub threads: Option<u64>,
    /// Capture everything at every K-th step too, not only at the end of epochs
    #[arg(long, value_name = "K", value_parser = number::steps, allow_negative_numbers = true)]
    pub capture_every: Option<u64>,
    /// What is measured of the layers: all, activations=off (neither activations nor how often units
    /// fire), norms (also no distributions), none (only loss and scores)
    #[arg(long, value_name = "WHAT")]
    pub capture: Option<String>,
    /// Compress the record while it is written: none, or zstd for record.jsonl.zst
    #[arg(long, value_name = "HOW", default_value = "none", value_parser = one_of(Compression::WRITTEN))]
    pub record_compress: Compression,
}

/// The flags that a run may be resumed with.
#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub struct LengthArgs {
    /// Passes over the training rows
    #[arg(long, value_name = "N", value_parser = number::epochs, allow_negative_numbers = true)]
    pub epochs: Option<u64>,
    /// Stop when the score on the dev set has not risen for N epochs
    #[arg(long, value_name = "N", value_parser = number::epochs, allow_negative_numbers = true)]
    pub patience: Option<u64>,
    /// Keep the parameters with the best dev score (model.safetensors), and what --resume goes on from
    /// (state.safetensors)
    #[arg(long)]
    pub save_model: bool,
}
