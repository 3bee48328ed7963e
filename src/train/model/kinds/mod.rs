//! Kinds of layer: what a model file can say of each, what it becomes in a plan, and what it does in a
//! forward pass. A new one is a file with its [`Kind`], and a line in [`KINDS`].

mod activation;
mod conv;
mod dropout;
mod embedding;
mod flatten;
mod linear;
mod norm;
mod pool;
mod recurrent;
mod residual;

use super::kind::Kind;

pub use linear::hidden;

/// Every kind, in the order in which they are listed.
pub static KINDS: [&Kind; 22] = [
    &linear::KIND,
    &conv::CONV1D,
    &conv::CONV2D,
    &embedding::KIND,
    &recurrent::RNN,
    &recurrent::LSTM,
    &recurrent::GRU,
    &residual::KIND,
    &activation::KIND,
    &norm::BATCH,
    &norm::LAYER,
    &norm::GROUP,
    &dropout::KIND,
    &pool::MAX_1D,
    &pool::MAX_2D,
    &pool::AVG_1D,
    &pool::AVG_2D,
    &pool::ADAPTIVE_MAX_1D,
    &pool::ADAPTIVE_MAX_2D,
    &pool::ADAPTIVE_AVG_1D,
    &pool::ADAPTIVE_AVG_2D,
    &flatten::KIND,
];
