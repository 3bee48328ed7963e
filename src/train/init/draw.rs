//! Draws of initial weights and biases.

use statrs::function::erf::erf;
use tch::{Kind, Tensor};

use crate::train::measure::memory;

/// The weight `[fan-out, fan-in]` and bias of a linear layer, as row-major values.
pub struct Drawn {
    /// Row by row.
    pub weight: Vec<Vec<f32>>,
    /// One for each row.
    pub bias: Vec<f32>,
}

/// Draws a linear layer as PyTorch does: its default weight and bias, then the schemes over them in
/// place. A seed and a shape give the same numbers on every machine.
pub fn draw_linear(weight_init: Init, bias_init: Init, fan_in: u64, fan_out: u64, seed: i64) -> Drawn {
    tch::manual_seed(seed);
    let options = (Kind::Float, tch::Device::Cpu);
    let mut weight = Tensor::zeros([fan_out as i64, fan_in as i64], options);
    let mut bias = Tensor::zeros([fan_out as i64], options);
    let fans = (fan_in, fan_out);
    draw(&mut [
        Drawing { tensor: &mut weight, default: Init::Default, init: weight_init, fans },
        Drawing { tensor: &mut bias, default: Init::Default, init: bias_init, fans },
    ]);
    Drawn {
        weight: memory::values(&weight).chunks(fan_in as usize).map(<[f32]>::to_vec).collect(),
        bias: memory::values(&bias).into_owned(),
    }
}

/// A tensor to be drawn.
pub struct Drawing<'a> {
    /// Where the numbers go.
    pub tensor: &'a mut Tensor,
    /// The draws of the layer's constructor in PyTorch.
    pub default: Init,
    /// The scheme that is drawn over that.
    pub init: Init,
    /// Fan-in and fan-out of the layer's weight.
    pub fans: (u64, u64),
}

/// The defaults of all, then the schemes in place: PyTorch's order of draws.
pub fn draw(drawings: &mut [Drawing]) {
    tch::no_grad(|| {
        for Drawing { tensor, default, fans, .. } in &mut *drawings {
            default.fill(tensor, fans.0, fans.1);
        }
        for Drawing { tensor, init, fans, .. } in drawings.iter_mut().filter(|d| d.init != Init::Default) {
            init.fill(tensor, fans.0, fans.1);
        }
    });
}

/// How the values of a weight or bias are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// The draws of the layer's own constructor in PyTorch: for a linear layer ±1/√fan-in, uniform.
    Default,
    /// All the same.
    Constant(f64),
    /// Uniform between two bounds.
    Uniform(f64, f64),
    /// Normal with mean and standard deviation.
    Normal(f64, f64),
    /// Normal, cut off outside of two bounds.
    TruncNormal {
        /// Mean before the cut.
        mean: f64,
        /// Standard deviation before the cut.
        std: f64,
        /// Lower bound.
        low: f64,
        /// Upper bound.
        high: f64,
    },
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
        /// Factor of the matrix.
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
            Self::TruncNormal { mean, std, low, high } => trunc_normal(tensor, mean, std, low, high),
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

    /// Whether it is made for matrices: a bias has no rows and columns.
    pub fn needs_matrix(self) -> bool {
        matches!(self, Self::Orthogonal { .. } | Self::Sparse { .. })
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

/// `torch.nn.init.trunc_normal_`: a uniform draw between the two bounds' probabilities, through the
/// inverse of the normal distribution; the last cut is for its rounding.
fn trunc_normal(tensor: &mut Tensor, mean: f64, std: f64, low: f64, high: f64) {
    let below = |x: f64| (1.0 + erf((x - mean) / std / 2f64.sqrt())) / 2.0;
    let _ = tensor.uniform_(2.0 * below(low) - 1.0, 2.0 * below(high) - 1.0);
    let _ = tensor.erfinv_();
    let _ = tensor.g_mul_scalar_(std * 2f64.sqrt());
    let _ = tensor.g_add_scalar_(mean);
    let _ = tensor.clamp_(low, high);
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
