//! The first line of a record: what was run, on what, with which layers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::merge::Ranks;
use super::number;
use super::settings::{Named, Norm, Setting, TrainingSettings};

/// Name and version of the format; the first line of every record carries it.
pub const SCHEMA: &str = "gradscope.record/1";

/// The value of [`Run::capture`] where nothing but weights is known: no loss, no gradients, no steps, as in
/// a checkpoint. Each epoch then stands for a file, and its update is the change since the one before.
pub const WEIGHTS_ALONE: &str = "weights";

/// The value of [`Run::format`] for a model that is a TorchScript program.
pub const TORCHSCRIPT: &str = "torchscript";

/// The first line of a record: the run, its data and its layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// Name and version of the format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// Version of gradscope that wrote the record.
    pub gradscope: String,
    /// Git commit that it was built from.
    pub commit: String,
    /// Version of the tensor library, where one was used.
    pub libtorch: Option<String>,
    /// The command line, word by word.
    pub command: Vec<String>,
    /// How it was trained.
    pub run: Run,
    /// The data that it was trained on.
    pub data: Data,
    /// Every layer with parameters, in forward order.
    pub layers: Vec<Layer>,
    /// The processes that trained together, where there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<Ranks>,
}

/// Settings that may differ between two parts of one run.
const CHANGEABLE: [&str; 3] = ["epochs", "patience", "threads"];

impl Header {
    /// Whether nothing but weights was measured, see [`WEIGHTS_ALONE`].
    pub fn has_weights_alone(&self) -> bool {
        self.run.capture.as_deref() == Some(WEIGHTS_ALONE)
    }

    /// Whether the model is a program whose layers are known by their parameters alone, see [`Run::format`].
    pub fn is_program(&self) -> bool {
        self.run.format.is_some()
    }

    /// Returns the first difference from the training of another header, such as `run.seed is 0 there and 1 here`; how
    /// long it goes on is left out.
    pub fn first_difference(&self, here: &Header) -> Option<String> {
        use serde_json::{Value, to_value};
        let parts = |header: &Header| {
            let (run, data) = (to_value(&header.run), to_value(&header.data));
            [("run", run), ("data", data)].map(|(name, value)| (name, value.unwrap_or_default()))
        };
        for ((name, mut there), (_, mut here)) in parts(self).into_iter().zip(parts(here)) {
            let keys: std::collections::BTreeSet<String> = [&there, &here]
                .iter()
                .filter_map(|v| v.as_object())
                .flat_map(|o| o.keys().cloned())
                .collect();
            for key in keys.iter().filter(|key| !CHANGEABLE.contains(&key.as_str())) {
                let [there, here] =
                    [&mut there, &mut here].map(|v| v.get_mut(key).map_or(Value::Null, Value::take));
                if there != here {
                    return Some(format!("{name}.{key} is {there} there and {here} here"));
                }
            }
        }
        (self.layers != here.layers).then(|| "its layers are others".into())
    }
}

/// How a model was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Name of the model.
    pub model: String,
    /// In which format the model came, where that is a program (`torchscript`): its layers are then known by
    /// their parameters alone, in the order in which these are declared, and not what follows a layer, nor
    /// which one gives the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The loss that is minimised.
    pub loss: Loss,
    /// Its seed, length, optimizer and clipping, side by side with the other settings in a file.
    #[serde(flatten)]
    pub training: TrainingSettings,
    /// How the learning rate falls, as `--lr-decay` spells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr_decay: Option<String>,
    /// Rows a batch.
    pub batch_size: u64,
    /// Optimizer steps an epoch.
    pub steps_per_epoch: u64,
    /// Initialiser of the weights, as `--init` spells it.
    pub init: String,
    /// Initialiser of the biases as `--bias` spells it, `default` where left to the layers.
    pub bias: String,
    /// Activation between layers, as `--act` spells it.
    pub activation: Setting<Activation>,
    /// Slope of leaky ReLU below zero (whether or not the model has one).
    pub lrelu_slope: f64,
    /// Normalisation, as `--norm` spells it.
    pub norm: Setting<Norm>,
    /// Dropout probability; 0 for none.
    pub dropout: f64,
    /// Where it ran: `cpu`, `cuda:0`, `mps`.
    pub device: String,
    /// Threads of the tensor library.
    pub threads: u64,
    /// The part that was measured, as `--capture` spells it, where it was not everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<String>,
    /// How many values of a larger tensor quantiles were taken of, where captures lay too close together for bins
    /// of all values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantiles_of: Option<u64>,
}

impl Run {
    /// A run of so many epochs of so many steps, of which nothing else is known.
    pub fn new(model: &str, loss: Loss, epochs: u64, steps_per_epoch: u64) -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            model: model.into(),
            format: None,
            loss,
            training: TrainingSettings::unknown(epochs),
            lr_decay: None,
            batch_size: 0,
            steps_per_epoch,
            init: unknown(),
            bias: unknown(),
            activation: "unknown".into(),
            lrelu_slope: 0.01,
            norm: Norm::None.into(),
            dropout: 0.0,
            device: "cpu".into(),
            threads: 1,
            capture: None,
            quantiles_of: None,
        }
    }
}

/// The loss that is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Binary cross-entropy.
    Bce,
    /// Mean squared error.
    Mse,
    /// Cross-entropy over classes, of logits.
    CrossEntropy,
    /// Not one of these, or not known.
    Unknown,
}

impl Loss {
    /// Those that there are to train with.
    pub const TRAINED: &'static [Loss] = &[Loss::Bce, Loss::Mse, Loss::CrossEntropy];
}

impl Named for Loss {
    const ALL: &'static [Self] = &[Loss::Bce, Loss::Mse, Loss::CrossEntropy, Loss::Unknown];

    fn name(self) -> &'static str {
        match self {
            Loss::Bce => "bce",
            Loss::Mse => "mse",
            Loss::CrossEntropy => "cross-entropy",
            Loss::Unknown => "unknown",
        }
    }
}

/// The kind of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Classes; a score is the accuracy.
    Classification,
    /// Numbers; a score is minus the mean squared error, so that higher is better.
    Regression,
}

impl Named for Task {
    const ALL: &'static [Self] = &[Task::Classification, Task::Regression];

    fn name(self) -> &'static str {
        match self {
            Task::Classification => "classification",
            Task::Regression => "regression",
        }
    }
}

impl Task {
    /// Returns the name of a score.
    pub fn score_name(self) -> &'static str {
        match self {
            Task::Classification => "accuracy",
            Task::Regression => "negative MSE",
        }
    }
}

/// The data that a model was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Data {
    /// As `--data` spells it.
    pub name: String,
    /// Classification or regression.
    pub task: Task,
    /// Rows of the three splits.
    pub train: u64,
    /// Rows held out to choose by.
    pub dev: u64,
    /// Rows held out to the end.
    pub test: u64,
    /// Columns of an input.
    pub inputs: u64,
    /// Channels, height and width of an input, where it is an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<[u64; 3]>,
    /// Names of the classes; empty for regression.
    pub classes: Vec<String>,
    /// Mean training loss of the best constant prediction: entropy of the classes, or variance of the
    /// targets. What guessing costs; NaN where it is unknown.
    #[serde(with = "number", rename = "chance_loss")]
    #[schemars(with = "number::MaybeFinite")]
    pub baseline_loss: f64,
    /// Root mean square of the training inputs as the model sees them; NaN where it is unknown.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub input_rms: f64,
    /// Mean of the training targets (regression).
    pub target_mean: Option<f64>,
    /// Standard deviation of the training targets (regression).
    pub target_std: Option<f64>,
}

/// A layer with parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// Unique name, such as `fc1`.
    pub name: String,
    /// The operation of the layer.
    pub kind: LayerKind,
    /// Shape of its weight, output dimension first.
    pub shape: Vec<u64>,
    /// Inputs of one unit.
    pub fan_in: u64,
    /// Its units (rows of the weight).
    pub units: u64,
    /// Whether it has a bias.
    pub bias: bool,
    /// Parameters, bias included.
    pub parameters: u64,
    /// The nonlinearity that its output goes through (after a normalisation in between, if any).
    pub activation: Activation,
    /// Whether it gives the model's output.
    pub output: bool,
    /// Whether a normalisation stands between it and its nonlinearity, or after that.
    pub normalized: bool,
    /// Whether the optimizer is to change it.
    pub trainable: bool,
    /// Its place among the layers with a weight in the branch of a residual block, from 1: a shortcut leads
    /// around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<u64>,
}

/// The operation of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LayerKind {
    /// Fully connected.
    Linear,
    /// A convolution over rows; its units are the output channels, here and below.
    Conv1d,
    /// A convolution over images.
    Conv2d,
    /// A convolution over volumes.
    Conv3d,
    /// A transposed convolution.
    ConvTranspose,
    /// A weight of a recurrent layer.
    Recurrent,
    /// A vector a word: nothing is mixed.
    Embedding,
    /// Batch normalisation: a gain and a shift a feature.
    BatchNorm,
    /// Layer normalisation: a gain and a shift a feature.
    LayerNorm,
    /// Group normalisation.
    GroupNorm,
    /// Instance normalisation.
    InstanceNorm,
    /// Normalisation by the root mean square: a gain a feature.
    RmsNorm,
    /// A weight of another kind.
    Other,
}

impl LayerKind {
    /// Whether its weight is a matrix or kernel: gains are left out of rules that compare gradients.
    pub fn is_matrix(self) -> bool {
        use LayerKind::{Conv1d, Conv2d, Conv3d, ConvTranspose, Linear, Recurrent};
        matches!(self, Linear | Conv1d | Conv2d | Conv3d | ConvTranspose | Recurrent)
    }

    /// As it stands in files.
    pub fn name(self) -> &'static str {
        match self {
            LayerKind::Linear => "linear",
            LayerKind::Conv1d => "conv1d",
            LayerKind::Conv2d => "conv2d",
            LayerKind::Conv3d => "conv3d",
            LayerKind::ConvTranspose => "conv-transpose",
            LayerKind::Recurrent => "recurrent",
            LayerKind::Embedding => "embedding",
            LayerKind::BatchNorm => "batch-norm",
            LayerKind::LayerNorm => "layer-norm",
            LayerKind::GroupNorm => "group-norm",
            LayerKind::InstanceNorm => "instance-norm",
            LayerKind::RmsNorm => "rms-norm",
            LayerKind::Other => "other",
        }
    }
}

/// A nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// No nonlinearity.
    Identity,
    /// max(0, x).
    Relu,
    /// Leaky ReLU.
    Lrelu,
    /// Exponential linear unit.
    Elu,
    /// Gaussian error linear unit.
    Gelu,
    /// Scaled exponential linear unit.
    Selu,
    /// x · sigmoid(x).
    Silu,
    /// Logistic function.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
}

impl Named for Activation {
    const ALL: &'static [Self] = &[
        Activation::Relu,
        Activation::Lrelu,
        Activation::Elu,
        Activation::Gelu,
        Activation::Selu,
        Activation::Silu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Identity,
    ];

    fn name(self) -> &'static str {
        match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::Lrelu => "lrelu",
            Activation::Elu => "elu",
            Activation::Gelu => "gelu",
            Activation::Selu => "selu",
            Activation::Silu => "silu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
        }
    }
}

impl Activation {
    /// Whether a unit can be silent for good: its output and its gradient are exactly zero wherever
    /// its pre-activation is negative.
    pub fn can_die(self) -> bool {
        self == Activation::Relu
    }
}
