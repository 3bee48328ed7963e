//! A sum of powers: features from N(0, 1), y = Σ wᵢ·xᵢ^deg + bias + δ·N(0, 1).
//!
//! Drawn in float32, features first and then the noise, so that the same seed gives PyTorch's
//! `torch.randn(n, k)` and `torch.randn(n, 1)`.

use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use super::dataset::Table;
use super::generated;
use super::kind::{DataKind, DataOptions, Source};
use crate::train::TrainError;

const SAMPLES: u64 = 1_000;
/// δ, the standard deviation of the noise.
const NOISE: f64 = 0.01;
const WEIGHTS: [f64; 2] = [2.0, -1.0];
const DEGREE: i64 = 2;
/// The intercept of the teaching material that this set comes from, whose coefficients are 2, -1, 1.
const BIAS: f64 = 1.0;
/// A normal draw to this power still is far from overflow.
const MAX_DEGREE: i64 = 10;
const MAX_WEIGHTS: usize = 1_000;
/// Weights and bias beyond this are a slip of the keyboard.
const LARGEST: f64 = 1e6;

pub(super) static KIND: DataKind = DataKind {
    name: "polynomial",
    form: "polynomial[:KEY=VALUE,…]",
    about: "y = Σ w·x^deg + bias: w=2,-1,deg=2,bias=1|off",
    samples: Some(SAMPLES),
    noise: Some(NOISE),
    split: [0.7, 0.0, 0.3],
    flags: generated::FLAGS,
    parse: |argument| Ok(Arc::new(Polynomial::parse(argument.unwrap_or_default())?)),
};

#[derive(Debug, PartialEq)]
struct Polynomial {
    weights: Vec<f64>,
    degree: i64,
    bias: f64,
}

impl Polynomial {
    /// Reads `w=2,-1,deg=3,bias=off`: a part without a key goes on with the weights.
    fn parse(text: &str) -> Result<Self, String> {
        let mut set = Self { weights: WEIGHTS.into(), degree: DEGREE, bias: BIAS };
        let mut in_weights = false;
        for part in text.split(',').filter(|_| !text.is_empty()) {
            match part.split_once('=') {
                Some(("w", value)) => set.weights = vec![number("w", value)?],
                None if in_weights => set.weights.push(number("w", part)?),
                Some(("deg", value)) => set.degree = degree(value)?,
                Some(("bias", "on")) => set.bias = BIAS,
                Some(("bias", "off")) => set.bias = 0.0,
                Some(("bias", value)) => set.bias = number("bias", value)?,
                Some(("delta", _)) => return Err("delta is the flag --noise".into()),
                Some((key, _)) => return Err(format!("it takes no {key:?}; there are w, deg, bias")),
                None => return Err(format!("{part:?} should be of the form KEY=VALUE, such as deg=3")),
            }
            in_weights &= !part.contains('=');
            in_weights |= part.starts_with("w=");
        }
        if set.weights.len() > MAX_WEIGHTS {
            return Err(format!("it takes at most {MAX_WEIGHTS} weights, not {}", set.weights.len()));
        }
        Ok(set)
    }
}

fn number(key: &str, text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.abs() <= LARGEST => Ok(value),
        _ => Err(format!("{key}={text}: should be a number between -{LARGEST} and {LARGEST}")),
    }
}

fn degree(text: &str) -> Result<i64, String> {
    match text.trim().parse() {
        Ok(degree) if (1..=MAX_DEGREE).contains(&degree) => Ok(degree),
        _ => Err(format!("deg={text}: should be a whole number between 1 and {MAX_DEGREE}")),
    }
}

impl Source for Polynomial {
    fn load(&self, options: &DataOptions, seed: i64) -> Result<Table, TrainError> {
        let n = generated::rows(KIND.name, options, SAMPLES)?;
        tch::manual_seed(seed);
        let float = (Kind::Float, Device::Cpu);
        let x = Tensor::randn([n, self.weights.len() as i64], float);
        let noise = Tensor::randn([n, 1], float) * options.noise.unwrap_or(NOISE);
        let weights = Tensor::from_slice(&self.weights).to_kind(Kind::Float).view([-1, 1]);
        let y = x.pow_tensor_scalar(self.degree).mm(&weights) + self.bias + noise;
        Ok(Table { x, y, columns: Vec::new(), classes: Vec::new(), image: None, own_test: 0, shuffled: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_parameters_are_read_and_a_slip_is_named() {
        let parsed = |text: &str| Polynomial::parse(text);
        let set = |weights: &[f64], degree, bias| Ok(Polynomial { weights: weights.into(), degree, bias });
        assert_eq!(parsed(""), set(&[2.0, -1.0], 2, 1.0));
        assert_eq!(parsed("w=3"), set(&[3.0], 2, 1.0));
        assert_eq!(parsed("deg=3,w=1,-2,0.5,bias=off"), set(&[1.0, -2.0, 0.5], 3, 0.0));
        assert_eq!(parsed("bias=on"), set(&[2.0, -1.0], 2, 1.0));
        assert_eq!(parsed("bias=-4"), set(&[2.0, -1.0], 2, -4.0));
        for (text, says) in [
            ("deg=0", "deg=0"),
            ("deg=2.5", "whole number"),
            ("w=", "w="),
            ("w=1,x", "w=x"),
            ("w=NaN", "NaN"),
            ("bias=1e9", "1e9"),
            ("degree=3", "there are w, deg, bias"),
            ("delta=1", "--noise"),
            ("3", "KEY=VALUE"),
            ("deg=2,3", "KEY=VALUE"),
        ] {
            let message = parsed(text).unwrap_err();
            assert!(message.contains(says), "{text}: {message}");
        }
    }
}
