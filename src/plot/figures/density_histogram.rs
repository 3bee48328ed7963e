//! Values as a density: bars whose areas add up to one, as the teaching material draws initial weights.

use crate::plot::draw::axis::{Kind, ReservedBands, Scale, linear_ticks};
use crate::plot::draw::canvas::{Anchor, Canvas, Rect};
use crate::plot::draw::sheet;
use crate::plot::draw::text::{in_full, width};
use crate::plot::draw::theme::{ColorRole, LINE, PHONE_TEXT, WIDTH};
use crate::plot::figure::{Figure, Section, Table};
use crate::text::{count, number};

/// Height of the plot itself.
const HEIGHT: f64 = 260.0;

/// A histogram with this many bars from the smallest to the largest finite value; `what` says in a few
/// words what the values are.
pub fn density_histogram(name: &str, what: &str, values: &[f32], bars: usize) -> Figure {
    let finite: Vec<f64> = values.iter().map(|v| f64::from(*v)).filter(|v| v.is_finite()).collect();
    let bars = Bars::new(&finite, bars.max(1));
    let what = in_full(what);
    let title = format!("{what}: density");
    let caption = format!(
        "{} of {} values are finite; the areas of the {} bars add up to 1.",
        count(finite.len() as u64),
        count(values.len() as u64),
        count(bars.heights.len() as u64)
    );
    let svg = draw(&bars, &title).finish(name, &title, &caption);
    let edge = |i: usize| number(bars.low + i as f64 * bars.step);
    let rows = bars.heights.iter().enumerate().map(|(i, h)| vec![edge(i), edge(i + 1), number(*h)]);
    let table = Table { columns: ["from", "to", "density"].map(Into::into).to_vec(), rows: rows.collect() };
    Figure { name: name.into(), title, caption, section: Section::Histograms, svg, table, animation: None }
}

/// Bars of one width.
struct Bars {
    low: f64,
    step: f64,
    heights: Vec<f64>,
}

impl Bars {
    fn new(values: &[f64], bars: usize) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if values.is_empty() {
            return Self { low: 0.0, step: 1.0, heights: Vec::new() };
        }
        // Equal values stand in the middle of bars that span one, as numpy has it.
        let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
        let step = (high - low) / bars as f64;
        let mut heights = vec![0.0; bars];
        let area = 1.0 / (values.len() as f64 * step);
        for value in values {
            heights[(((value - low) / step) as usize).min(bars - 1)] += area;
        }
        Self { low, step, heights }
    }

    fn high(&self) -> f64 {
        self.low + self.step * self.heights.len() as f64
    }
}

fn draw(bars: &Bars, title: &str) -> Canvas {
    let tallest = bars.heights.iter().copied().fold(0.0, f64::max);
    let mut up = Scale::over(
        Kind::Linear,
        Some((0.0, if tallest > 0.0 { tallest } else { 1.0 })),
        ReservedBands::default(),
        5,
    );
    up.low = 0.0;
    up.ticks.retain(|t| t.at >= 0.0);
    let span = (!bars.heights.is_empty()).then(|| (bars.low, bars.high()));
    let across = Scale::over(Kind::Linear, span, ReservedBands::default(), 8);
    let (top, left) = (sheet::TITLE_HEIGHT, sheet::left_margin(&up));
    let rect = Rect { left, top, right: WIDTH - 30.0, bottom: top + HEIGHT };
    let canvas = Canvas::new(rect.bottom + sheet::UNDER + LINE / 2.0 + 4.0);
    let panel = canvas.panel(rect, across.low..across.high, up.low..up.high);
    sheet::title(&canvas, title);
    sheet::vertical_axis(&canvas, rect, &panel, &up);
    canvas.group("gs-axis", None, "", || {
        let mut free = f64::NEG_INFINITY;
        for t in linear_ticks(across.low, across.high, 8) {
            let x = panel.at(t.at, 0.0).0;
            let half = width(&t.label, PHONE_TEXT) / 2.0;
            if x - half >= free && x + half <= WIDTH {
                canvas.text((x, rect.bottom + sheet::UNDER), Anchor::Middle, ColorRole::Muted, &t.label);
                free = x + half + 10.0;
            }
        }
    });
    // One outline rather than a rect around each of hundreds of narrow bars.
    let mut outline = vec![(bars.low, 0.0)];
    for (i, height) in bars.heights.iter().enumerate() {
        let edge = |i: usize| bars.low + i as f64 * bars.step;
        outline.extend([(edge(i), *height), (edge(i + 1), *height)]);
    }
    outline.push((bars.high(), 0.0));
    canvas.group("gs-bars", None, "", || panel.shape(outline, ColorRole::Body));
    canvas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_add_up_to_one_whatever_the_values() {
        for values in [vec![0.0, 1.0, 1.0, 4.0], vec![2.5; 7], vec![-1e30, 1e30]] {
            let bars = Bars::new(&values, 200);
            assert_eq!(bars.heights.len(), 200);
            let area: f64 = bars.heights.iter().map(|h| h * bars.step).sum();
            assert!((area - 1.0).abs() < 1e-9, "{values:?}: {area}");
        }
    }

    #[test]
    fn nothing_finite_is_an_empty_picture() {
        let figure = density_histogram("x", "values", &[f32::NAN, f32::INFINITY], 10);
        assert!(figure.svg.starts_with("<svg") && figure.table.rows.is_empty());
        assert!(figure.caption.starts_with("0 of 2 values are finite"), "{}", figure.caption);
    }
}
