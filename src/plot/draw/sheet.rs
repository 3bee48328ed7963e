//! The parts that pictures have in common: a heading, axes with their grid, names of layers.

use crate::plot::context::LayerView;
use crate::plot::draw::axis::{Kind, Scale, Tick};
use crate::plot::draw::canvas::{Anchor, Canvas, Panel, Rect};
use crate::plot::draw::text::{named, shorten, width};
use crate::plot::draw::theme::{ColorRole, LINE, PHONE_TEXT};

/// Height of the heading above a plot.
pub const TITLE_HEIGHT: f64 = 34.0;
/// Before the name of a layer that a finding is about: color alone would not reach everyone.
const MARK: &str = "✕ ";
/// From the lower edge of a plot to the middle of the labels beneath: out of the way of a label of the
/// vertical axis that stands at the edge.
pub const UNDER: f64 = 20.0;
/// Space between labels that stand side by side.
const GAP: f64 = 8.0;

/// Writes the title of the axis at the top of a picture.
pub fn title(canvas: &Canvas, text: &str) {
    title_at(canvas, 0.0, text);
}

/// Writes it at the top of a panel further down.
pub fn title_at(canvas: &Canvas, top: f64, text: &str) {
    canvas.group("gs-title", None, "", || {
        canvas.text((2.0, top + 12.0), Anchor::Start, ColorRole::Muted, text);
    });
}

/// A layer's name with the mark of one that a finding is about.
pub fn label_of(layer: &LayerView) -> (String, ColorRole) {
    marked(named(layer.name), layer.flagged)
}

fn marked(name: String, flagged: bool) -> (String, ColorRole) {
    if flagged { (format!("{MARK}{name}"), ColorRole::Alarm) } else { (name, ColorRole::Text) }
}

/// The labels of all layers, shortened to this room where they need it.
pub fn labels_of<'a>(
    layers: impl Iterator<Item = &'a LayerView<'a>> + Clone,
    size: f64,
    room: f64,
) -> Vec<(String, ColorRole)> {
    let mark = if layers.clone().any(|l| l.flagged) { width(MARK, size) } else { 0.0 };
    let names: Vec<String> = layers.clone().map(|l| named(l.name)).collect();
    let names = shorten(names.iter().map(String::as_str), size, room - mark);
    layers.zip(names).map(|(l, name)| marked(name, l.flagged)).collect()
}

/// Room that the labels of a vertical axis need.
pub fn left_margin(scale: &Scale) -> f64 {
    let widest = scale.ticks.iter().map(|t| width(&t.label, PHONE_TEXT)).fold(0.0, f64::max);
    widest.max(24.0) + 10.0
}

/// Grid and labels of values that grow upward.
pub fn vertical_axis(canvas: &Canvas, rect: Rect, panel: &Panel, scale: &Scale) {
    canvas.group("gs-axis", None, "", || {
        let mut free = f64::INFINITY;
        for t in &scale.ticks {
            let y = panel.at(0.0, t.at).1;
            canvas.line(&[(rect.left, y), (rect.right, y)], grid_color(scale, t), 1.0);
            if y + LINE / 2.0 <= free {
                canvas.text((rect.left - 7.0, y), Anchor::End, ColorRole::Muted, &t.label);
                free = y - LINE / 2.0;
            }
        }
    });
}

/// Grid and labels, above and below, of values that grow to the right.
pub fn horizontal_axis(canvas: &Canvas, rect: Rect, panel: &Panel, scale: &Scale) {
    canvas.group("gs-axis", None, "", || {
        let mut taken: Vec<(f64, f64)> = Vec::new();
        let bands_first =
            scale.ticks.iter().filter(|t| t.reserved).chain(scale.ticks.iter().filter(|t| !t.reserved));
        for t in bands_first {
            let x = panel.at(t.at, 0.0).0;
            canvas.line(&[(x, rect.top), (x, rect.bottom)], grid_color(scale, t), 1.0);
            let half = (width(&t.label, PHONE_TEXT) + GAP) / 2.0;
            if taken.iter().all(|(low, high)| x + half <= *low || x - half >= *high) {
                taken.push((x - half, x + half));
                for y in [rect.top - LINE / 2.0, rect.bottom + LINE / 2.0] {
                    canvas.text((x, y), Anchor::Middle, ColorRole::Muted, &t.label);
                }
            }
        }
    });
}

/// How the line at a tick is drawn.
pub fn grid_color(scale: &Scale, tick: &Tick) -> ColorRole {
    let zero = scale.kind == Kind::Linear && tick.at.abs() < 1e-9 * (scale.high - scale.low);
    if zero {
        ColorRole::Axis
    } else if tick.reserved {
        ColorRole::Reference
    } else {
        ColorRole::Grid
    }
}
