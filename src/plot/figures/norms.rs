//! L2 norms: over depth at the last captured epoch, and of gradients over the epochs.

use std::collections::BTreeSet;

use crate::record::LayerCapture;
use crate::stats::Distribution;

use crate::plot::context::PlotContext;
use crate::plot::draw::axis::{Scale, Spacing};
use crate::plot::draw::canvas::Canvas;
use crate::plot::draw::lines::{Across, CHART_HEIGHT, Chart, ChartLine, WIDEST_LABEL};
use crate::plot::draw::sheet::labels_of;
use crate::plot::draw::text::{in_full, named};
use crate::plot::draw::theme::{ColorRole, PHONE_TEXT, SERIES};
use crate::plot::figure::{Figure, Section, Table};
use crate::text::{count, number, precise};

/// Labels of a vertical axis, at most.
const TICKS: usize = 6;
/// Rows of the table, at most: beyond, it lists some of the epochs.
const MAX_ROWS: usize = 1_200;
/// Columns of the table that tell of weights, the first ones.
const OF_WEIGHTS: usize = 4;
/// Space between the two panels.
const BETWEEN: f64 = 14.0;

/// Both charts, one above the other; none where no layer was measured.
pub fn norms(context: &PlotContext) -> Option<Figure> {
    if context.layers.is_empty() {
        return None;
    }
    let alone = context.record.header.has_weights_alone();
    if alone && context.record.epochs.len() < 2 {
        return Some(one_checkpoint(context));
    }
    let canvas = Canvas::new(2.0 * CHART_HEIGHT + BETWEEN);
    over_depth(context).draw(&canvas, 0.0);
    let over_epochs = over_epochs(context);
    let lines_left_out = over_epochs.lines.iter().any(|s| s.label.is_empty());
    over_epochs.draw(&canvas, CHART_HEIGHT + BETWEEN);
    let (table, thinned) = table(context);
    let title = "L2 norms over depth and over epochs".to_owned();
    let mut caption = String::from(if alone {
        "Above, the length of each layer's weights as one number, first layer left. Below, that of every \
         layer over the checkpoints"
    } else {
        "Above, the length of each layer's weights and of their gradient as one number, first layer left: \
         a gradient that falls toward the left vanishes, one that rises explodes. Below, the gradient of \
         every layer over the epochs"
    });
    caption += if lines_left_out {
        ", with the first, last, weakest and strongest layers and those with a finding named."
    } else {
        "."
    };
    let mut caption = context.caption(caption);
    if let Some(listed) = thinned {
        let [listed, all] = [listed, context.record.epochs.len()].map(|n| count(n as u64));
        caption += &format!(" The table lists {listed} of {all} epochs.");
    }
    let svg = canvas.finish("norms", &title, &caption);
    Some(Figure {
        name: "norms".into(),
        title,
        caption,
        section: Section::Norms,
        svg,
        table,
        animation: None,
    })
}

/// The chart over depth alone: a single file has no series.
fn one_checkpoint(context: &PlotContext) -> Figure {
    let canvas = Canvas::new(CHART_HEIGHT);
    over_depth(context).draw(&canvas, 0.0);
    let title = "L2 norms over depth".to_owned();
    let caption =
        context.caption("The length of each layer's weights as one number, first layer left.".to_owned());
    let svg = canvas.finish("norms", &title, &caption);
    let (table, _) = table(context);
    Figure { name: "norms".into(), title, caption, section: Section::Norms, svg, table, animation: None }
}

/// The quantity that is followed over the epochs: gradients; where there is nothing but weights, those.
fn followed(context: &PlotContext) -> (&'static str, fn(&LayerCapture) -> Option<f64>) {
    if context.record.header.has_weights_alone() {
        ("weight", |l| Some(l.weight.l2()))
    } else {
        ("gradient", |l| l.weight_grad.as_ref().map(Distribution::l2))
    }
}

fn over_depth<'a>(context: &PlotContext<'a>) -> Chart<'a> {
    let weights = context.layers.iter().map(|l| Some(l.capture.weight.l2()));
    let weight = depth_line("weight", ColorRole::Muted, 2, weights);
    let gradients = context.layers.iter().map(|l| l.capture.weight_grad.as_ref().map(Distribution::l2));
    let mut gradient = depth_line("gradient", ColorRole::Line, 0, gradients);
    // By index among the points that there are.
    let points = gradient.points.iter().enumerate();
    gradient.alarming =
        points.filter(|(_, p)| context.layers[p.0 as usize].flagged).map(|(i, _)| i).collect();
    let values = weight.points.iter().chain(&gradient.points).map(|p| p.1);
    Chart {
        scale: Scale::fitted(values, Spacing::Log, TICKS),
        title: format!("L2 norm by layer, epoch {}", count(context.epoch.epoch)),
        across: Across::Layers(context.layers.clone()),
        lines: [weight, gradient].into_iter().filter(|s| !s.points.is_empty()).collect(),
        reference: None,
    }
}

/// A norm of every layer that has it, by depth.
fn depth_line(
    label: &str,
    color: ColorRole,
    mark: usize,
    norms: impl Iterator<Item = Option<f64>>,
) -> ChartLine {
    ChartLine {
        label: label.into(),
        label_color: color,
        color,
        mark,
        tooltip: format!("L2 norm of each layer's {label}"),
        points: norms.enumerate().filter_map(|(depth, norm)| Some((depth as f64, norm?))).collect(),
        alarming: Vec::new(),
        layer: None,
    }
}

fn over_epochs<'a>(context: &PlotContext<'a>) -> Chart<'a> {
    let epochs = &context.record.epochs;
    let (what, norm) = followed(context);
    let chosen = named_layers(context);
    let labels = labels_of(chosen.iter().map(|i| &context.layers[*i]), PHONE_TEXT, WIDEST_LABEL);
    let mut lines: Vec<ChartLine> = Vec::with_capacity(context.layers.len());
    for l in &context.layers {
        let norms = epochs.iter().map(|e| (e.epoch as f64, norm(&e.layers[l.index])));
        let points: Vec<_> = norms.filter_map(|(epoch, norm)| Some((epoch, norm?))).collect();
        let Some(last) = points.last() else { continue };
        let place = chosen.iter().position(|n| *n == l.index);
        let color = place.map_or(ColorRole::Ghost, ColorRole::series);
        lines.push(ChartLine {
            label: place.map_or_else(String::new, |p| labels[p].0.clone()),
            label_color: if l.flagged { ColorRole::Alarm } else { color },
            color,
            mark: place.unwrap_or(0),
            tooltip: format!("{}: {what} L2 {} at the last epoch", in_full(&named(l.name)), precise(last.1)),
            points,
            alarming: Vec::new(),
            layer: Some(l.index),
        });
    }
    // Those with a name are drawn over those without.
    lines.sort_by_key(|l| !l.label.is_empty());
    let values = lines.iter().flat_map(|l| l.points.iter().map(|p| p.1));
    let (first, last) = (epochs.first(), epochs.last());
    Chart {
        scale: Scale::fitted(values, Spacing::Log, TICKS),
        title: format!("{what} L2 by epoch"),
        across: Across::Epochs(first.map_or(0, |e| e.epoch), last.map_or(0, |e| e.epoch)),
        lines,
        reference: None,
    }
}

/// Layers whose lines have a color and a name: all of a few; of many the first, the last, those at
/// either end of a finding, the weakest and the strongest.
fn named_layers(context: &PlotContext) -> Vec<usize> {
    let n = context.layers.len();
    if n <= SERIES {
        return (0..n).collect();
    }
    let (_, norm) = followed(context);
    let mut by_norm: Vec<(f64, usize)> = context
        .layers
        .iter()
        .filter_map(|l| Some((norm(l.capture)?, l.index)))
        .filter(|(norm, _)| !norm.is_nan())
        .collect();
    by_norm.sort_by(|a, b| a.0.total_cmp(&b.0));
    let flagged: Vec<usize> = context.layers.iter().filter(|l| l.flagged).map(|l| l.index).collect();
    let ends = [flagged.first(), flagged.last()].into_iter().flatten().copied();
    let extremes = [by_norm.first(), by_norm.last()].into_iter().flatten().map(|b| b.1);
    let named: BTreeSet<usize> = ends.chain([0, n - 1]).chain(extremes).collect();
    named.into_iter().collect()
}

/// A row for each layer and epoch; and how many epochs are listed, if not all.
fn table(context: &PlotContext) -> (Table, Option<usize>) {
    let epochs = &context.record.epochs;
    let most = (MAX_ROWS / context.layers.len().max(1)).max(2);
    let listed: BTreeSet<usize> = if epochs.len() <= most {
        (0..epochs.len()).collect()
    } else {
        (0..most).map(|i| i * (epochs.len() - 1) / (most - 1)).collect()
    };
    let columns = ["epoch", "layer", "weight L2", "bias L2", "gradient L2", "bias gradient L2"];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for epoch in listed.iter().map(|i| &epochs[*i]) {
        for l in &context.layers {
            let c = &epoch.layers[l.index];
            let mut row = vec![count(epoch.epoch), in_full(&named(l.name))];
            let parts = [Some(&c.weight), c.bias.as_ref(), c.weight_grad.as_ref(), c.bias_grad.as_ref()];
            row.extend(parts.map(|d| d.map_or_else(|| "-".into(), |d| number(d.l2()))));
            rows.push(row);
        }
    }
    let measured = if context.record.header.has_weights_alone() { OF_WEIGHTS } else { columns.len() };
    rows.iter_mut().for_each(|row| row.truncate(measured));
    let thinned = (listed.len() < epochs.len()).then_some(listed.len());
    (Table { columns: columns[..measured].iter().map(|c| (*c).to_owned()).collect(), rows }, thinned)
}
