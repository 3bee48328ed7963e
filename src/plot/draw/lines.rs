//! Line charts: curves over epochs and profiles over depth.

use crate::plot::context::LayerView;
use crate::plot::draw::axis::{Place, Scale, linear_ticks};
use crate::plot::draw::canvas::{Anchor, Canvas, Panel, Point, Rect};
use crate::plot::draw::sheet;
use crate::plot::draw::text::{fit, width};
use crate::plot::draw::theme::{ColorRole, LINE, PHONE_TEXT, WIDTH};
use crate::text::count;

/// Height of the plot itself.
const HEIGHT: f64 = 220.0;
/// Height of a whole chart: heading, plot, labels beneath.
pub const CHART_HEIGHT: f64 = sheet::TITLE_HEIGHT + HEIGHT + sheet::UNDER + LINE / 2.0 + 8.0;
/// Widest label at the end of a line.
pub const WIDEST_LABEL: f64 = 170.0;
/// Widest name beneath a layer, where there is room for few.
const WIDEST_NAME: f64 = 130.0;
/// Every point has its mark while there are no more than this.
const MAX_MARKS: usize = 40;
/// Labels of the horizontal axis, at most.
const TICKS: usize = 8;
/// Shortest distance of two labels at the ends of lines.
const LABEL_GAP: f64 = 21.0;
/// Space between labels side by side.
const LABEL_SPACE: f64 = 10.0;
/// So many lines that end at the same place share a label.
const SHARED_LABEL: usize = 3;

/// A line of a chart, with its label and its marks.
#[derive(Clone)]
pub struct ChartLine {
    /// Text at its end; empty for a line that is context for others.
    pub label: String,
    /// Colour of that text.
    pub label_color: ColorRole,
    /// Colour of the line.
    pub color: ColorRole,
    /// Shape of its marks.
    pub mark: usize,
    /// (x, value), ascending in x.
    pub points: Vec<(f64, f64)>,
    /// Points (by index) that are marked as alarming.
    pub alarming: Vec<usize>,
    /// Layer that it is about.
    pub layer: Option<usize>,
    /// For whoever points at it.
    pub tooltip: String,
}

/// The kind of horizontal axis.
#[derive(Clone)]
pub enum Across<'a> {
    /// Epochs, from the first to the last.
    Epochs(u64, u64),
    /// Layers in forward order.
    Layers(Vec<LayerView<'a>>),
}

/// A chart of lines.
pub struct Chart<'a> {
    /// Title of the vertical axis.
    pub title: String,
    /// The horizontal axis.
    pub across: Across<'a>,
    /// The lines, later ones over earlier ones.
    pub lines: Vec<ChartLine>,
    /// A level to compare with, and its label.
    pub reference: Option<(f64, String)>,
    /// The vertical axis.
    pub scale: Scale,
}

impl Chart<'_> {
    /// Draws it at this height of the picture.
    pub fn draw(&self, canvas: &Canvas, top: f64) {
        let named = self.lines.iter().map(|s| s.label.as_str());
        let named = named.chain(self.reference.iter().map(|r| r.1.as_str()));
        let together = format!("✕ {}", layers_together(self.lines.len()));
        let named = named.chain([together.as_str()].into_iter().filter(|_| self.is_of_layers()));
        let label_room = named.map(|l| width(l, PHONE_TEXT)).fold(0.0, f64::max).min(WIDEST_LABEL);
        let rect = Rect {
            left: sheet::left_margin(&self.scale),
            top: top + sheet::TITLE_HEIGHT,
            right: WIDTH - label_room - 22.0,
            bottom: top + sheet::TITLE_HEIGHT + HEIGHT,
        };
        let (low, high) = match &self.across {
            Across::Epochs(first, last) if first == last => (*first as f64 - 0.5, *last as f64 + 0.5),
            Across::Epochs(first, last) => (*first as f64, *last as f64),
            Across::Layers(layers) => (-0.5, layers.len() as f64 - 0.5),
        };
        let panel = canvas.panel(rect, low..high, self.scale.low..self.scale.high);
        sheet::title_at(canvas, top, &self.title);
        sheet::vertical_axis(canvas, rect, &panel, &self.scale);
        self.horizontal_axis(canvas, rect, &panel);
        if let Some(Place::Scale(at)) = self.reference.as_ref().and_then(|(v, _)| self.scale.place(*v)) {
            panel.line(vec![(low, at), (high, at)], ColorRole::Reference, 1.6);
        }
        for line in &self.lines {
            canvas.group("gs-layer gs-series", line.layer, &line.tooltip, || {
                self.draw_line(canvas, &panel, line);
            });
        }
        self.end_labels(canvas, rect, &panel);
    }

    fn is_of_layers(&self) -> bool {
        self.lines.iter().all(|s| s.layer.is_some())
    }

    fn draw_line(&self, canvas: &Canvas, panel: &Panel, line: &ChartLine) {
        let places: Vec<Option<Place>> = line.points.iter().map(|p| self.scale.place(p.1)).collect();
        let thin = line.label.is_empty();
        let stroke = match places.len() {
            _ if thin => 1.0,
            n if n > MAX_MARKS => 1.5,
            _ => 2.0,
        };
        // A line leaves off where its values leave the scale, and goes on where they return.
        let mut run: Vec<Point> = Vec::new();
        for (i, place) in places.iter().enumerate() {
            let joined = i > 0 && same_kind(places[i - 1], *place);
            if !joined && run.len() > 1 {
                panel.line(std::mem::take(&mut run), line.color, stroke);
            }
            if !joined {
                run.clear();
            }
            run.extend(place.map(|p| (line.points[i].0, p.at())));
        }
        if run.len() > 1 {
            panel.line(run, line.color, stroke);
        }
        let few = places.len() <= MAX_MARKS && !thin;
        for (i, place) in places.iter().enumerate() {
            let Some(place) = *place else { continue };
            let neighbours = [i.checked_sub(1), Some(i + 1)].into_iter().flatten();
            let mut joined =
                neighbours.filter_map(|n| *places.get(n)?).map(|n| same_kind(Some(n), Some(place)));
            let alone = !joined.any(|j| j);
            let at = panel.at(line.points[i].0, place.at());
            let alarming = line.alarming.contains(&i);
            if matches!(place, Place::Odd(_)) {
                canvas.text(at, Anchor::Middle, ColorRole::Alarm, "✕");
            } else if few || alone || alarming {
                mark(canvas, at, line.mark, if alarming { ColorRole::Alarm } else { line.color });
            }
        }
    }

    fn horizontal_axis(&self, canvas: &Canvas, rect: Rect, panel: &Panel) {
        let y = rect.bottom + sheet::UNDER;
        canvas.group("gs-axis", None, "", || match &self.across {
            Across::Epochs(first, last) => {
                let labels = epoch_ticks(*first, *last)
                    .into_iter()
                    .map(|epoch| (count(epoch), ColorRole::Muted, panel.at(epoch as f64, 0.0).0));
                thinned(canvas, y, labels.collect(), WIDTH);
            }
            Across::Layers(layers) => {
                let slot = rect.width() / layers.len().max(1) as f64;
                let room = slot.max(WIDEST_NAME.min(rect.width() / 3.0)) - LABEL_SPACE;
                let labels = sheet::labels_of(layers.iter(), PHONE_TEXT, room).into_iter().enumerate();
                let labels = labels.map(|(i, (t, color))| (t, color, panel.at(i as f64, 0.0).0)).collect();
                thinned(canvas, y, labels, rect.right + LABEL_SPACE);
            }
        });
    }

    /// The height at which a line ends, in pixels; `None` where none of its values has a place.
    fn end(&self, line: &ChartLine, panel: &Panel) -> Option<f64> {
        let last = line.points.iter().rev().find_map(|p| self.scale.place(p.1))?;
        Some(panel.at(0.0, last.at()).1)
    }

    /// Names at the right ends of the lines, pushed apart where they would overlap.
    fn end_labels(&self, canvas: &Canvas, rect: Rect, panel: &Panel) {
        let mut labels: Vec<(f64, String, ColorRole)> = Vec::new();
        for s in self.lines.iter().filter(|s| !s.label.is_empty()) {
            labels.extend(self.end(s, panel).map(|y| (y, s.label.clone(), s.label_color)));
        }
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        if self.is_of_layers() {
            let ends: Vec<f64> = self.lines.iter().filter_map(|s| self.end(s, panel)).collect();
            labels = shared(&labels, &ends);
        }
        if let Some((value, label)) = &self.reference {
            let at = self.scale.place(*value).map(|p| panel.at(0.0, p.at()).1);
            labels.extend(at.map(|y| (y, label.clone(), ColorRole::Muted)));
            labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        let wanted: Vec<f64> = labels.iter().map(|l| l.0).collect();
        let placed = push_apart(&wanted, LABEL_GAP, rect.top, rect.bottom);
        for ((wanted, text, color), y) in labels.into_iter().zip(placed) {
            if (y - wanted).abs() > 4.0 {
                let bend = [(rect.right + 3.0, wanted), (rect.right + 14.0, y)];
                canvas.line(&bend, ColorRole::Ghost, 1.0);
            }
            canvas.text((rect.right + 17.0, y), Anchor::Start, color, &fit(&text, PHONE_TEXT, WIDEST_LABEL));
        }
    }
}

/// Whether a line goes on from one of these places to the other.
fn same_kind(a: Option<Place>, b: Option<Place>) -> bool {
    use Place::{Scale, Zero};
    matches!((a, b), (Some(Scale(_)), Some(Scale(_))) | (Some(Zero(_)), Some(Zero(_))))
}

fn layers_together(n: usize) -> String {
    format!("{} layers", count(n as u64))
}

/// Joins labels (ascending) that would name the same place, where they are many, and says how many
/// of all lines end there.
fn shared(labels: &[(f64, String, ColorRole)], ends: &[f64]) -> Vec<(f64, String, ColorRole)> {
    let mut joined = Vec::new();
    for group in labels.chunk_by(|a, b| b.0 - a.0 < 1.0) {
        match group {
            [(y, _, _), .., (last, _, _)] if group.len() >= SHARED_LABEL => {
                let alarming = group.iter().all(|l| l.2 == ColorRole::Alarm);
                let (mark, color) = if alarming { ("✕ ", ColorRole::Alarm) } else { ("", ColorRole::Text) };
                let there = ends.iter().filter(|e| (*y - 0.5..=*last + 0.5).contains(*e)).count();
                joined.push((*y, format!("{mark}{}", layers_together(there)), color));
            }
            _ => joined.extend_from_slice(group),
        }
    }
    joined
}

/// Labels side by side: every one, or every second, third, … and the last, so that none overlap.
fn thinned(canvas: &Canvas, y: f64, labels: Vec<(String, ColorRole, f64)>, right: f64) {
    let Some(last) = labels.len().checked_sub(1) else { return };
    let mut ends = Vec::with_capacity(labels.len());
    for (text, _, x) in &labels {
        let half = width(text, PHONE_TEXT) / 2.0;
        let x = x.clamp(half, (right - half).max(half));
        ends.push((x - half, x + half));
    }
    let apart = |a: usize, b: usize| ends[a].1 + LABEL_SPACE <= ends[b].0;
    let stride = (1..=last)
        .find(|stride| (*stride..=last).step_by(*stride).all(|i| apart(i - stride, i)))
        .unwrap_or(last + 1);
    let mut shown: Vec<usize> = (0..=last).step_by(stride).collect();
    // The last one is where the eye goes: it takes the place of one that it would touch.
    if shown.last() != Some(&last) {
        if shown.last().is_some_and(|i| !apart(*i, last)) && shown.len() > 1 {
            shown.pop();
        }
        if shown.last().is_some_and(|i| apart(*i, last)) {
            shown.push(last);
        }
    }
    for i in shown {
        let (low, high) = ends[i];
        canvas.text(((low + high) / 2.0, y), Anchor::Middle, labels[i].1, &labels[i].0);
    }
}

/// A mark that can be told from others by its shape.
fn mark(canvas: &Canvas, (x, y): Point, shape: usize, color: ColorRole) {
    let r = 3.6;
    match shape % 4 {
        0 => canvas.dot((x, y), 3.4, color),
        1 => canvas.shape(&[(x, y - 4.6), (x + 4.6, y), (x, y + 4.6), (x - 4.6, y)], color),
        2 => canvas.bar(Rect { left: x - 3.1, top: y - 3.1, right: x + 3.1, bottom: y + 3.1 }, color),
        _ => canvas.shape(&[(x, y - r - 0.6), (x + r + 0.6, y + r), (x - r - 0.6, y + r)], color),
    }
}

/// Whole epochs at round numbers.
fn epoch_ticks(first: u64, last: u64) -> Vec<u64> {
    if last - first <= TICKS as u64 {
        return (first..=last).collect();
    }
    let ticks = linear_ticks(first as f64, last as f64, TICKS);
    let mut epochs: Vec<u64> = ticks.into_iter().map(|t| t.at.round() as u64).collect();
    epochs.extend((epochs.last() != Some(&last)).then_some(last));
    epochs
}

/// Moves ascending places as little as it takes for each to have `gap` to the next, within bounds
/// where they can hold all of them.
fn push_apart(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut placed = wanted.to_vec();
    let room = gap * (placed.len() as f64 - 1.0);
    let high = high.max(low + room);
    // Down first, then up from the bottom: what was pushed out comes back in.
    for i in 0..placed.len() {
        let least = if i == 0 { low } else { placed[i - 1] + gap };
        placed[i] = placed[i].max(least);
    }
    for i in (0..placed.len()).rev() {
        let most = if i + 1 == placed.len() { high } else { placed[i + 1] - gap };
        placed[i] = placed[i].min(most);
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_pushed_apart_within_bounds() {
        let placed = push_apart(&[10.0, 11.0, 12.0, 99.0], 20.0, 0.0, 100.0);
        assert!(placed.windows(2).all(|w| w[1] - w[0] >= 20.0), "{placed:?}");
        assert!(placed[0] >= 0.0 && placed[3] <= 100.0, "{placed:?}");
        assert_eq!(push_apart(&[5.0, 50.0], 20.0, 0.0, 100.0), [5.0, 50.0]);
        assert!(push_apart(&[], 20.0, 0.0, 100.0).is_empty());
    }

    #[test]
    fn epochs_are_labelled_with_whole_numbers() {
        assert_eq!(epoch_ticks(0, 0), [0]);
        assert_eq!(epoch_ticks(0, 3), [0, 1, 2, 3]);
        assert_eq!(epoch_ticks(0, 19), [0, 5, 10, 15, 19]);
        assert_eq!(epoch_ticks(0, 3000)[1], 500);
    }
}
