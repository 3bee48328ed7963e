//! Record → SVG, drawn with plotters: violins, histograms, curves, norms over depth. One theme.
//!
//! A picture is a function from a `Scene` to a [`Figure`]; a new one is one file here
//! and one line in [`PLOTS`]. Beneath them: `axis` decides where values go, `canvas` draws in pixels
//! or coordinates of the data, `regions` finds the outlines of areas, `svg` is the backend that plotters writes through, `theme` holds every
//! colour and size, `text` makes strangers' names harmless, `format` writes numbers.

mod axis;
mod boundary;
mod canvas;
mod compare;
mod curves;
mod density_histogram;
mod figure;
mod format;
mod heatmap;
mod histogram;
mod lines;
mod motion;
mod norms;
mod over_time;
mod quantity;
mod regions;
mod scene;
mod sheet;
mod svg;
mod text;
mod theme;
mod violin;
mod violin_sheet;

use std::collections::BTreeSet;

use crate::record::Record;

pub use compare::{Compared, comparison};
pub use density_histogram::density_histogram;
pub use figure::{Figure, Section, Table};
pub use heatmap::{Heatmap, Tile, heatmap};
pub use motion::Motion;
pub use over_time::{Course, Timeline};
pub use quantity::{Extent, QUANTITIES, Quantity, View};
use scene::Scene;
pub use theme::style_sheet;

/// A picture, or a family of pictures, that is drawn of every run.
pub struct Plot {
    /// What it is of, in a word.
    pub name: &'static str,
    make: fn(&Scene) -> Vec<Figure>,
}

/// All of them, in the report's order.
pub const PLOTS: [Plot; 9] = [
    Plot { name: "gradients", make: violin::gradients },
    Plot { name: "over-time", make: |scene| over_time::over_time(scene).into_iter().collect() },
    Plot { name: "weights", make: |scene| violin::weights(scene).into_iter().collect() },
    Plot { name: "activations", make: |scene| violin::activations(scene).into_iter().collect() },
    Plot { name: "norms", make: |scene| norms::norms(scene).into_iter().collect() },
    Plot { name: "loss", make: |scene| trained(scene, curves::loss) },
    Plot { name: "accuracy", make: |scene| trained(scene, curves::accuracy) },
    Plot { name: "boundary", make: |scene| boundary::boundary(scene).into_iter().collect() },
    Plot { name: "histograms", make: histogram::histograms },
];

/// What only a training has.
fn trained(scene: &Scene, draw: fn(&Scene) -> Figure) -> Vec<Figure> {
    if scene.record.header.has_weights_alone() { Vec::new() } else { vec![draw(scene)] }
}

impl Plot {
    /// Draws it; nothing where no epoch was captured. For `flagged` see [`figures`].
    pub fn draw(&self, record: &Record, flagged: &BTreeSet<String>) -> Vec<Figure> {
        Scene::of(record, flagged).as_ref().map(self.make).unwrap_or_default()
    }
}

/// Every picture of a run, in the report's order; none where no epoch was captured.
///
/// `flagged` holds the names of the layers that a finding is about: they are drawn in the alarm
/// colour and marked with ✕.
pub fn figures(record: &Record, flagged: &BTreeSet<String>) -> Vec<Figure> {
    let Some(scene) = Scene::of(record, flagged) else { return Vec::new() };
    PLOTS.iter().flat_map(|plot| (plot.make)(&scene)).collect()
}
