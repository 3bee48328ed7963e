//! The places of a violin and of an axis, in pixels of the picture, at one epoch of an animation.

use super::shape::{Violin, ViolinShape};
use crate::plot::animation::ViolinFrame;
use crate::plot::draw::axis::Scale;
use crate::plot::draw::sheet::grid_color;
use crate::plot::draw::svg::{UNITS, tenths};

/// Letters for widths from none to all.
const WIDTHS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Layers up to which an outline has all of its points; of more, every third: their violins are small.
const FEW_LAYERS: usize = 10;

/// A violin among so many, where `place` puts values; `notes` are the lines beside it.
pub fn violin_frame(
    v: &Violin,
    scale: &Scale,
    among: usize,
    notes: Vec<(String, bool)>,
    place: impl Fn(f64) -> f64,
) -> ViolinFrame {
    let at = |value: f64| rounded(place(value));
    let mut frame = ViolinFrame {
        words: v.words.clone(),
        body: None,
        tick: None,
        range: None,
        middle: v.quartiles.map(|q| q.map(at)),
        cross: None,
        notes,
    };
    match &v.shape {
        ViolinShape::Curve(d) => {
            let (peak, step) = (d.peak(), if among > FEW_LAYERS { 3 } else { 1 });
            let widths = d.density.iter().step_by(step).map(|density| letter(density / peak)).collect();
            // The step divides the grid, so both of its ends are there.
            frame.body = d.grid.first().zip(d.grid.last()).map(|(a, b)| (at(*a), at(*b), widths));
        }
        ViolinShape::Tick(value) => frame.tick = Some(at(*value)),
        ViolinShape::Range(low, high) => frame.range = Some([at(*low), at(*high)]),
        ViolinShape::Zero => frame.tick = scale.zero_band().map(at),
        ViolinShape::Nothing => {
            frame.cross = Some((at((scale.low + scale.high) / 2.0), v.notes.iter().any(|n| n.1)));
        }
    }
    frame
}

/// The letter of a width from 0 to 1.
fn letter(share: f64) -> char {
    WIDTHS[(share * 63.0).round().clamp(0.0, 63.0) as usize] as char
}

/// The labelled places of an axis, with how their lines are drawn.
pub fn labelled_places(scale: &Scale, place: impl Fn(f64) -> f64) -> Vec<(f64, String, &'static str)> {
    let mut places = Vec::with_capacity(scale.ticks.len());
    for tick in &scale.ticks {
        let look = grid_color(scale, tick).look();
        let line = if look.line_attributes.is_empty() { look.stroke.name } else { "lane" };
        places.push((rounded(place(tick.at)), tick.label.clone(), line));
    }
    places
}

fn rounded(pixels: f64) -> f64 {
    f64::from(tenths(pixels)) / UNITS
}
