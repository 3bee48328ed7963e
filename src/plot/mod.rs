//! Record → SVG, drawn with plotters: violins, histograms, curves, norms over depth. One theme.
//!
//! A picture is a function from a `Scene` to a [`Figure`]; a new one is one file here
//! and one line in [`figures`]. Beneath them: `axis` decides where values go, `canvas` draws in pixels
//! or coordinates of the data, `svg` is the backend that plotters writes through, `theme` holds every
//! colour and size, `text` makes strangers' names harmless, `format` writes numbers.

mod axis;
mod canvas;
mod curves;
mod figure;
mod format;
mod histogram;
mod lines;
mod norms;
mod scene;
mod sheet;
mod svg;
mod text;
mod theme;
mod violin;
mod violin_sheet;

use std::collections::BTreeSet;

use crate::record::Record;

pub use figure::{Figure, Section, Table};
pub use format::{count, number};
pub use theme::style_sheet;

/// Every picture of a run, in the report's order; none where no epoch was captured.
///
/// `flagged` holds the names of the layers that a finding is about: they are drawn in the alarm
/// colour and marked with ✕.
pub fn figures(record: &Record, flagged: &BTreeSet<String>) -> Vec<Figure> {
    let Some(scene) = scene::Scene::of(record, flagged) else { return Vec::new() };
    let mut figures = violin::gradients(&scene);
    figures.push(norms::norms(&scene));
    figures.push(violin::weights(&scene));
    figures.extend(violin::activations(&scene));
    figures.push(curves::loss(&scene));
    figures.push(curves::accuracy(&scene));
    figures.extend(histogram::histograms(&scene));
    figures
}
