//! Several runs in one picture: curves overlaid, norms over depth, violins on one axis.
//!
//! The same pictures as those of a single run, and made of the same parts: a new one is a function from
//! `Runs` to figures and a line in [`comparison`].

mod comparison;
mod curves;
mod norms;
mod runs;
mod violins;

pub use comparison::comparison;
pub use runs::Compared;
