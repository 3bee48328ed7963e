//! How violins are laid out: as columns where every name fits under its own, as rows otherwise.
//! Rotated names would be the alternative, and nobody likes to read them.

use super::animate::{labelled_places, violin_frame};
use super::shape::{Violin, ViolinShape};
use crate::plot::animation::{Animation, Frame};
use crate::plot::draw::axis::Scale;
use crate::plot::draw::canvas::{Anchor, Canvas, Panel, Point, Rect};
use crate::plot::draw::sheet::{self, label_of};
use crate::plot::draw::text::{fit, width};
use crate::plot::draw::theme::{ColorRole, LINE, PHONE_SMALL, PHONE_TEXT, SMALL_LINE, WIDTH};

/// More layers than this are always rows.
const MAX_COLUMNS: usize = 24;
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
const MIN_MARGIN: f64 = 26.0;

/// The texts of a picture.
pub struct Sheet<'a> {
    /// Name of the figure.
    pub name: &'a str,
    /// Title of the figure.
    pub title: &'a str,
    /// How to read it.
    pub caption: &'a str,
    /// The title of the axis.
    pub axis: &'a str,
}

impl Sheet<'_> {
    /// Draws the last of these frames, in a layout with room for all of them, which have the same layers;
    /// and says where everything is in each. The scales are one for all, or one each.
    pub fn draw(&self, frames: &[Vec<Violin>], scales: &[Scale]) -> (String, Animation) {
        let layout = Layout::new(frames, scales);
        let canvas = layout.draw(self.axis, frames, scales);
        (canvas.finish(self.name, self.title, self.caption), layout.animation(frames, scales))
    }
}

/// Where violins are.
struct Layout {
    upright: bool,
    rect: Rect,
    height: f64,
    slot: f64,
    /// Half of a violin's width, in slots.
    half: f64,
    /// Names, with the color that they are in.
    names: Vec<(String, ColorRole)>,
    /// Lines of notes of every rect and violin.
    notes: Vec<Vec<Notes>>,
}

type Notes = Vec<(String, bool)>;

impl Layout {
    fn new(frames: &[Vec<Violin>], scales: &[Scale]) -> Self {
        Self::columns(frames, scales).unwrap_or_else(|| Self::rows(frames))
    }

    /// `None` where a name or a note is too wide for its slot.
    fn columns(frames: &[Vec<Violin>], scales: &[Scale]) -> Option<Self> {
        let violins = frames.last().map_or(&[][..], Vec::as_slice);
        let left = scales.iter().map(sheet::left_margin).fold(0.0, f64::max);
        let slot = (WIDTH - left - 8.0) / violins.len().max(1) as f64;
        let names: Vec<(String, ColorRole)> = violins.iter().map(|v| label_of(&v.layer)).collect();
        if violins.len() > MAX_COLUMNS || !names.iter().all(|n| fits(&n.0, PHONE_TEXT, slot)) {
            return None;
        }
        let notes: Option<Vec<Vec<Notes>>> =
            frames.iter().map(|f| f.iter().map(|v| wrapped_notes(v, slot)).collect()).collect();
        let notes = notes?;
        let most = notes.iter().flatten().map(Vec::len).max().unwrap_or(0);
        let top = sheet::TITLE_HEIGHT;
        let rect = Rect { left, top, right: WIDTH - 8.0, bottom: top + COLUMN_HEIGHT };
        let foot = sheet::UNDER + LINE / 2.0 + SMALL_LINE * most as f64 + 6.0;
        let half = (slot * SLOT_SHARE).min(WIDEST_HALF) / slot;
        Some(Self { upright: true, rect, height: rect.bottom + foot, slot, half, names, notes })
    }

    fn rows(frames: &[Vec<Violin>]) -> Self {
        let violins = frames.last().map_or(&[][..], Vec::as_slice);
        let names = sheet::labels_of(violins.iter().map(|v| &v.layer), PHONE_TEXT, WIDEST_NAME);
        let name_room = names.iter().map(|n| width(&n.0, PHONE_TEXT)).fold(0.0, f64::max);
        let note_widths = frames.iter().flatten().map(|v| width(&all_notes(v), PHONE_SMALL));
        let note_room = note_widths.fold(0.0, f64::max).min(WIDEST_NOTE);
        let top = sheet::TITLE_HEIGHT + LINE;
        let rect = Rect {
            left: name_room.max(MIN_MARGIN) + 14.0,
            top,
            right: WIDTH - note_room.max(MIN_MARGIN) - 12.0,
            bottom: top + ROW * violins.len().max(1) as f64,
        };
        let notes = frames.iter().map(|f| f.iter().map(note_in_one_line).collect()).collect();
        let height = rect.bottom + LINE + 4.0;
        Self { upright: false, rect, height, slot: ROW, half: 0.44, names, notes }
    }

    fn draw(&self, axis: &str, frames: &[Vec<Violin>], scales: &[Scale]) -> Canvas {
        let canvas = Canvas::new(self.height);
        let (Some(violins), Some(notes), Some(scale)) = (frames.last(), self.notes.last(), scales.last())
        else {
            return canvas;
        };
        let slots = 0.0..violins.len().max(1) as f64;
        let values = scale.low..scale.high;
        let rect = self.rect;
        sheet::title(&canvas, axis);
        let panel = if self.upright {
            let panel = canvas.panel(rect, slots.clone(), values);
            sheet::vertical_axis(&canvas, rect, &panel, scale);
            panel
        } else {
            let panel = canvas.panel(rect, values, slots.clone());
            sheet::horizontal_axis(&canvas, rect, &panel, scale);
            panel
        };
        for (i, (v, notes)) in violins.iter().zip(notes).enumerate() {
            let middle = self.middle(i);
            let (from, to) = (middle - self.slot / 2.0, middle + self.slot / 2.0);
            let hit = if self.upright {
                Rect { left: from, top: rect.top, right: to, bottom: self.height }
            } else {
                Rect { left: 0.0, top: from, right: WIDTH, bottom: to }
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
                        canvas.small(at, anchor, note_color(*alarm), note);
                    }
                });
                let (name, color) = &self.names[i];
                if self.upright {
                    canvas.text((middle, rect.bottom + sheet::UNDER), Anchor::Middle, *color, name);
                } else {
                    canvas.text((rect.left - 8.0, middle), Anchor::End, *color, name);
                }
            });
        }
        canvas
    }

    /// The middle of a slot, in pixels.
    fn middle(&self, slot: usize) -> f64 {
        let start = if self.upright { self.rect.left } else { self.rect.top };
        start + self.slot * (slot as f64 + 0.5)
    }

    /// Of columns how far down, of rows how far to the right the notes begin.
    fn first_note(&self) -> f64 {
        if self.upright {
            self.rect.bottom + sheet::UNDER + LINE / 2.0 + SMALL_LINE / 2.0
        } else {
            self.rect.right + 8.0
        }
    }

    /// Where a value stands along the axis, in pixels.
    fn place(&self, scale: &Scale, value: f64) -> f64 {
        let share = (value - scale.low) / (scale.high - scale.low);
        if self.upright {
            self.rect.bottom - share * self.rect.height()
        } else {
            self.rect.left + share * self.rect.width()
        }
    }

    fn animation(&self, frames: &[Vec<Violin>], scales: &[Scale]) -> Animation {
        let rect = self.rect;
        let layers = frames.last().into_iter().flatten().map(|v| v.layer.index);
        Animation {
            upright: self.upright,
            slots: layers.enumerate().map(|(i, layer)| (layer, self.middle(i))).collect(),
            half: self.half * self.slot,
            grid: if self.upright { [rect.left, rect.right] } else { [rect.top, rect.bottom] },
            notes: self.first_note(),
            axes: scales.iter().map(|s| labelled_places(s, |value| self.place(s, value))).collect(),
            frames: frames.iter().enumerate().map(|(k, violins)| self.frame(k, violins, scales)).collect(),
        }
    }

    /// The violins of the k-th frame.
    fn frame(&self, k: usize, violins: &[Violin], scales: &[Scale]) -> Frame {
        let axis = if scales.len() == 1 { 0 } else { k };
        let scale = &scales[axis];
        let violins = violins.iter().zip(&self.notes[k]).map(|(v, notes)| {
            violin_frame(v, scale, violins.len(), notes.clone(), |value| self.place(scale, value))
        });
        Frame { axis, violins: violins.collect() }
    }
}

/// Whether a text has room in a slot.
fn fits(text: &str, size: f64, slot: f64) -> bool {
    width(text, size) + 6.0 <= slot
}

/// The notes of a violin in lines that fit into its slot; `None` where a word does not.
fn wrapped_notes(v: &Violin, slot: f64) -> Option<Notes> {
    let mut lines: Notes = Vec::new();
    for (note, alarm) in &v.notes {
        if fits(note, PHONE_SMALL, slot) {
            lines.push((note.clone(), *alarm));
        } else if note.split(' ').all(|word| fits(word, PHONE_SMALL, slot)) {
            lines.extend(wrap(note, |line| fits(line, PHONE_SMALL, slot)).map(|line| (line, *alarm)));
        } else {
            return None;
        }
    }
    Some(lines)
}

/// The notes of a violin beside its row.
fn note_in_one_line(v: &Violin) -> Notes {
    let notes = fit(&all_notes(v), PHONE_SMALL, WIDEST_NOTE);
    let alarm = v.notes.iter().any(|n| n.1);
    if notes.is_empty() { Vec::new() } else { vec![(notes, alarm)] }
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
        let (body, line) = if v.layer.flagged {
            (ColorRole::AlarmBody, ColorRole::Alarm)
        } else {
            (ColorRole::Body, ColorRole::Line)
        };
        match &v.shape {
            ViolinShape::Curve(density) => {
                let peak = density.peak();
                let points = || density.grid.iter().zip(&density.density);
                let lower = points().map(|(value, d)| self.point(*value, -d / peak));
                let upper = points().map(|(value, d)| self.point(*value, d / peak));
                self.panel.shape(lower.chain(upper.rev()).collect(), body);
            }
            ViolinShape::Tick(value) => self.tick(*value, line),
            ViolinShape::Range(low, high) => {
                self.panel.line(vec![self.point(*low, 0.0), self.point(*high, 0.0)], line, 1.3);
            }
            ViolinShape::Zero => {
                if let Some(band) = scale.zero_band() {
                    self.tick(band, line);
                }
            }
            ViolinShape::Nothing => {
                let (x, y) = self.middle_of(scale);
                let mark = if v.notes.iter().any(|n| n.1) { ColorRole::Alarm } else { ColorRole::Muted };
                self.canvas.text((x, y), Anchor::Middle, mark, "✕");
            }
        }
        if let Some([q1, median, q3]) = v.quartiles {
            let (thick, dot) = if self.upright { (3.4, 3.2) } else { (3.0, 2.7) };
            self.panel.line(vec![self.point(q1, 0.0), self.point(q3, 0.0)], ColorRole::Text, thick);
            let (x, y) = self.point(median, 0.0);
            self.canvas.dot(self.panel.at(x, y), dot, ColorRole::Dot);
        }
    }

    fn tick(&self, value: f64, color: ColorRole) {
        self.panel.line(vec![self.point(value, -0.8), self.point(value, 0.8)], color, 2.6);
    }

    fn middle_of(&self, scale: &Scale) -> Point {
        let (x, y) = self.point((scale.low + scale.high) / 2.0, 0.0);
        self.panel.at(x, y)
    }
}

fn note_color(alarm: bool) -> ColorRole {
    if alarm { ColorRole::Alarm } else { ColorRole::Muted }
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
