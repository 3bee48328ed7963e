//! What is trained and how: the flags that `run` shares with the commands that train several networks.

use clap::Args;

use super::{FindingArgs, number};

/// What is trained and how, and what is made of it: the same for one run and for several.
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
    #[arg(long, value_name = "TASK")]
    pub task: Option<TaskArg>,
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

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkArgs {
    /// Units of the hidden layers, such as 64,64
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', value_parser = number::units, allow_hyphen_values = true)]
    pub hidden: Option<Vec<u64>>,
    /// Activation: relu, lrelu, elu, gelu, selu, silu, sigmoid, tanh, identity
    #[arg(long, value_name = "NAME", value_parser = activation)]
    pub act: Option<gradscope::record::Activation>,
    /// Slope of leaky ReLU below zero [default: 0.01]
    #[arg(long, value_name = "SLOPE", value_parser = number::slope, allow_negative_numbers = true)]
    pub lrelu_slope: Option<f64>,
    /// Normalisation: none, batch-pre, batch-post (before or after the activation), layer
    #[arg(long, value_name = "NORM")]
    pub norm: Option<NormArg>,
    /// Probability of dropout after hidden layers
    #[arg(long, value_name = "P", value_parser = number::probability, allow_negative_numbers = true)]
    pub dropout: Option<f64>,
    /// Cell of recurrent layers: rnn, lstm, gru
    #[arg(long, value_name = "CELL")]
    pub cell: Option<CellArg>,
    /// Initialiser of weights, such as xavier-uniform, kaiming-normal or normal:0,0.01
    #[arg(long, value_name = "SCHEME", allow_hyphen_values = true)]
    pub init: Option<String>,
    /// Initialiser of biases: a number or a scheme
    #[arg(long, value_name = "NUMBER|SCHEME", allow_hyphen_values = true)]
    pub bias: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub struct TrainingArgs {
    /// bce, mse or cross-entropy [default: by the targets]
    #[arg(long, value_name = "LOSS")]
    pub loss: Option<LossArg>,
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
    #[arg(long, value_name = "HOW", default_value = "none")]
    pub record_compress: PackingArg,
}

/// What may be said of a run that is resumed, too.
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

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum PackingArg {
    None,
    Zstd,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum TaskArg {
    Classification,
    Regression,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum LossArg {
    Bce,
    Mse,
    CrossEntropy,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum NormArg {
    None,
    BatchPre,
    BatchPost,
    Layer,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum CellArg {
    Rnn,
    Lstm,
    Gru,
}

fn activation(text: &str) -> Result<gradscope::record::Activation, String> {
    use gradscope::record::Activation;
    let known = || Activation::ALL.map(Activation::name).join(", ");
    Activation::ALL
        .into_iter()
        .find(|a| a.name() == text)
        .ok_or_else(|| format!("no activation is called so; there are {}", known()))
}
