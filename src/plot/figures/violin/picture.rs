//! A picture of violins: its axis or axes, its caption and its table.

use super::shape::{OutlineDetail, Violin, ViolinShape};
use super::sheet::Sheet;
use crate::plot::context::{LayerView, PlotContext};
use crate::plot::draw::axis::{Kind, ReservedBands, Scale};
use crate::plot::draw::text::{in_full, named};
use crate::plot::draw::tick::power_of_ten;
use crate::plot::figure::{Figure, Section, Table};
use crate::plot::numbers::Numbers;

/// Labels of a value axis, at most.
const TICKS: usize = 7;

/// Violins of all layers, before an axis is chosen.
pub struct Picture<'a> {
    /// File name without `.svg`.
    pub name: String,
    /// Title of the figure.
    pub title: String,
    /// Title of the value axis.
    pub axis: String,
    /// The values, as they stand in the caption.
    pub what: &'static str,
    /// Part of the report that it belongs to.
    pub section: Section,
    /// One violin a layer, at the last captured epoch.
    pub violins: Vec<Violin<'a>>,
    /// Draws a layer at any epoch.
    pub draw: fn(LayerView<'a>, OutlineDetail) -> Violin<'a>,
}

/// One axis serves all epochs if it is at most so many times as wide as the narrowest of them needs:
/// gradients often shrink a hundredfold, and would end as flat lines.
const WIDEST: f64 = 4.0;

impl<'a> Picture<'a> {
    /// Draws it on an axis of its own, with the epochs before.
    pub fn figure(mut self, context: &PlotContext<'a>, kind: Kind) -> Figure {
        let all = std::mem::take(&mut self.violins);
        let table = table(&all, kind);
        let last: Vec<Violin> = all.into_iter().filter(|v| context.drawn.contains(&v.layer.index)).collect();
        let mut drawn: Vec<usize> = last.iter().map(|v| v.layer.index).collect();
        drawn.sort_unstable();
        let mut frames: Vec<Vec<Violin>> = Vec::new();
        let earlier = context.frame_epochs.split_last().map_or(&[][..], |(_, earlier)| earlier);
        for epoch in earlier {
            let layers = context.shown_at(epoch).filter(|l| drawn.binary_search(&l.index).is_ok());
            frames.push(layers.map(|l| (self.draw)(l, OutlineDetail::Quantiles)).collect());
        }
        frames.push(last);
        let slots = frames.last().map_or(0, Vec::len);
        frames.retain(|f| f.len() == slots);
        let scales = scales(&frames, kind);
        let caption = self.caption(context, &scales[scales.len() - 1], &frames);
        let sheet = Sheet { name: &self.name, title: &self.title, caption: &caption, axis: &self.axis };
        let (svg, animation) = sheet.draw(&frames, &scales);
        let animation = (frames.len() > 1).then_some(animation);
        let (name, title, section) = (self.name, self.title, self.section);
        Figure { name, title, caption, section, svg, table, animation }
    }

    /// Draws it on this axis, at the last epoch alone.
    pub fn on(mut self, context: &PlotContext, scale: &Scale) -> Figure {
        let all = std::mem::take(&mut self.violins);
        let table = table(&all, scale.kind);
        let drawn = all.into_iter().filter(|v| context.drawn.contains(&v.layer.index));
        let frames = [drawn.collect::<Vec<_>>()];
        let caption = self.caption(context, scale, &frames);
        let sheet = Sheet { name: &self.name, title: &self.title, caption: &caption, axis: &self.axis };
        let (svg, _) = sheet.draw(&frames, std::slice::from_ref(scale));
        let (name, title, section) = (self.name, self.title, self.section);
        Figure { name, title, caption, section, svg, table, animation: None }
    }

    fn caption(&self, context: &PlotContext, scale: &Scale, frames: &[Vec<Violin>]) -> String {
        let what = self.what;
        let mut caption = match (scale.kind, scale.decades) {
            (Kind::Linear, _) => format!("One violin a layer, all on one axis: the values of {what}."),
            (_, Some(1)) => {
                format!("One violin a layer: how large {what} are; each step of the axis is a factor of 10.")
            }
            (_, Some(decades)) => format!(
                "One violin a layer: how large {what} are; each step of the axis is a factor of {}.",
                power_of_ten(decades)
            ),
            (_, None) => format!("One violin a layer: how large {what} are, on a logarithmic axis."),
        };
        caption += " Dot: median; bar: middle half; every violin is scaled to the same width";
        caption += match (scale.kind, scale.zero_band()) {
            (Kind::Linear, _) => "; a tick: all values are equal.",
            (_, Some(_)) => "; exact zeros are counted beside the name, layers of nothing else stand at 0.",
            (_, None) => "; exact zeros are counted beside the name.",
        };
        let outlined = frames.iter().flatten().any(Violin::is_outlined).then_some(match scale.kind {
            Kind::Linear => {
                "where the shape was not kept, a line from smallest to largest with the mean and one \
                 standard deviation to either side"
            }
            _ => "where the shape was not kept, a tick at the root mean square",
        });
        for also in outlined.map(str::to_owned).into_iter().chain(context.left_out()) {
            caption.truncate(caption.trim_end_matches('.').len());
            caption += &format!("; {also}.");
        }
        context.caption(caption)
    }
}

/// The axes of these frames: one for all of them, or one each.
fn scales(frames: &[Vec<Violin>], kind: Kind) -> Vec<Scale> {
    let shared = scale_over(frames.iter().flatten(), kind);
    let spans = frames.iter().filter_map(|frame| common_span(frame.iter()));
    let narrowest = spans.map(|(low, high)| high - low).filter(|w| *w > 0.0).fold(f64::INFINITY, f64::min);
    if kind == Kind::Linear && shared.high - shared.low > WIDEST * narrowest {
        frames.iter().map(|frame| scale_over(frame.iter(), kind)).collect()
    } else {
        vec![shared]
    }
}

fn table(violins: &[Violin], kind: Kind) -> Table {
    let columns: &[&str] = match kind {
        Kind::Linear => &[
            "layer",
            "values",
            "median",
            "lower quartile",
            "upper quartile",
            "min",
            "max",
            "zeros",
            "NaN",
            "inf",
        ],
        _ => &[
            "layer",
            "values",
            "median of |g| > 0",
            "lower quartile",
            "upper quartile",
            "largest",
            "zeros",
            "NaN",
            "inf",
        ],
    };
    let mut rows = Vec::with_capacity(violins.len());
    for v in violins {
        let mut row = vec![in_full(&named(v.layer.name))];
        row.extend(v.numbers.as_ref().map_or_else(|| vec!["-".into(); 9], Numbers::cells));
        if kind != Kind::Linear {
            // The smallest magnitude of a large tensor is not known.
            row.remove(5);
        }
        rows.push(row);
    }
    Table { columns: columns.iter().map(|c| (*c).into()).collect(), rows }
}

/// An axis that has room for all of these.
pub fn common_scale(pictures: &[&Picture], kind: Kind) -> Scale {
    scale_over(pictures.iter().flat_map(|p| &p.violins), kind)
}

fn scale_over<'v, 'a: 'v>(violins: impl Iterator<Item = &'v Violin<'a>> + Clone, kind: Kind) -> Scale {
    let zero = violins.clone().any(|v| v.shape == ViolinShape::Zero);
    Scale::over(kind, common_span(violins), ReservedBands { zero, ..ReservedBands::default() }, TICKS)
}

/// The lowest and the highest coordinate that these need.
fn common_span<'v, 'a: 'v>(violins: impl Iterator<Item = &'v Violin<'a>>) -> Option<(f64, f64)> {
    violins.filter_map(Violin::span).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}
