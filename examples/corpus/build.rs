//! The parts that kinds are built from: networks that suit their nonlinearity, model files layer by
//! layer, and tables.

use std::fmt::Write as _;

use crate::case::Case;
use crate::draw::Draw;

/// Units of hidden layers, as `--hidden` takes them.
pub fn hidden(depth: u64, width: u64) -> String {
    vec![width.to_string(); depth as usize].join(",")
}

/// A fully connected network on generated data, with nothing but its shape and its data set.
pub fn mlp(d: &mut Draw, depth: u64, width: u64, act: &str, data: &str) -> Case {
    Case::of("mlp")
        .with("hidden", hidden(depth, width))
        .with("act", act)
        .with("data", data)
        .with("seed", d.seed)
        .with("epochs", 12)
}

/// The initialiser that keeps the signal's size through layers of this nonlinearity.
pub fn init_of(act: &str) -> &'static str {
    match act {
        "tanh" => "xavier-normal:gain=tanh",
        "sigmoid" => "xavier-normal",
        "selu" => "normal-rule",
        _ => "kaiming-normal:nonlinearity=relu",
    }
}

/// One layer of a model file.
pub struct Part {
    /// Everything after `[[layers]]`.
    pub text: String,
}

/// A linear layer; of the last one `units` is `None`.
pub fn linear(units: Option<u64>, init: &str, bias: &str) -> Part {
    let units = units.map_or(String::new(), |n| format!("units = {n}\n"));
    Part { text: format!("type = \"linear\"\n{units}init = \"{init}\"\nbias = {bias}\n") }
}

/// A convolution that keeps the size of its images.
pub fn conv(channels: u64, init: &str, bias: &str) -> Part {
    Part {
        text: format!(
            "type = \"conv2d\"\nchannels = {channels}\nkernel = 3\npadding = 1\ninit = \"{init}\"\nbias = {bias}\n"
        ),
    }
}

/// A pooling that halves images.
pub fn pool() -> Part {
    Part { text: "type = \"max-pool2d\"\nkernel = 2\n".into() }
}

/// From images to rows.
pub fn flatten() -> Part {
    Part { text: "type = \"flatten\"\n".into() }
}

/// A layer without a weight, or of another kind, as it is written.
pub fn part(text: impl Into<String>) -> Part {
    Part { text: text.into() }
}

/// A residual block around a branch.
pub fn residual(branch: &[Part], act: &str) -> Part {
    let inline = |part: &Part| format!("{{ {} }}", part.text.trim_end().replace('\n', ", "));
    let branch: Vec<String> = branch.iter().map(inline).collect();
    part(format!("type = \"residual\"\nact = \"{act}\"\nlayers = [{}]\n", branch.join(", ")))
}

/// A recurrent layer and an output, with more to say of the former.
pub fn recurrent(cell: &str, units: u64, more: &str) -> String {
    let layer = part(format!("type = \"{cell}\"\nunits = {units}\n{more}"));
    file("tanh", "identity", &[layer, linear(None, "xavier-normal", "0")])
}

/// A model file.
pub fn file(act: &str, output: &str, parts: &[Part]) -> String {
    let mut text = format!("act = \"{act}\"\noutput = \"{output}\"\n");
    for part in parts {
        write!(text, "\n[[layers]]\n{}", part.text).expect("a string takes everything");
    }
    text
}

/// Linear layers that suit their nonlinearity, as a list to be changed before it becomes a file.
pub fn parts(depth: u64, width: u64, act: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = (0..depth).map(|_| linear(Some(width), init_of(act), "0")).collect();
    parts.push(linear(None, "xavier-normal", "0"));
    parts
}

/// A run of a model file on generated data.
pub fn run_of(d: &mut Draw, text: String, data: &str) -> Case {
    Case::of_file(text).with("data", data).with("seed", d.seed).with("epochs", 12)
}

/// A run of a model file, or of a model, on the images.
pub fn images(case: Case, d: &mut Draw) -> Case {
    case.with("data", "idx:fixtures/idx").with("seed", d.seed).with("batch-size", 30).with("epochs", 12)
}

/// A table of standard normal inputs and a smooth function of them.
pub struct Table {
    pub rows: usize,
    pub inputs: usize,
    /// What inputs are multiplied by.
    pub scale: f64,
    /// What targets, of about unit variance, are multiplied by.
    pub target_scale: f64,
    /// What is added to them then.
    pub shift: f64,
    /// Standard deviation of what nobody can learn, before the target's scale.
    pub noise: f64,
}

impl Default for Table {
    fn default() -> Self {
        Self { rows: 700, inputs: 4, scale: 1.0, target_scale: 1.0, shift: 0.0, noise: 0.05 }
    }
}

impl Table {
    /// The table for regression.
    pub fn regression(&self, d: &mut Draw) -> String {
        self.csv(d, |value, table| format!("{:.6e}", value * table.target_scale + table.shift))
    }

    /// The table for two classes: the sign of the function.
    pub fn classes(&self, d: &mut Draw) -> String {
        self.csv(d, |value, _| if value > 0.0 { "yes" } else { "no" }.into())
    }

    fn csv(&self, d: &mut Draw, target: impl Fn(f64, &Self) -> String) -> String {
        let directions: [Vec<f64>; 2] = [(); 2].map(|()| {
            let drawn: Vec<f64> = (0..self.inputs).map(|_| d.normal()).collect();
            let length = drawn.iter().map(|v| v * v).sum::<f64>().sqrt();
            drawn.iter().map(|v| v / length).collect()
        });
        let names: Vec<String> = (1..=self.inputs).map(|i| format!("x{i}")).collect();
        let mut text = format!("{},y\n", names.join(","));
        for _ in 0..self.rows {
            let x: Vec<f64> = (0..self.inputs).map(|_| d.normal()).collect();
            let along = |w: &[f64]| w.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>();
            let value = 0.8 * along(&directions[0])
                + 0.8 * (1.5 * along(&directions[1])).sin()
                + self.noise * d.normal();
            for v in &x {
                write!(text, "{:.6e},", v * self.scale).expect("a string takes everything");
            }
            writeln!(text, "{}", target(value, self)).expect("a string takes everything");
        }
        text
    }
}
