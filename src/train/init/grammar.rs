//! How initialisers are written: one table that the parser, `gradscope inits` and messages share.

use std::collections::VecDeque;
use std::str::FromStr;

use super::draw::Init;
use crate::train::TrainError;

/// One way to write an initialiser.
pub struct Form {
    /// The name before the colon.
    pub name: &'static str,
    /// Arguments that may follow it, with the colon.
    pub arguments: &'static str,
    /// A description in one line.
    pub about: &'static str,
    parse: fn(&mut Arguments) -> Result<Init, String>,
}

impl Form {
    /// As it is written in full.
    pub fn text(&self) -> String {
        format!("{}{}", self.name, self.arguments)
    }
}

const KAIMING: &str = "[:a=A,mode=fan-in|fan-out,nonlinearity=NAME]";

/// The grammar. `n` is the number of inputs of a unit.
pub const FORMS: [Form; 15] = [
    Form {
        name: "default",
        arguments: "",
        about: "what PyTorch's layer draws by itself: uniform within 1/√n of zero",
        parse: |_| Ok(Init::Default),
    },
    Form { name: "zeros", arguments: "", about: "all 0", parse: |_| Ok(Init::Constant(0.0)) },
    Form { name: "ones", arguments: "", about: "all 1", parse: |_| Ok(Init::Constant(1.0)) },
    Form {
        name: "constant",
        arguments: ":V",
        about: "all V",
        parse: |a| Ok(Init::Constant(a.number("constant:V")?)),
    },
    Form { name: "uniform", arguments: ":A,B", about: "uniform from A up to B", parse: uniform },
    Form {
        name: "normal",
        arguments: ":MEAN,STD",
        about: "normal with this mean and standard deviation",
        parse: |a| {
            let mean = a.number("normal:MEAN,STD")?;
            Ok(Init::Normal(mean, positive("STD", a.number("normal:MEAN,STD")?)?))
        },
    },
    Form {
        name: "trunc-normal",
        arguments: ":MEAN,STD,A,B",
        about: "normal, cut off below A and above B",
        parse: trunc_normal,
    },
    Form {
        name: "uniform-rule",
        arguments: "",
        about: "uniform within 1/√n of zero",
        parse: |_| Ok(Init::UniformRule),
    },
    Form {
        name: "normal-rule",
        arguments: "",
        about: "normal with mean 0 and standard deviation 1/√n",
        parse: |_| Ok(Init::NormalRule),
    },
    Form {
        name: "xavier-uniform",
        arguments: "[:gain=G]",
        about: "uniform of variance G²·2/(fan-in + fan-out), for tanh and sigmoid; G is a number or a nonlinearity; \
                also glorot-uniform",
        parse: |a| Ok(Init::Xavier { uniform: true, gain: a.gain()? }),
    },
    Form {
        name: "xavier-normal",
        arguments: "[:gain=G]",
        about: "normal of the same variance; also glorot-normal",
        parse: |a| Ok(Init::Xavier { uniform: false, gain: a.gain()? }),
    },
    Form {
        name: "kaiming-uniform",
        arguments: KAIMING,
        about: "uniform of variance gain²/fan, for ReLU and its kin; also he-uniform, and lecun-uniform for linear",
        parse: |a| kaiming(a, true),
    },
    Form {
        name: "kaiming-normal",
        arguments: KAIMING,
        about: "normal of the same variance; also he-normal, and lecun-normal for linear",
        parse: |a| kaiming(a, false),
    },
    Form {
        name: "orthogonal",
        arguments: "[:gain=G]",
        about: "orthogonal rows or columns, times G",
        parse: |a| Ok(Init::Orthogonal { gain: a.gain()? }),
    },
    Form {
        name: "sparse",
        arguments: ":SPARSITY[,STD]",
        about: "normal with mean 0, with this share of every column set to zero",
        parse: sparse,
    },
];

/// No nonlinearity needs a gain near this.
const MAX_GAIN: f64 = 1e6;

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

/// An initialiser as it is written, and what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheme {
    /// As it is written; where it goes by another name, as it is called here.
    pub text: String,
    /// The scheme that it means.
    pub init: Init,
}

impl FromStr for Scheme {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        let ours = OTHER_NAMES.iter().find(|(other, _)| *other == text).map_or(text, |(_, ours)| ours);
        let init = parse(ours).map_err(|reason| TrainError::Init { text: text.into(), reason })?;
        Ok(Self { text: ours.into(), init })
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
        if scheme.init.needs_matrix() {
            return Err(fail(
                "a bias has no rows and columns; use a number or one of the other schemes".into(),
            ));
        }
        Ok(scheme)
    }
}

/// The name that other tools have for it.
const OTHER_NAMES: [(&str, &str); 6] = [
    ("he-uniform", "kaiming-uniform"),
    ("he-normal", "kaiming-normal"),
    ("glorot-uniform", "xavier-uniform"),
    ("glorot-normal", "xavier-normal"),
    ("lecun-uniform", "kaiming-uniform:nonlinearity=linear"),
    ("lecun-normal", "kaiming-normal:nonlinearity=linear"),
];

fn parse(text: &str) -> Result<Init, String> {
    let (name, rest) = text.split_once(':').map_or((text, ""), |(name, rest)| (name, rest));
    let Some(form) = FORMS.iter().find(|f| f.name == name) else {
        let similar = crate::text::similar(name, FORMS.iter().map(|f| f.name));
        let guess = similar.first().map_or(String::new(), |n| format!(" (did you mean {n}?)"));
        let known: Vec<String> = FORMS.iter().map(Form::text).collect();
        return Err(format!("use one of {}{guess}", known.join(", ")));
    };
    let mut arguments = Arguments::new(rest)?;
    let init = (form.parse)(&mut arguments)?;
    arguments.finish()?;
    Ok(init)
}

fn uniform(arguments: &mut Arguments) -> Result<Init, String> {
    let form = "uniform:A,B";
    let (a, b) = (arguments.number(form)?, arguments.number(form)?);
    ascending(form, a, b)?;
    Ok(Init::Uniform(a, b))
}

fn trunc_normal(arguments: &mut Arguments) -> Result<Init, String> {
    let form = "trunc-normal:MEAN,STD,A,B";
    let mean = arguments.number(form)?;
    let std = positive("STD", arguments.number(form)?)?;
    let (low, high) = (arguments.number(form)?, arguments.number(form)?);
    ascending(form, low, high)?;
    Ok(Init::TruncNormal { mean, std, low, high })
}

fn kaiming(arguments: &mut Arguments, uniform: bool) -> Result<Init, String> {
    let slope = arguments.keyword("a").map_or(Ok(0.0), |v| number(&v))?;
    let fan_out = match arguments.keyword("mode").as_deref() {
        None | Some("fan-in" | "fan_in") => false,
        Some("fan-out" | "fan_out") => true,
        Some(other) => return Err(format!("mode is fan-in or fan-out, not {other:?}")),
    };
    let nonlinearity = arguments.keyword("nonlinearity").unwrap_or_else(|| "leaky_relu".into());
    let gain = calculate_gain(&nonlinearity, slope).ok_or_else(|| {
        format!("nonlinearity is linear, sigmoid, tanh, relu, leaky_relu or selu, not {nonlinearity:?}")
    })?;
    Ok(Init::Kaiming { uniform, fan_out, gain })
}

fn sparse(arguments: &mut Arguments) -> Result<Init, String> {
    let sparsity = arguments.number("sparse:SPARSITY[,STD]")?;
    if !(0.0..=1.0).contains(&sparsity) {
        return Err(format!("SPARSITY is a share between 0 and 1, not {sparsity}"));
    }
    let std = if arguments.positional.is_empty() { 0.01 } else { arguments.number("sparse")? };
    Ok(Init::Sparse { sparsity, std: positive("STD", std)? })
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

fn ascending(form: &str, a: f64, b: f64) -> Result<(), String> {
    if a >= b {
        return Err(format!("in {form}, A should be below B, but {a} is not below {b}"));
    }
    if b - a > f64::from(f32::MAX) {
        return Err("B - A is more than a float32 holds".into());
    }
    Ok(())
}

/// Arguments after the colon: numbers in order, and `name=value` pairs.
struct Arguments {
    positional: VecDeque<String>,
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
                    gain if gain <= MAX_GAIN => Ok(gain),
                    gain => Err(format!("gain should be at most {MAX_GAIN}, not {gain}")),
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

#[cfg(test)]
mod tests {
    use super::{OTHER_NAMES, Scheme};

    #[test]
    fn what_others_call_it_is_the_same() {
        let scheme = |text: &str| text.parse::<Scheme>().unwrap();
        for (other, ours) in OTHER_NAMES {
            assert_eq!(scheme(other), scheme(ours));
        }
        assert_ne!(scheme("lecun-normal").init, scheme("he-normal").init);
    }
}
