//! Healthy runs and hard negatives: runs that learn, among them those whose gradients look odd.

mod activation;
mod data;
mod hard;
mod norm;
mod recurrent;
mod residual;
mod training;

use crate::case::Kind;

/// Every kind of healthy run.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    [
        activation::KINDS,
        norm::KINDS,
        residual::KINDS,
        recurrent::KINDS,
        training::KINDS,
        data::KINDS,
        hard::KINDS,
    ]
    .into_iter()
    .flatten()
}
