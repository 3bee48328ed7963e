//! Quantities and words that several rules share.

pub mod recurrent;
pub mod relu;
pub mod saturation;
pub mod torchscript;
pub mod weights;
