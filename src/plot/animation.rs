//! How a picture of violins moves through the captured epochs: places in pixels of the picture, for a
//! script that puts them there. The picture itself shows the last of them.

use serde::Serialize;

/// A picture at every epoch that it moves through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Animation {
    /// Whether values grow upward; else to the right.
    pub upright: bool,
    /// Each violin's layer and the middle of its slot.
    pub slots: Vec<(usize, f64)>,
    /// Half of the width of a violin.
    pub half: f64,
    /// From where to where lines of the grid go.
    pub grid: [f64; 2],
    /// Where the first line of notes stands: beneath the name, or beside the row.
    pub notes: f64,
    /// The axes: places with a label each, and how their lines are drawn.
    pub axes: Vec<Vec<(f64, String, &'static str)>>,
    /// One an epoch.
    pub frames: Vec<Frame>,
}

/// The violins at one epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Frame {
    /// Index of its axis.
    pub axis: usize,
    /// One a slot.
    pub violins: Vec<ViolinFrame>,
}

/// A violin at one epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ViolinFrame {
    /// The numbers, for whoever points at it.
    pub words: String,
    /// Outline: where it begins and ends, and a letter for every width between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<(f64, f64, String)>,
    /// A tick across, where all values are equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tick: Option<f64>,
    /// A thin line from the smallest to the largest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
    /// Bar and dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle: Option<[f64; 3]>,
    /// A cross, where there is nothing to draw; whether it alarms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross: Option<(f64, bool)>,
    /// Lines of notes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<(String, bool)>,
}
