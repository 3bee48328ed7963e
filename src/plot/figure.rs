//! A finished picture with what belongs to it.

use crate::plot::animation::Animation;

/// A picture, how to read it, and the numbers behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// File name without `.svg`, such as `violin-weights`.
    pub name: String,
    /// Its title, for headings.
    pub title: String,
    /// How to read it, in one to three plain sentences.
    pub caption: String,
    /// Part of the report that it belongs to.
    pub section: Section,
    /// A whole SVG document.
    pub svg: String,
    /// The numbers behind it.
    pub table: Table,
    /// The same picture at other epochs, where it has some.
    pub animation: Option<Animation>,
}

/// Parts of the report, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Violins of gradients.
    Gradients,
    /// Every layer at every epoch.
    OverTime,
    /// Violins of weights.
    Weights,
    /// Violins of activations.
    Activations,
    /// L2 norms over depth and over epochs.
    Norms,
    /// Loss and score.
    Curves,
    /// The answers of a network with two inputs on their plane.
    Boundary,
    /// One histogram a layer and quantity.
    Histograms,
}

impl Section {
    /// The heading of the part.
    pub fn title(self) -> &'static str {
        match self {
            Section::Gradients => "Gradients",
            Section::OverTime => "Over time",
            Section::Norms => "Norms",
            Section::Weights => "Weights",
            Section::Activations => "Activations",
            Section::Curves => "Curves",
            Section::Boundary => "Decision boundary",
            Section::Histograms => "Histograms",
        }
    }
}

/// A table of text cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The headings of the columns.
    pub columns: Vec<String>,
    /// Rows, each as long as the headings.
    pub rows: Vec<Vec<String>>,
}
