//! Initialisers: their grammar, and draws that are PyTorch's for the same seed and shape.

use std::str::FromStr;

use tch::{Kind, Tensor};

use super::TrainError;

/// How the values of a weight or bias are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// What the layer's own constructor draws in PyTorch: for a linear layer ±1/√fan-in, uniform.
    Default,
    /// All the same.
    Constant(f64),
    /// Uniform between two bounds.
    Uniform(f64, f64),
    /// Normal with mean and standard deviation.
    Normal(f64, f64),
    /// Uniform, ±1/√fan-in.
    UniformRule,
    /// Normal, N(0, 1/√fan-in).
    NormalRule,
    /// Glorot and Bengio (2010): variance gain² · 2 / (fan-in + fan-out).
    Xavier {
        /// Uniform rather than normal.
        uniform: bool,
        /// Factor for the nonlinearity that follows.
        gain: f64,
    },
    /// He, Zhang, Ren and Sun (2015): variance gain² / fan.
    Kaiming {
        /// Uniform rather than normal.
        uniform: bool,
        /// Fan-out rather than fan-in.
        fan_out: bool,
        /// Factor for the nonlinearity that follows.
        gain: f64,
    },
    /// Orthogonal rows or columns (Saxe, McClelland and Ganguli, 2013).
    Orthogonal {
        /// Factor.
        gain: f64,
    },
    /// Normal, with a share of every column set to zero (Martens, 2010).
    Sparse {
        /// Share of zeros in a column, 0..1.
        sparsity: f64,
        /// Standard deviation of the rest.
        std: f64,
    },
}

/// The grammar, a line each, for `--help` and messages.
pub const GRAMMAR: [&str; 13] = [
    "default",
    "zeros",
    "ones",
    "constant:V",
    "uniform:A,B",
    "normal:MEAN,STD",
    "uniform-rule",
    "normal-rule",
    "xavier-uniform[:gain=G]",
    "xavier-normal[:gain=G]",
    "kaiming-uniform[:a=A,mode=fan-in|fan-out,nonlinearity=NAME]",
    "kaiming-normal[:a=A,mode=fan-in|fan-out,nonlinearity=NAME]",
    "orthogonal[:gain=G] or sparse:SPARSITY[,STD]",
];

/// No nonlinearity needs a gain near this.
const LARGEST_GAIN: f64 = 1e6;

/// `torch.nn.init.calculate_gain`; `slope` is for `leaky_relu` alone.
fn calculate_gain(nonlinearity: &str, slope: f64) -> Option<f64> {
    Some(match nonlinearity {
        "linear" | "identity" | "sigmoid" | "conv1d" | "conv2d" | "conv3d" => 1.0,
        "tanh" => 5.0 / 3.0,
        "relu" => 2f64.sqrt(),
        "leaky_relu" | "lrelu" => (2.0 / (1.0 + slope * slope)).sqrt(),
        "selu" => 0.75,
        _ => return None,
    })
}

/// An initialiser as it was written, and what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheme {
    /// As it was written.
    pub text: String,
    /// What it means.
    pub init: Init,
}

impl FromStr for Scheme {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        let init = parse(text).map_err(|reason| TrainError::Init { text: text.into(), reason })?;
        Ok(Self { text: text.into(), init })
    }
}

impl Scheme {
    /// A scheme for biases, where a bare number stands for that constant.
    ///
    /// # Errors
    /// [`TrainError::Init`] where the text is neither, or a scheme that only a matrix can have.
    pub fn for_bias(text: &str) -> Result<Self, TrainError> {
        let fail = |reason: String| TrainError::Init { text: text.into(), reason };
        let scheme: Self = match text.trim().parse::<f64>() {
            Ok(_) => Self { text: text.into(), init: Init::Constant(number(text).map_err(fail)?) },
            Err(_) => text.parse()?,
        };
        match scheme.init {
            Init::Orthogonal { .. } | Init::Sparse { .. } => {
                Err(fail("a bias has no rows and columns; use a number or one of the other schemes".into()))
            }
            _ => Ok(scheme),
        }
    }
}

fn parse(text: &str) -> Result<Init, String> {
    let (name, rest) = text.split_once(':').map_or((text, ""), |(name, rest)| (name, rest));
    let mut arguments = Arguments::new(rest)?;
    let init = match name {
        "default" => Init::Default,
        "zeros" => Init::Constant(0.0),
        "ones" => Init::Constant(1.0),
        "constant" => Init::Constant(arguments.number("constant:V")?),
        "uniform" => {
            let (a, b) = (arguments.number("uniform:A,B")?, arguments.number("uniform:A,B")?);
            if a >= b {
                return Err(format!("in uniform:A,B, A should be below B, but {a} is not below {b}"));
            }
            if b - a > f64::from(f32::MAX) {
                return Err("B - A is more than a float32 holds".into());
            }
            Init::Uniform(a, b)
        }
        "normal" => {
            let mean = arguments.number("normal:MEAN,STD")?;
            Init::Normal(mean, positive("STD", arguments.number("normal:MEAN,STD")?)?)
        }
        "uniform-rule" => Init::UniformRule,
        "normal-rule" => Init::NormalRule,
        "xavier-uniform" | "xavier-normal" => {
            Init::Xavier { uniform: name == "xavier-uniform", gain: arguments.gain()? }
        }
        "kaiming-uniform" | "kaiming-normal" => {
            let slope = arguments.keyword("a").map_or(Ok(0.0), |v| number(&v))?;
            let fan_out = match arguments.keyword("mode").as_deref() {
                None | Some("fan-in" | "fan_in") => false,
                Some("fan-out" | "fan_out") => true,
                Some(other) => return Err(format!("mode is fan-in or fan-out, not {other:?}")),
            };
            let nonlinearity = arguments.keyword("nonlinearity").unwrap_or_else(|| "leaky_relu".into());
            let gain = calculate_gain(&nonlinearity, slope).ok_or_else(|| unknown_gain(&nonlinearity))?;
            Init::Kaiming { uniform: name == "kaiming-uniform", fan_out, gain }
        }
        "orthogonal" => Init::Orthogonal { gain: arguments.gain()? },
        "sparse" => {
            let sparsity = arguments.number("sparse:SPARSITY[,STD]")?;
            if !(0.0..=1.0).contains(&sparsity) {
                return Err(format!("SPARSITY is a share between 0 and 1, not {sparsity}"));
            }
            let std = if arguments.positional.is_empty() { 0.01 } else { arguments.number("sparse")? };
            Init::Sparse { sparsity, std: positive("STD", std)? }
        }
        other => {
            let names = GRAMMAR.map(|g| g.split([':', '[']).next().unwrap_or(g));
            let similar = crate::text::similar(other, names.into_iter().chain(["sparse"]));
            let guess = similar.first().map_or(String::new(), |n| format!(" (did you mean {n}?)"));
            return Err(format!("use one of {}{guess}", GRAMMAR.join(", ")));
        }
    };
    arguments.finish()?;
    Ok(init)
}

fn unknown_gain(name: &str) -> String {
    format!("nonlinearity is linear, sigmoid, tanh, relu, leaky_relu or selu, not {name:?}")
}

fn number(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(v) if v.is_finite() && v.abs() <= f64::from(f32::MAX) => Ok(v),
        _ => Err(format!("{text:?} is no finite number")),
    }
}

fn positive(name: &str, value: f64) -> Result<f64, String> {
    if value > 0.0 { Ok(value) } else { Err(format!("{name} should be above zero, not {value}")) }
}

/// What stands after the colon: numbers in order, and `name=value` pairs.
struct Arguments {
    positional: std::collections::VecDeque<String>,
    named: Vec<(String, String)>,
}

impl Arguments {
    fn new(text: &str) -> Result<Self, String> {
        let mut arguments = Self { positional: Default::default(), named: Vec::new() };
        for part in text.split(',').filter(|_| !text.is_empty()) {
            match part.split_once('=') {
                Some((name, value)) => arguments.named.push((name.trim().into(), value.trim().into())),
                None if part.trim().is_empty() => return Err("a value is missing between the commas".into()),
                None => arguments.positional.push_back(part.trim().into()),
            }
        }
        Ok(arguments)
    }

    fn number(&mut self, form: &str) -> Result<f64, String> {
        let text = self.positional.pop_front().ok_or_else(|| format!("it is written {form}"))?;
        number(&text)
    }

    fn keyword(&mut self, name: &str) -> Option<String> {
        let at = self.named.iter().position(|(n, _)| n == name)?;
        Some(self.named.remove(at).1)
    }

    /// A gain, as a number or as the name of a nonlinearity.
    fn gain(&mut self) -> Result<f64, String> {
        match self.keyword("gain") {
            None => Ok(1.0),
            Some(text) => match calculate_gain(&text, 0.01) {
                Some(gain) => Ok(gain),
                None => match positive("gain", number(&text)?)? {
                    gain if gain <= LARGEST_GAIN => Ok(gain),
                    gain => Err(format!("gain should be at most {LARGEST_GAIN}, not {gain}")),
                },
            },
        }
    }

    fn finish(self) -> Result<(), String> {
        match (self.positional.front(), self.named.first()) {
            (Some(extra), _) => Err(format!("{extra:?} is one value too many")),
            (_, Some((name, _))) => Err(format!("it takes no {name:?}")),
            _ => Ok(()),
        }
    }
}

impl Init {
    /// Overwrites the tensor in place, drawing from libtorch's global generator exactly as
    /// `torch.nn.init` does. `fan_in` and `fan_out` are those of the layer's weight, so that a bias
    /// can be drawn by the same rules. Call without gradient tracking.
    pub fn fill(self, tensor: &mut Tensor, fan_in: u64, fan_out: u64) {
        let (inputs, outputs) = (fan_in as f64, fan_out as f64);
        match self {
            Self::Default => {
                let bound = 1.0 / inputs.sqrt();
                let _ = tensor.uniform_(-bound, bound);
            }
            Self::Constant(value) => {
                let _ = tensor.fill_(value);
            }
            Self::Uniform(a, b) => {
                let _ = tensor.uniform_(a, b);
            }
            Self::Normal(mean, std) => {
                let _ = tensor.normal_(mean, std);
            }
            Self::UniformRule => {
                let bound = 1.0 / inputs.sqrt();
                let _ = tensor.uniform_(-bound, bound);
            }
            Self::NormalRule => {
                let _ = tensor.normal_(0.0, 1.0 / inputs.sqrt());
            }
            Self::Xavier { uniform, gain } => {
                spread(tensor, uniform, gain * (2.0 / (inputs + outputs)).sqrt());
            }
            Self::Kaiming { uniform, fan_out, gain } => {
                let fan = if fan_out { outputs } else { inputs };
                spread(tensor, uniform, gain / fan.sqrt());
            }
            Self::Orthogonal { gain } => orthogonal(tensor, gain),
            Self::Sparse { sparsity, std } => sparse(tensor, sparsity, std),
        }
    }
}

/// A draw of this standard deviation.
fn spread(tensor: &mut Tensor, uniform: bool, std: f64) {
    if uniform {
        let bound = 3f64.sqrt() * std;
        let _ = tensor.uniform_(-bound, bound);
    } else {
        let _ = tensor.normal_(0.0, std);
    }
}

fn orthogonal(tensor: &mut Tensor, gain: f64) {
    let shape = tensor.size();
    let rows = shape[0];
    let columns = tensor.numel() as i64 / rows.max(1);
    let mut flat = Tensor::empty([rows, columns], (tensor.kind(), tensor.device())).normal_(0.0, 1.0);
    if rows < columns {
        flat = flat.tr();
    }
    let (q, r) = Tensor::linalg_qr(&flat, "reduced");
    // Signs that make the draw uniform over orthogonal matrices (Mezzadri, 2007).
    let mut q = q * r.diagonal(0, 0, 1).sign();
    if rows < columns {
        q = q.tr();
    }
    tensor.copy_(&(q.reshape(shape) * gain));
}

fn sparse(tensor: &mut Tensor, sparsity: f64, std: f64) {
    let _ = tensor.normal_(0.0, std);
    let shape = tensor.size();
    let zeros = (sparsity * shape[0] as f64).ceil() as i64;
    for column in 0..shape[1] {
        let rows = Tensor::randperm(shape[0], (Kind::Int64, tensor.device())).narrow(0, 0, zeros);
        let _ = tensor.select(1, column).index_fill_(0, &rows, 0.0);
    }
}
