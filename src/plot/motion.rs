//! How a picture of violins moves through the captured epochs: places in pixels of the picture, for a
//! script that puts them there. The picture itself shows the last of them.

use serde::Serialize;

use super::axis::Scale;
use super::svg::{UNITS, tenths};
use super::violin::{Shape, Violin};

/// Letters for widths from none to all.
const WIDTHS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Layers up to which an outline has all of its points; of more, every third: their violins are small.
const FEW_LAYERS: usize = 10;

/// A picture at every epoch that it moves through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Motion {
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
    pub frames: Vec<Moment>,
}

/// The violins at one epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// Which of the axes.
    pub axis: usize,
    /// One a slot.
    pub violins: Vec<Moved>,
}

/// A violin at one epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moved {
    /// The numbers, for whoever points at it.
    words: String,
    /// Outline: where it begins and ends, and a letter for every width between.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<(f64, f64, String)>,
    /// A tick across, where all values are equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    tick: Option<f64>,
    /// A thin line from the smallest to the largest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<[f64; 2]>,
    /// Bar and dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    middle: Option<[f64; 3]>,
    /// A cross, where there is nothing to draw; whether it alarms.
    #[serde(skip_serializing_if = "Option::is_none")]
    cross: Option<(f64, bool)>,
    /// Lines of notes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<(String, bool)>,
}

impl Moved {
    /// Of a violin among so many, where `place` puts values.
    pub fn of(
        v: &Violin,
        scale: &Scale,
        among: usize,
        notes: Vec<(String, bool)>,
        place: impl Fn(f64) -> f64,
    ) -> Self {
        let at = |value: f64| rounded(place(value));
        let mut moved = Self {
            words: v.words.clone(),
            body: None,
            tick: None,
            range: None,
            middle: v.quartiles.map(|q| q.map(at)),
            cross: None,
            notes,
        };
        match &v.shape {
            Shape::Curve(d) => {
                let (peak, step) = (d.peak(), if among > FEW_LAYERS { 3 } else { 1 });
                let letter = |d: &f64| WIDTHS[(d / peak * 63.0).round().clamp(0.0, 63.0) as usize] as char;
                let widths: String = d.density.iter().step_by(step).map(letter).collect();
                // The step divides the grid, so both of its ends are there.
                moved.body = d.grid.first().zip(d.grid.last()).map(|(a, b)| (at(*a), at(*b), widths));
            }
            Shape::Tick(value) => moved.tick = Some(at(*value)),
            Shape::Range(low, high) => moved.range = Some([at(*low), at(*high)]),
            Shape::Zero => moved.tick = scale.zero_lane().map(at),
            Shape::Nothing => {
                moved.cross = Some((at((scale.low + scale.high) / 2.0), v.notes.iter().any(|n| n.1)));
            }
        }
        moved
    }
}

/// The labelled places of an axis.
pub fn axis(scale: &Scale, place: impl Fn(f64) -> f64) -> Vec<(f64, String, &'static str)> {
    let line = |t: &super::axis::Tick| super::sheet::grid_ink(scale, t.at, t.lane).look();
    let tick = |t: &super::axis::Tick| {
        let dashed = !line(t).line_attributes.is_empty();
        (rounded(place(t.at)), t.label.clone(), if dashed { "lane" } else { line(t).stroke.name })
    };
    scale.ticks.iter().map(tick).collect()
}

fn rounded(pixels: f64) -> f64 {
    f64::from(tenths(pixels)) / UNITS
}
