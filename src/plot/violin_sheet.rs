//! How violins are laid out: as columns where every name fits under its own, as rows otherwise.
//! Rotated names would be the alternative, and nobody likes to read them.

use super::axis::Scale;
use super::canvas::{Anchor, Canvas, Frame, Panel, Point};
use super::motion::{self, Moment, Motion, Moved};
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

/// What is written on a picture.
pub struct Sheet<'a> {
    /// Of the figure.
    pub name: &'a str,
    /// What it shows.
    pub title: &'a str,
    /// How to read it.
    pub caption: &'a str,
    /// What the axis shows.
    pub axis: &'a str,
}

impl Sheet<'_> {
    /// Draws the last of these frames, in a layout with room for all of them, which have the same layers;
    /// and says where everything is in each. The scales are one for all, or one each.
    pub fn draw(&self, frames: &[Vec<Violin>], scales: &[Scale]) -> (String, Motion) {
        let layout = Layout::of(frames, scales);
        let canvas = layout.draw(self.axis, frames, scales);
        (canvas.finish(self.name, self.title, self.caption), layout.motion(frames, scales))
    }
}

/// Where violins are.
struct Layout {
    upright: bool,
    frame: Frame,
    height: f64,
    slot: f64,
    /// Half of a violin's width, in slots.
    half: f64,
    /// Names, with the ink that they are in.
    names: Vec<(String, Ink)>,
    /// Lines of notes of every frame and violin.
    notes: Vec<Vec<Notes>>,
}

type Notes = Vec<(String, bool)>;

impl Layout {
    fn of(frames: &[Vec<Violin>], scales: &[Scale]) -> Self {
        Self::columns(frames, scales).unwrap_or_else(|| Self::rows(frames))
    }

    /// `None` where a name or a note is too wide for its slot.
    fn columns(frames: &[Vec<Violin>], scales: &[Scale]) -> Option<Self> {
        let violins = frames.last().map_or(&[][..], Vec::as_slice);
        let left = scales.iter().map(sheet::left_margin).fold(0.0, f64::max);
        let slot = (WIDTH - left - 8.0) / violins.len().max(1) as f64;
        let fits = |text: &str, size| width(text, size) + 6.0 <= slot;
        let names: Vec<(String, Ink)> = violins.iter().map(|v| label_of(&v.layer)).collect();
        if violins.len() > MOST_COLUMNS || !names.iter().all(|n| fits(&n.0, PHONE_TEXT)) {
            return None;
        }
        let lines = |v: &Violin| {
            let mut lines: Notes = Vec::new();
            for (note, alarm) in &v.notes {
                if fits(note, PHONE_SMALL) {
                    lines.push((note.clone(), *alarm));
                } else if note.split(' ').all(|word| fits(word, PHONE_SMALL)) {
                    lines.extend(wrap(note, |line| fits(line, PHONE_SMALL)).map(|line| (line, *alarm)));
                } else {
                    return None;
                }
            }
            Some(lines)
        };
        let notes: Option<Vec<Vec<Notes>>> = frames.iter().map(|f| f.iter().map(lines).collect()).collect();
        let notes = notes?;
        let most = notes.iter().flatten().map(Vec::len).max().unwrap_or(0);
        let top = sheet::TITLE_HEIGHT;
        let frame = Frame { left, top, right: WIDTH - 8.0, bottom: top + COLUMN_HEIGHT };
        let foot = sheet::UNDER + LINE / 2.0 + SMALL_LINE * most as f64 + 6.0;
        let half = (slot * SLOT_SHARE).min(WIDEST_HALF) / slot;
        Some(Self { upright: true, frame, height: frame.bottom + foot, slot, half, names, notes })
    }

    fn rows(frames: &[Vec<Violin>]) -> Self {
        let violins = frames.last().map_or(&[][..], Vec::as_slice);
        let names = sheet::labels_of(violins.iter().map(|v| &v.layer), PHONE_TEXT, WIDEST_NAME);
        let name_room = names.iter().map(|n| width(&n.0, PHONE_TEXT)).fold(0.0, f64::max);
        let noted = |v: &Violin| width(&all_notes(v), PHONE_SMALL);
        let note_room = frames.iter().flatten().map(noted).fold(0.0, f64::max).min(WIDEST_NOTE);
        let top = sheet::TITLE_HEIGHT + LINE;
        let frame = Frame {
            left: name_room.max(LEAST_MARGIN) + 14.0,
            top,
            right: WIDTH - note_room.max(LEAST_MARGIN) - 12.0,
            bottom: top + ROW * violins.len().max(1) as f64,
        };
        let line = |v: &Violin| -> Notes {
            let notes = fit(&all_notes(v), PHONE_SMALL, WIDEST_NOTE);
            let alarm = v.notes.iter().any(|n| n.1);
            if notes.is_empty() { Vec::new() } else { vec![(notes, alarm)] }
        };
        let notes = frames.iter().map(|f| f.iter().map(line).collect()).collect();
        let height = frame.bottom + LINE + 4.0;
        Self { upright: false, frame, height, slot: ROW, half: 0.44, names, notes }
    }

    fn draw(&self, axis: &str, frames: &[Vec<Violin>], scales: &[Scale]) -> Canvas {
        let canvas = Canvas::new(self.height);
        let (Some(violins), Some(notes), Some(scale)) = (frames.last(), self.notes.last(), scales.last())
        else {
            return canvas;
        };
        let slots = 0.0..violins.len().max(1) as f64;
        let values = scale.low..scale.high;
        let frame = self.frame;
        sheet::title(&canvas, axis);
        let panel = if self.upright {
            let panel = canvas.panel(frame, slots.clone(), values);
            sheet::vertical_axis(&canvas, frame, &panel, scale);
            panel
        } else {
            let panel = canvas.panel(frame, values, slots.clone());
            sheet::horizontal_axis(&canvas, frame, &panel, scale);
            panel
        };
        for (i, (v, notes)) in violins.iter().zip(notes).enumerate() {
            let middle = self.middle(i);
            let (from, to) = (middle - self.slot / 2.0, middle + self.slot / 2.0);
            let hit = if self.upright {
                Frame { left: from, top: frame.top, right: to, bottom: self.height }
            } else {
                Frame { left: 0.0, top: from, right: WIDTH, bottom: to }
            };
            // The first layer is at the left, or on top.
            let centre = if self.upright { i as f64 + 0.5 } else { slots.end - i as f64 - 0.5 };
            let half = self.half;
            canvas.group("gs-layer", Some(v.layer.index), &v.tooltip(), || {
                canvas.hit(hit);
                canvas.group("gs-move", None, "", || {
                    let pen = Pen { canvas: &canvas, panel: &panel, centre, half, upright: self.upright };
                    pen.violin(v, scale);
                    for (k, (note, alarm)) in notes.iter().enumerate() {
                        let (at, anchor) = if self.upright {
                            ((middle, self.first_note() + SMALL_LINE * k as f64), Anchor::Middle)
                        } else {
                            ((self.first_note(), middle), Anchor::Start)
                        };
                        canvas.small(at, anchor, note_ink(*alarm), note);
                    }
                });
                let (name, ink) = &self.names[i];
                if self.upright {
                    canvas.text((middle, frame.bottom + sheet::UNDER), Anchor::Middle, *ink, name);
                } else {
                    canvas.text((frame.left - 8.0, middle), Anchor::End, *ink, name);
                }
            });
        }
        canvas
    }

    /// The middle of a slot, in pixels.
    fn middle(&self, slot: usize) -> f64 {
        let start = if self.upright { self.frame.left } else { self.frame.top };
        start + self.slot * (slot as f64 + 0.5)
    }

    /// Of columns how far down, of rows how far to the right the notes begin.
    fn first_note(&self) -> f64 {
        if self.upright {
            self.frame.bottom + sheet::UNDER + LINE / 2.0 + SMALL_LINE / 2.0
        } else {
            self.frame.right + 8.0
        }
    }

    fn motion(&self, frames: &[Vec<Violin>], scales: &[Scale]) -> Motion {
        let (frame, one) = (self.frame, scales.len() == 1);
        let place = |scale: &Scale, value: f64| {
            let share = (value - scale.low) / (scale.high - scale.low);
            if self.upright {
                frame.bottom - share * frame.height()
            } else {
                frame.left + share * frame.width()
            }
        };
        let moment = |(k, violins): (usize, &Vec<Violin>)| {
            let axis = if one { 0 } else { k };
            let scale = &scales[axis];
            let moved = violins.iter().zip(&self.notes[k]).map(|(v, notes)| {
                Moved::of(v, scale, violins.len(), notes.clone(), |value| place(scale, value))
            });
            Moment { axis, violins: moved.collect() }
        };
        let layers = frames.last().into_iter().flatten().map(|v| v.layer.index);
        Motion {
            upright: self.upright,
            slots: layers.enumerate().map(|(i, layer)| (layer, self.middle(i))).collect(),
            half: self.half * self.slot,
            grid: if self.upright { [frame.left, frame.right] } else { [frame.top, frame.bottom] },
            notes: self.first_note(),
            axes: scales.iter().map(|s| motion::axis(s, |value| place(s, value))).collect(),
            frames: frames.iter().enumerate().map(moment).collect(),
        }
    }
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
            Shape::Range(low, high) => {
                self.panel.line(vec![self.point(*low, 0.0), self.point(*high, 0.0)], line, 1.3);
            }
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
