//! Initialisers: draws that are PyTorch's for the same seed and shape. How they are written stands in
//! `grammar`.

mod draw;
mod grammar;

pub use draw::{Drawing, Drawn, Init, draw, draw_linear};
pub use grammar::{FORMS, Form, Scheme};
