//! The length of every layer's gradient over depth, one line a run.

use super::runs::{Points, Run, Runs};
use crate::plot::context::LayerView;
use crate::plot::draw::axis::{Scale, Spacing};
use crate::plot::draw::canvas::Canvas;
use crate::plot::draw::lines::{Across, CHART_HEIGHT, Chart, ChartLine};
use crate::plot::draw::text::{in_full, named};
use crate::plot::figure::{Figure, Section, Table};
use crate::stats::Distribution;
use crate::text::number;

/// Labels of a vertical axis, at most.
const TICKS: usize = 6;

/// The length of every layer's gradient, one line a run. Gains and shifts of normalisation are left out:
/// with them, the same layer would stand at another depth in each run.
pub fn norms(runs: &Runs) -> Figure {
    let layers_of_runs: Vec<Vec<LayerView>> = runs.0.iter().map(matrices).collect();
    let curves: Vec<Points> = layers_of_runs.iter().map(|layers| gradient_norms(layers)).collect();
    let scale = Scale::fitted(curves.iter().flatten().map(|p| p.1), Spacing::Log, TICKS);
    // A finding is about a layer of one run: it is marked on that run's line, not under the axis.
    let deepest = layers_of_runs.iter().max_by_key(|layers| layers.len()).cloned().unwrap_or_default();
    let layers: Vec<LayerView> =
        deepest.into_iter().enumerate().map(|(index, l)| LayerView { index, flagged: false, ..l }).collect();
    let mut caption = String::from(
        "The length of each layer's gradient as one number, first layer left, one line a variant, at the last \
         captured epoch: a line that falls toward the left vanishes, one that rises explodes. Red marks: a \
         finding is about this layer of this variant.",
    );
    let differ = |own: &Vec<LayerView>| !own.iter().map(|l| l.name).eq(layers.iter().map(|l| l.name));
    if layers_of_runs.iter().any(differ) {
        caption += " The variants differ in their layers: these are counted from the input, under the names of the deepest.";
    }
    let mut lines = Vec::new();
    for (n, (run, (own, points))) in runs.0.iter().zip(layers_of_runs.iter().zip(&curves)).enumerate() {
        let alarming = (0..points.len()).filter(|i| own[points[*i].0 as usize].flagged).collect();
        let tooltip = format!("{}: gradient L2 of each layer", run.label);
        lines.push(ChartLine { alarming, ..run.line(n, points.clone(), tooltip) });
    }
    let chart = Chart {
        title: "gradient L2 by layer, last captured epoch".into(),
        across: Across::Layers(layers.clone()),
        lines,
        reference: None,
        scale,
    };
    let canvas = Canvas::new(CHART_HEIGHT);
    chart.draw(&canvas, 0.0);
    let mut columns = vec!["layer".to_owned()];
    columns.extend(runs.0.iter().map(|r| r.label.clone()));
    let mut rows = Vec::new();
    for layer in &layers {
        let mut row = vec![in_full(&named(layer.name))];
        for points in &curves {
            let point = points.iter().find(|p| p.0 == layer.index as f64);
            row.push(point.map_or_else(|| "-".into(), |p| number(p.1)));
        }
        rows.push(row);
    }
    let table = Table { columns, rows };
    let title = "Gradient L2 over depth".to_owned();
    let svg = canvas.finish("norms", &title, &caption);
    Figure { name: "norms".into(), title, caption, section: Section::Norms, svg, table, animation: None }
}

/// The length of each layer's gradient, by depth; of those that have one.
fn gradient_norms(layers: &[LayerView]) -> Points {
    let norms = layers.iter().map(|l| l.capture.weight_grad.as_ref().map(Distribution::l2));
    norms.enumerate().filter_map(|(depth, norm)| Some((depth as f64, norm?))).collect()
}

/// Layers that are a matrix or kernel.
fn matrices<'a>(run: &Run<'a>) -> Vec<LayerView<'a>> {
    let layers = &run.context.record.header.layers;
    run.context.layers.iter().filter(|l| layers[l.index].kind.is_matrix()).copied().collect()
}
