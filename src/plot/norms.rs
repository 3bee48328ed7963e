//! L2 norms: over depth at the last captured epoch, and of gradients over the epochs.

use std::collections::BTreeSet;

use crate::record::{Epoch, LayerCapture};
use crate::stats::Distribution;

use super::axis::Scale;
use super::canvas::Canvas;
use super::figure::{Figure, Section, Table};
use super::lines::{Across, CHART_HEIGHT, Chart, Series, WIDEST_LABEL};
use super::scene::Scene;
use super::sheet::labels_of;
use super::text::{in_full, named};
use super::theme::{Ink, PHONE_TEXT, SERIES};
use crate::text::{number, precise};

/// Labels of a vertical axis, at most.
const TICKS: usize = 6;
/// Rows of the table, at most: beyond, it lists some of the epochs.
const MOST_ROWS: usize = 1_200;
/// Columns of the table that tell of weights, the first ones.
const OF_WEIGHTS: usize = 4;
/// Space between the two panels.
const BETWEEN: f64 = 14.0;

/// Both charts, one above the other; none where no layer was measured.
pub fn norms(scene: &Scene) -> Option<Figure> {
    if scene.layers.is_empty() {
        return None;
    }
    let alone = scene.record.header.has_weights_alone();
    if alone && scene.record.epochs.len() < 2 {
        return Some(of_one_checkpoint(scene));
    }
    let canvas = Canvas::new(2.0 * CHART_HEIGHT + BETWEEN);
    over_depth(scene).draw(&canvas, 0.0);
    let over_epochs = over_epochs(scene);
    let lines_left_out = over_epochs.series.iter().any(|s| s.label.is_empty());
    over_epochs.draw(&canvas, CHART_HEIGHT + BETWEEN);
    let (table, thinned) = table(scene);
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
    let mut caption = scene.caption(caption);
    if let Some(listed) = thinned {
        caption += &format!(" The table lists {listed} of {} epochs.", scene.record.epochs.len());
    }
    let svg = canvas.finish("norms", &title, &caption);
    Some(Figure { name: "norms".into(), title, caption, section: Section::Norms, svg, table, motion: None })
}

/// The chart over depth alone: a single file has no course.
fn of_one_checkpoint(scene: &Scene) -> Figure {
    let canvas = Canvas::new(CHART_HEIGHT);
    over_depth(scene).draw(&canvas, 0.0);
    let title = "L2 norms over depth".to_owned();
    let caption =
        scene.caption("The length of each layer's weights as one number, first layer left.".to_owned());
    let svg = canvas.finish("norms", &title, &caption);
    let (table, _) = table(scene);
    Figure { name: "norms".into(), title, caption, section: Section::Norms, svg, table, motion: None }
}

/// What is followed over the epochs: gradients; where there is nothing but weights, those.
fn followed(scene: &Scene) -> (&'static str, fn(&LayerCapture) -> Option<f64>) {
    if scene.record.header.has_weights_alone() {
        ("weight", |l| Some(l.weight.l2()))
    } else {
        ("gradient", |l| l.weight_grad.as_ref().map(Distribution::l2))
    }
}

fn over_depth<'a>(scene: &Scene<'a>) -> Chart<'a> {
    let flagged: Vec<usize> = scene.layers.iter().filter(|l| l.flagged).map(|l| l.index).collect();
    let series =
        |label: &str, ink: Ink, mark: usize, norm: &dyn Fn(usize) -> Option<f64>, alarming: Vec<usize>| {
            let points: Vec<_> =
                scene.layers.iter().filter_map(|l| Some((l.index as f64, norm(l.index)?))).collect();
            // By index among the points that there are.
            let alarming = points
                .iter()
                .enumerate()
                .filter(|(_, p)| alarming.contains(&(p.0 as usize)))
                .map(|(i, _)| i)
                .collect();
            Series {
                label: label.into(),
                label_ink: ink,
                ink,
                mark,
                tooltip: format!("L2 norm of each layer's {label}"),
                points,
                alarming,
                layer: None,
            }
        };
    let layers = &scene.epoch.layers;
    let weight = series("weight", Ink::Muted, 2, &|i| Some(layers[i].weight.l2()), Vec::new());
    let gradient = series("gradient", Ink::Line, 0, &|i| Some(layers[i].weight_grad.as_ref()?.l2()), flagged);
    let values = weight.points.iter().chain(&gradient.points).map(|p| p.1);
    Chart {
        scale: Scale::of(values, true, TICKS),
        title: format!("L2 norm by layer, epoch {}", scene.epoch.epoch),
        across: Across::Layers(scene.layers.clone()),
        series: [weight, gradient].into_iter().filter(|s| !s.points.is_empty()).collect(),
        reference: None,
    }
}

fn over_epochs<'a>(scene: &Scene<'a>) -> Chart<'a> {
    let epochs = &scene.record.epochs;
    let (what, of) = followed(scene);
    let norm = |e: &Epoch, layer: usize| of(&e.layers[layer]);
    let chosen = named_layers(scene);
    let labels = labels_of(chosen.iter().map(|i| &scene.layers[*i]), PHONE_TEXT, WIDEST_LABEL);
    let mut series: Vec<Series> = scene
        .layers
        .iter()
        .map(|l| {
            let points: Vec<_> =
                epochs.iter().filter_map(|e| Some((e.epoch as f64, norm(e, l.index)?))).collect();
            let place = chosen.iter().position(|n| *n == l.index);
            let ink = place.map_or(Ink::Ghost, Ink::series);
            let last = points.last().map_or(f64::NAN, |p| p.1);
            Series {
                label: place.map_or_else(String::new, |p| labels[p].0.clone()),
                label_ink: if l.flagged { Ink::Alarm } else { ink },
                ink,
                mark: place.unwrap_or(0),
                tooltip: format!(
                    "{}: {what} L2 {} at the last epoch",
                    in_full(&named(l.name)),
                    precise(last)
                ),
                points,
                alarming: Vec::new(),
                layer: Some(l.index),
            }
        })
        .filter(|s| !s.points.is_empty())
        .collect();
    // Those with a name are drawn over those without.
    series.sort_by_key(|s| !s.label.is_empty());
    let values = series.iter().flat_map(|s| s.points.iter().map(|p| p.1));
    let (first, last) = (epochs.first(), epochs.last());
    Chart {
        scale: Scale::of(values, true, TICKS),
        title: format!("{what} L2 by epoch"),
        across: Across::Epochs(first.map_or(0, |e| e.epoch), last.map_or(0, |e| e.epoch)),
        series,
        reference: None,
    }
}

/// Layers whose lines have a colour and a name: all of a few; of many the first, the last, those at
/// either end of a finding, the weakest and the strongest.
fn named_layers(scene: &Scene) -> Vec<usize> {
    let n = scene.layers.len();
    if n <= SERIES {
        return (0..n).collect();
    }
    let (_, of) = followed(scene);
    let mut by_norm: Vec<(f64, usize)> = scene
        .layers
        .iter()
        .filter_map(|l| Some((of(l.capture)?, l.index)))
        .filter(|(norm, _)| !norm.is_nan())
        .collect();
    by_norm.sort_by(|a, b| a.0.total_cmp(&b.0));
    let flagged: Vec<usize> = scene.layers.iter().filter(|l| l.flagged).map(|l| l.index).collect();
    let ends = [flagged.first(), flagged.last()].into_iter().flatten().copied();
    let extremes = [by_norm.first(), by_norm.last()].into_iter().flatten().map(|b| b.1);
    let named: BTreeSet<usize> = ends.chain([0, n - 1]).chain(extremes).collect();
    named.into_iter().collect()
}

/// A row for each layer and epoch; and how many epochs are listed, if not all.
fn table(scene: &Scene) -> (Table, Option<usize>) {
    let epochs = &scene.record.epochs;
    let most = (MOST_ROWS / scene.layers.len().max(1)).max(2);
    let listed: BTreeSet<usize> = if epochs.len() <= most {
        (0..epochs.len()).collect()
    } else {
        (0..most).map(|i| i * (epochs.len() - 1) / (most - 1)).collect()
    };
    let columns = ["epoch", "layer", "weight L2", "bias L2", "gradient L2", "bias gradient L2"];
    let norm = |d: Option<&Distribution>| d.map_or_else(|| "-".into(), |d| number(d.l2()));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for epoch in listed.iter().map(|i| &epochs[*i]) {
        for l in &scene.layers {
            let c = &epoch.layers[l.index];
            let mut row = vec![epoch.epoch.to_string(), in_full(&named(l.name))];
            let parts = [Some(&c.weight), c.bias.as_ref(), c.weight_grad.as_ref(), c.bias_grad.as_ref()];
            row.extend(parts.map(norm));
            rows.push(row);
        }
    }
    let measured = if scene.record.header.has_weights_alone() { OF_WEIGHTS } else { columns.len() };
    rows.iter_mut().for_each(|row| row.truncate(measured));
    let thinned = (listed.len() < epochs.len()).then_some(listed.len());
    (Table { columns: columns[..measured].iter().map(|c| (*c).to_owned()).collect(), rows }, thinned)
}
