//! Violins: how the values of every layer are spread, at the last captured epoch and at others.

mod animate;
mod picture;
mod shape;
mod sheet;
mod tensors;

pub use picture::{Picture, common_scale};
pub use shape::medians_far_apart;
pub use tensors::{activation_picture, activations, gradient_pictures, gradients, weight_picture, weights};
