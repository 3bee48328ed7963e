//! One histogram for each layer's weights and one for its gradients.

use std::collections::BTreeSet;

use crate::stats::{Distribution, histogram};

use crate::plot::context::{LayerView, PlotContext};
use crate::plot::draw::axis::{Kind, ReservedBands, Scale, linear_ticks};
use crate::plot::draw::canvas::{Anchor, Canvas, Rect};
use crate::plot::draw::sheet;
use crate::plot::draw::text::{file_stem, fit, in_full, named, width};
use crate::plot::draw::theme::{ColorRole, LINE, PHONE_SMALL, PHONE_TEXT, WIDTH};
use crate::plot::figure::{Figure, Section, Table};
use crate::plot::numbers::Numbers;
use crate::text::{count, number};

/// Bars, at least and at most.
const FEWEST: f64 = 5.0;
const MOST: f64 = 60.0;
/// Room for the layer's name in the heading.
const NAME_ROOM: f64 = 200.0;
/// Height of the plot itself.
const HEIGHT: f64 = 180.0;

/// All of them, in forward order.
pub fn histograms(context: &PlotContext) -> Vec<Figure> {
    let mut stems = Stems::default();
    let mut figures = Vec::new();
    for layer in &context.layers {
        let stem = stems.unique(layer.name);
        let capture = layer.capture;
        figures.push(figure(context, layer, &stem, "weights", &capture.weight));
        if let Some(gradient) = &capture.weight_grad {
            figures.push(figure(context, layer, &stem, "gradients", gradient));
        }
    }
    figures
}

/// Names of files that differ where layers' names do, also on file systems that ignore case.
#[derive(Default)]
struct Stems(BTreeSet<String>);

impl Stems {
    fn unique(&mut self, name: &str) -> String {
        let stem = file_stem(name);
        let numbered = (2..).map(|n| format!("{stem}-{n}"));
        let free = std::iter::once(stem.clone()).chain(numbered);
        let mut free = free.filter(|s| !self.0.contains(&s.to_lowercase()));
        // The numbers never end.
        let unique = free.next().unwrap_or(stem);
        self.0.insert(unique.to_lowercase());
        unique
    }
}

fn figure(context: &PlotContext, layer: &LayerView, stem: &str, what: &str, d: &Distribution) -> Figure {
    let epoch = &count(context.epoch.epoch);
    let full = in_full(&named(layer.name));
    let numbers = Numbers::from_values(d);
    // Rice's rule: twice the cube root of the number of values.
    let wanted = (2.0 * (d.finite() as f64).cbrt()).ceil().clamp(FEWEST, MOST) as usize;
    let bars = histogram(d, wanted);
    let name = format!("histogram-{stem}-{what}");
    let title = format!("{full}: {what}, epoch {epoch}");
    let caption = layer.caption(&format!(
        "How often {what} of this size occur in the layer. Dot: median; line: middle half; zeros, NaN and \
         infinities are counted above."
    ));
    let picture = Picture { layer, what, epoch, bars: &bars, numbers: &numbers };
    let svg = picture.draw().finish(&name, &title, &caption);
    let rows = bars.iter().map(|(low, high, n)| vec![number(*low), number(*high), count(n.round() as u64)]);
    let table = Table { columns: ["from", "to", "values"].map(Into::into).to_vec(), rows: rows.collect() };
    Figure { name, title, caption, section: Section::Histograms, svg, table, animation: None }
}

struct Picture<'a> {
    layer: &'a LayerView<'a>,
    what: &'a str,
    epoch: &'a str,
    bars: &'a [(f64, f64, f64)],
    numbers: &'a Numbers,
}

impl Picture<'_> {
    fn draw(&self) -> Canvas {
        let Self { layer, what, epoch, bars, numbers } = *self;
        let tallest = bars.iter().map(|b| b.2).fold(0.0, f64::max);
        let mut up = Scale::over(Kind::Linear, Some((0.0, tallest.max(1.0))), ReservedBands::default(), 4);
        up.low = 0.0;
        // Counts are whole.
        up.ticks.retain(|t| t.at >= 0.0 && t.at.fract() == 0.0);
        for t in &mut up.ticks {
            t.label = count(t.at as u64);
        }
        let span = bars.first().zip(bars.last()).map(|(first, last)| (first.0, last.1));
        let across = Scale::over(Kind::Linear, span, ReservedBands::default(), 6);
        let top = sheet::TITLE_HEIGHT;
        let left = sheet::left_margin(&up);
        let rect = Rect { left, top, right: WIDTH - 30.0, bottom: top + HEIGHT };
        let canvas = Canvas::new(rect.bottom + sheet::UNDER + LINE / 2.0 + 4.0);
        let panel = canvas.panel(rect, across.low..across.high, up.low..up.high);
        let (color, line) = if layer.flagged {
            (ColorRole::AlarmBody, ColorRole::Alarm)
        } else {
            (ColorRole::Body, ColorRole::Line)
        };
        sheet::vertical_axis(&canvas, rect, &panel, &up);
        heading(&canvas, layer, &format!("{what}, epoch {epoch}: values per bar"), numbers);
        canvas.group("gs-axis", None, "", || {
            let mut free = f64::NEG_INFINITY;
            for t in linear_ticks(across.low, across.high, 6) {
                let x = panel.at(t.at, 0.0).0;
                let half = width(&t.label, PHONE_TEXT) / 2.0;
                if span.is_some() && x - half >= free && x + half <= WIDTH {
                    let at = (x, rect.bottom + sheet::UNDER);
                    canvas.text(at, Anchor::Middle, ColorRole::Muted, &t.label);
                    free = x + half + 10.0;
                }
            }
        });
        let tooltip = format!("{}: {}", in_full(&named(layer.name)), numbers.in_words());
        canvas.group("gs-layer", Some(layer.index), &tooltip, || {
            canvas.hit(rect);
            for (low, high, n) in bars.iter().filter(|b| b.2 > 0.0) {
                if low == high {
                    panel.line(vec![(*low, 0.0), (*low, *n)], line, 4.0);
                } else {
                    panel.bar((*low, 0.0), (*high, *n), color);
                }
            }
            if let (Some([_, q1, median, q3, _]), true) = (numbers.summary, bars.len() > 1) {
                panel.line(vec![(q1, 0.0), (q3, 0.0)], ColorRole::Text, 3.4);
                canvas.dot(panel.at(median, 0.0), 3.4, ColorRole::Dot);
            }
        });
        canvas
    }
}

/// The name of the bars, and at the right the values that they leave out.
fn heading(canvas: &Canvas, layer: &LayerView, text: &str, numbers: &Numbers) {
    let mark = if layer.flagged { "✕ " } else { "" };
    let color = if layer.flagged { ColorRole::Alarm } else { ColorRole::Muted };
    let name = fit(layer.name, PHONE_TEXT, NAME_ROOM);
    let mut x = WIDTH - 4.0;
    let mut notes = numbers.notes();
    if let (Some([min, .., max]), false) = (numbers.summary, numbers.all_zero()) {
        notes.extend((min == max).then(|| (format!("all {}", number(min)), false)));
    }
    let room = notes.iter().fold(x - 12.0, |room, (note, _)| room - width(note, PHONE_SMALL) - 10.0);
    let text = fit(&format!("{mark}{name}: {text}"), PHONE_TEXT, room);
    canvas.text((2.0, 12.0), Anchor::Start, color, &text);
    for (note, alarm) in notes.iter().rev() {
        let color = if *alarm { ColorRole::Alarm } else { ColorRole::Muted };
        canvas.small((x, 12.0), Anchor::End, color, note);
        x -= width(note, PHONE_SMALL) + 10.0;
    }
}
