//! Record → SVG, drawn with plotters: violins, histograms, curves, norms over depth. One theme.

mod figure;

pub use figure::{Figure, Section, Table};
