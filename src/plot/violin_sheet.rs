//! How violins are laid out: as columns where every name fits under its own, as rows otherwise.
//! Rotated names would be the alternative, and nobody likes to read them.

use super::axis::Scale;
use super::canvas::{Anchor, Canvas, Frame, Panel, Point};
use super::sheet::{self, label_of};
use super::text::{fit, width};
use super::theme::{Ink, LINE, PHONE_SMALL, PHONE_TEXT, SMALL_LINE, WIDTH};
use super::violin::{Shape, Violin};

/// More layers than this are always rows.
const MOST_COLUMNS: usize = 24;
/// Height of the plot above its names.
const COLUMN_HEIGHT: f64 = 260.0;
/// Room around a violin, as a share of its slot.
const SLOT_SHARE: f64 = 0.42;
/// Half of a violin's width, at most: one layer alone is no reason for a vase.
const WIDEST_HALF: f64 = 48.0;
/// Height of a row.
const ROW: f64 = 24.0;
/// Widest name and widest note beside a row.
const WIDEST_NAME: f64 = 230.0;
const WIDEST_NOTE: f64 = 200.0;
/// Room at either end that half of an axis label may need.
const LEAST_MARGIN: f64 = 26.0;

/// Draws them.
pub fn draw(name: &str, title: &str, caption: &str, axis: &str, violins: &[Violin], scale: &Scale) -> String {
    let columns = Columns::of(violins, scale);
    let canvas = match &columns {
        Some(columns) => columns.draw(axis, violins, scale),
        None => rows(axis, violins, scale),
    };
    canvas.finish(name, title, caption)
}

/// The layout as columns.
struct Columns {
    left: f64,
    slot: f64,
    /// Lines of notes under each name.
    notes: Vec<Vec<(String, bool)>>,
}

impl Columns {
    /// `None` where a name or a note is too wide for its slot.
    fn of(violins: &[Violin], scale: &Scale) -> Option<Self> {
        let left = sheet::left_margin(scale);
        let slot = (WIDTH - left - 8.0) / violins.len().max(1) as f64;
        let fits = |text: &str, size| width(text, size) + 6.0 <= slot;
        let names = violins.iter().all(|v| fits(&label_of(&v.layer).0, PHONE_TEXT));
        if violins.len() > MOST_COLUMNS || !names {
            return None;
        }
        let mut notes = Vec::new();
        for v in violins {
            let mut lines: Vec<(String, bool)> = Vec::new();
            for (note, alarm) in &v.notes {
                if fits(note, PHONE_SMALL) {
                    lines.push((note.clone(), *alarm));
                } else if note.split(' ').all(|word| fits(word, PHONE_SMALL)) {
                    lines.extend(wrap(note, |line| fits(line, PHONE_SMALL)).map(|line| (line, *alarm)));
                } else {
                    return None;
                }
            }
            notes.push(lines);
        }
        Some(Self { left, slot, notes })
    }

    fn draw(&self, axis: &str, violins: &[Violin], scale: &Scale) -> Canvas {
        let top = sheet::TITLE_HEIGHT;
        let frame = Frame { left: self.left, top, right: WIDTH - 8.0, bottom: top + COLUMN_HEIGHT };
        let lines = self.notes.iter().map(Vec::len).max().unwrap_or(0);
        let foot = sheet::UNDER + LINE / 2.0 + SMALL_LINE * lines as f64 + 6.0;
        let canvas = Canvas::new(frame.bottom + foot);
        let panel = canvas.panel(frame, 0.0..violins.len().max(1) as f64, scale.low..scale.high);
        sheet::title(&canvas, axis);
        sheet::vertical_axis(&canvas, frame, &panel, scale);
        let half = (self.slot * SLOT_SHARE).min(WIDEST_HALF) / self.slot;
        for (i, (v, notes)) in violins.iter().zip(&self.notes).enumerate() {
            let x = self.left + self.slot * (i as f64 + 0.5);
            let hit =
                Frame { left: x - self.slot / 2.0, top, right: x + self.slot / 2.0, bottom: canvas.height() };
            canvas.group("gs-layer", Some(v.layer.index), &v.tooltip, || {
                canvas.hit(hit);
                let pen = Pen { canvas: &canvas, panel: &panel, centre: i as f64 + 0.5, half, upright: true };
                pen.violin(v, scale);
                let (label, ink) = label_of(&v.layer);
                let y = frame.bottom + sheet::UNDER;
                canvas.text((x, y), Anchor::Middle, ink, &label);
                for (k, (note, alarm)) in notes.iter().enumerate() {
                    let at = (x, y + LINE / 2.0 + SMALL_LINE * (k as f64 + 0.5));
                    canvas.small(at, Anchor::Middle, note_ink(*alarm), note);
                }
            });
        }
        canvas
    }
}

fn rows(axis: &str, violins: &[Violin], scale: &Scale) -> Canvas {
    let names = sheet::labels_of(violins.iter().map(|v| &v.layer), PHONE_TEXT, WIDEST_NAME);
    let noted = |v: &Violin| width(&all_notes(v), PHONE_SMALL);
    let name_room = names.iter().map(|n| width(&n.0, PHONE_TEXT)).fold(0.0, f64::max);
    let note_room = violins.iter().map(noted).fold(0.0, f64::max).min(WIDEST_NOTE);
    let top = sheet::TITLE_HEIGHT + LINE;
    let frame = Frame {
        left: name_room.max(LEAST_MARGIN) + 14.0,
        top,
        right: WIDTH - note_room.max(LEAST_MARGIN) - 12.0,
        bottom: top + ROW * violins.len().max(1) as f64,
    };
    let canvas = Canvas::new(frame.bottom + LINE + 4.0);
    let panel = canvas.panel(frame, scale.low..scale.high, 0.0..violins.len().max(1) as f64);
    sheet::title(&canvas, axis);
    sheet::horizontal_axis(&canvas, frame, &panel, scale);
    for (i, v) in violins.iter().enumerate() {
        // The first layer is on top.
        let centre = (violins.len() - i) as f64 - 0.5;
        let y = top + ROW * (i as f64 + 0.5);
        let hit = Frame { left: 0.0, top: y - ROW / 2.0, right: WIDTH, bottom: y + ROW / 2.0 };
        canvas.group("gs-layer", Some(v.layer.index), &v.tooltip, || {
            canvas.hit(hit);
            let pen = Pen { canvas: &canvas, panel: &panel, centre, half: 0.44, upright: false };
            pen.violin(v, scale);
            canvas.text((frame.left - 8.0, y), Anchor::End, names[i].1, &names[i].0);
            let alarm = v.notes.iter().any(|n| n.1);
            let notes = fit(&all_notes(v), PHONE_SMALL, WIDEST_NOTE);
            if !notes.is_empty() {
                canvas.small((frame.right + 8.0, y), Anchor::Start, note_ink(alarm), &notes);
            }
        });
    }
    canvas
}

/// Draws along the axis of values, whichever way it runs.
struct Pen<'a> {
    canvas: &'a Canvas,
    panel: &'a Panel,
    /// Middle of the violin across the axis, and half of its width, in slots.
    centre: f64,
    half: f64,
    upright: bool,
}

impl Pen<'_> {
    fn point(&self, value: f64, across: f64) -> Point {
        let across = self.centre + across * self.half;
        if self.upright { (across, value) } else { (value, across) }
    }

    fn violin(&self, v: &Violin, scale: &Scale) {
        let (body, line) =
            if v.layer.flagged { (Ink::AlarmBody, Ink::Alarm) } else { (Ink::Body, Ink::Line) };
        match &v.shape {
            Shape::Curve(density) => {
                let peak = density.peak();
                let side = |sign: f64| {
                    let points = density.grid.iter().zip(&density.density);
                    points.map(move |(value, d)| self.point(*value, sign * d / peak))
                };
                self.panel.shape(side(-1.0).chain(side(1.0).rev()).collect(), body);
            }
            Shape::Tick(value) => self.tick(*value, line),
            Shape::Zero => {
                if let Some(lane) = scale.zero_lane() {
                    self.tick(lane, line);
                }
            }
            Shape::Nothing => {
                let (x, y) = self.middle_of(scale);
                let mark = if v.notes.iter().any(|n| n.1) { Ink::Alarm } else { Ink::Muted };
                self.canvas.text((x, y), Anchor::Middle, mark, "✕");
            }
        }
        if let Some([q1, median, q3]) = v.quartiles {
            let (thick, dot) = if self.upright { (3.4, 3.2) } else { (3.0, 2.7) };
            self.panel.line(vec![self.point(q1, 0.0), self.point(q3, 0.0)], Ink::Text, thick);
            let (x, y) = self.point(median, 0.0);
            self.canvas.dot(self.panel.at(x, y), dot, Ink::Dot);
        }
    }

    fn tick(&self, value: f64, ink: Ink) {
        self.panel.line(vec![self.point(value, -0.8), self.point(value, 0.8)], ink, 2.6);
    }

    fn middle_of(&self, scale: &Scale) -> Point {
        let (x, y) = self.point((scale.low + scale.high) / 2.0, 0.0);
        self.panel.at(x, y)
    }
}

fn note_ink(alarm: bool) -> Ink {
    if alarm { Ink::Alarm } else { Ink::Muted }
}

fn all_notes(v: &Violin) -> String {
    v.notes.iter().map(|n| n.0.as_str()).collect::<Vec<_>>().join(" · ")
}

/// Breaks at spaces into lines that fit; every word does.
fn wrap(text: &str, fits: impl Fn(&str) -> bool) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if fits(&format!("{line} {word}")) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines.into_iter()
}
