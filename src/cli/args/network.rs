//! The flags about the network.

use clap::Args;

use super::number;
use super::value::one_of;
use crate::record::Activation;
use crate::record::settings::{Cell, Named, Norm};

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkArgs {
    /// Units of the hidden layers, such as 64,64
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', value_parser = number::units, allow_hyphen_values = true)]
    pub hidden: Option<Vec<u64>>,
    /// Activation: relu, lrelu, elu, gelu, selu, silu, sigmoid, tanh, identity
    #[arg(long, value_name = "NAME", value_parser = activation)]
    pub act: Option<Activation>,
    /// Slope of leaky ReLU below zero [default: 0.01]
    #[arg(long, value_name = "SLOPE", value_parser = number::slope, allow_negative_numbers = true)]
    pub lrelu_slope: Option<f64>,
    /// Normalisation: none, batch-pre, batch-post (before or after the activation), layer
    #[arg(long, value_name = "NORM", value_parser = one_of(Norm::ALL))]
    pub norm: Option<Norm>,
    /// Probability of dropout after hidden layers
    #[arg(long, value_name = "P", value_parser = number::probability, allow_negative_numbers = true)]
    pub dropout: Option<f64>,
    /// Cell of recurrent layers: rnn, lstm, gru
    #[arg(long, value_name = "CELL", value_parser = one_of(Cell::ALL))]
    pub cell: Option<Cell>,
    /// Initialiser of weights, such as xavier-uniform, kaiming-normal or normal:0,0.01
    #[arg(long, value_name = "SCHEME", allow_hyphen_values = true)]
    pub init: Option<String>,
    /// Initialiser of biases: a number or a scheme
    #[arg(long, value_name = "NUMBER|SCHEME", allow_hyphen_values = true)]
    pub bias: Option<String>,
}

fn activation(text: &str) -> Result<Activation, String> {
    Activation::from_name(text)
        .ok_or_else(|| format!("no activation is called so; there are {}", Activation::names()))
}
