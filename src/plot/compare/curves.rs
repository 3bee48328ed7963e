//! Curves of every run in one chart: loss, score, first batches, and gradient norms over depth.

use std::collections::BTreeSet;

use super::{Run, Runs};
use crate::plot::axis::{Kind, Scale};
use crate::plot::canvas::Canvas;
use crate::plot::curves::{accuracy_scale, calm_scale};
use crate::plot::figure::{Figure, Section, Table};
use crate::plot::lines::{Across, CHART_HEIGHT, Chart, Series};
use crate::plot::scene::LayerView;
use crate::plot::text::{in_full, named};
use crate::plot::theme::Ink;
use crate::record::{Epoch, Step, Task};
use crate::text::{number, precise};

/// Labels of a vertical axis, at most.
const TICKS: usize = 6;
/// Space between two panels.
const BETWEEN: f64 = 14.0;
/// Rows of a table, at most: beyond, it lists some of the epochs.
const MOST_ROWS: usize = 400;

/// A curve's points: where, and what.
type Points = Vec<(f64, f64)>;

/// What is drawn of each run in one panel.
struct Panel {
    /// Over the panel.
    title: String,
    /// In a column's heading.
    column: &'static str,
    /// A curve a run, in their order; empty where it has none.
    curves: Vec<Points>,
}

impl Panel {
    fn of(runs: &Runs, column: &'static str, title: String, points: impl Fn(&Run) -> Points) -> Self {
        Self { title, column, curves: runs.0.iter().map(points).collect() }
    }

    fn values(&self) -> impl Iterator<Item = f64> + Clone {
        self.curves.iter().flatten().map(|p| p.1)
    }

    fn is_empty(&self) -> bool {
        self.curves.iter().all(Vec::is_empty)
    }
}

/// The loss while training and on data that was held out.
pub fn loss(runs: &Runs) -> Figure {
    let train = epochs_of(runs, "train", "training loss".into(), |e| Some(e.train_loss));
    let (name, held_out, _) = held_out(runs);
    let held_out = epochs_of(runs, name, format!("{name} loss"), held_out);
    let chance = runs.0.first().map(|r| r.scene.record.header.data.baseline_loss).filter(|c| c.is_finite());
    let scale = calm_scale(train.values().chain(held_out.values()).chain(chance));
    let log = if scale.kind == Kind::Linear { "" } else { " The axis is logarithmic." };
    let caption = format!(
        "Mean loss of each epoch, one line a variant, lower is better.{log} A line that stays at \
         \"guessing\", the best constant answer, has learned nothing; one that falls sooner learns faster."
    );
    let reference = chance.map(|c| (c, format!("guessing {}", number(c))));
    figure(runs, "loss", "Loss over epochs", caption, [train, held_out], &scale, reference)
}

/// The score on the training set and on data that was held out.
pub fn score(runs: &Runs) -> Figure {
    let task = runs.0.first().map_or(Task::Classification, |r| r.scene.record.header.data.task);
    let name = task.score_name();
    let train = epochs_of(runs, "train", format!("training {name}"), |e| Some(e.train_score));
    let (set, _, held_out) = held_out(runs);
    let held_out = epochs_of(runs, set, format!("{set} {name}"), held_out);
    let values = train.values().chain(held_out.values());
    let (scale, title, what) = match task {
        Task::Classification => {
            (accuracy_scale(values), "Accuracy over epochs", "Share of right answers after each epoch")
        }
        Task::Regression => (
            calm_scale(values),
            "Negative MSE over epochs",
            "Minus the mean squared error after each epoch, so that higher is better",
        ),
    };
    let log = if scale.kind == Kind::Linear { "" } else { " The axis is logarithmic." };
    let caption = format!("{what}, one line a variant, measured in evaluation mode.{log}");
    figure(runs, "accuracy", title, caption, [train, held_out], &scale, None)
}

/// The loss of the first batches as they were trained on.
pub fn first_batches(runs: &Runs, batches: u64) -> Figure {
    let early = |s: &&Step| s.step < batches;
    let points = |run: &Run| -> Points {
        let steps = run.scene.record.steps.iter().take_while(early);
        steps.map(|s| (s.step as f64, s.loss.last)).collect()
    };
    let mut panel = Panel::of(runs, "loss", String::new(), points);
    // There may be fewer.
    let last = panel.curves.iter().flatten().map(|p| p.0 as u64 + 1).max();
    let batches = last.unwrap_or(batches);
    panel.title = format!("training loss by batch, the first {batches}");
    let scale = calm_scale(panel.values());
    let log = if scale.kind == Kind::Linear { "" } else { " The axis is logarithmic." };
    let caption = format!(
        "The loss of each of the first {batches} batches as it was trained on, one line a variant.{log} This is \
         where initial weights make their difference: a good start is low and falls at once."
    );
    let title = format!("Loss of the first {batches} batches");
    figure(runs, "first-batches", &title, caption, [panel], &scale, None)
}

/// The length of every layer's gradient, one line a run. Gains and shifts of normalisation are left out:
/// with them, the same layer would stand at another depth in each run.
pub fn norms(runs: &Runs) -> Figure {
    let of_run: Vec<Vec<LayerView>> = runs.0.iter().map(matrices).collect();
    let points = |layers: &Vec<LayerView>| -> Points {
        let norm =
            |(depth, l): (usize, &LayerView)| Some((depth as f64, l.capture.weight_grad.as_ref()?.l2()));
        layers.iter().enumerate().filter_map(norm).collect()
    };
    let curves: Vec<Points> = of_run.iter().map(points).collect();
    let scale = Scale::of(curves.iter().flatten().map(|p| p.1), true, TICKS);
    // A finding is about a layer of one run: it is marked on that run's line, not under the axis.
    let deepest = of_run.iter().max_by_key(|layers| layers.len()).cloned().unwrap_or_default();
    let layers: Vec<LayerView> =
        deepest.into_iter().enumerate().map(|(index, l)| LayerView { index, flagged: false, ..l }).collect();
    let names = |layers: &[LayerView]| layers.iter().map(|l| l.name.to_owned()).collect::<Vec<_>>();
    let mut caption = String::from(
        "The length of each layer's gradient as one number, first layer left, one line a variant, at the last \
         captured epoch: a line that falls toward the left vanishes, one that rises explodes. Red marks: a \
         finding is about this layer of this variant.",
    );
    if of_run.iter().any(|l| names(l) != names(&layers)) {
        caption += " The variants differ in their layers: these are counted from the input, under the names of the deepest.";
    }
    let series = |(n, ((run, own), points)): (usize, ((&Run, &Vec<LayerView>), &Points))| {
        let alarming = (0..points.len()).filter(|i| own[points[*i].0 as usize].flagged).collect();
        let tooltip = format!("{}: gradient L2 of each layer", run.label);
        Series { alarming, ..line(n, run, points.clone(), tooltip) }
    };
    let chart = Chart {
        title: "gradient L2 by layer, last captured epoch".into(),
        across: Across::Layers(layers.clone()),
        series: runs.0.iter().zip(&of_run).zip(&curves).enumerate().map(series).collect(),
        reference: None,
        scale,
    };
    let canvas = Canvas::new(CHART_HEIGHT);
    chart.draw(&canvas, 0.0);
    let mut columns = vec!["layer".to_owned()];
    columns.extend(runs.0.iter().map(|r| r.label.clone()));
    let cell = |points: &Points, depth: usize| {
        points.iter().find(|p| p.0 == depth as f64).map_or_else(|| "-".into(), |p| number(p.1))
    };
    let row = |l: &LayerView| {
        let mut row = vec![in_full(&named(l.name))];
        row.extend(curves.iter().map(|points| cell(points, l.index)));
        row
    };
    let table = Table { columns, rows: layers.iter().map(row).collect() };
    let title = "Gradient L2 over depth".to_owned();
    let svg = canvas.finish("norms", &title, &caption);
    Figure { name: "norms".into(), title, caption, section: Section::Norms, svg, table, motion: None }
}

/// Layers that are a matrix or kernel.
fn matrices<'a>(run: &Run<'a>) -> Vec<LayerView<'a>> {
    let layers = &run.scene.record.header.layers;
    run.scene.layers.iter().filter(|l| layers[l.index].kind.is_matrix()).copied().collect()
}

/// Data that was held out: what it is called, its loss and its score.
type HeldOut = (&'static str, fn(&Epoch) -> Option<f64>, fn(&Epoch) -> Option<f64>);

/// The test set where it was followed, which no run was chosen by; else the dev set.
fn held_out(runs: &Runs) -> HeldOut {
    let followed = |run: &Run| run.scene.record.epochs.iter().any(|e| e.test_score.is_some());
    if runs.0.iter().all(followed) {
        ("test", |e| e.test_loss, |e| e.test_score)
    } else {
        ("dev", |e| e.dev_loss, |e| e.dev_score)
    }
}

fn epochs_of(
    runs: &Runs,
    column: &'static str,
    title: String,
    value: impl Fn(&Epoch) -> Option<f64>,
) -> Panel {
    let points = |run: &Run| -> Points {
        run.scene.record.epochs.iter().filter_map(|e| Some((e.epoch as f64, value(e)?))).collect()
    };
    Panel::of(runs, column, format!("{title} by epoch"), points)
}

fn line(n: usize, run: &Run, points: Points, tooltip: String) -> Series {
    Series {
        label: run.short.clone(),
        label_ink: Ink::series(n),
        ink: Ink::series(n),
        mark: n,
        points,
        alarming: Vec::new(),
        layer: None,
        tooltip,
    }
}

/// Panels above each other, with the same axes.
fn figure<const N: usize>(
    runs: &Runs,
    name: &str,
    title: &str,
    caption: String,
    panels: [Panel; N],
    scale: &Scale,
    reference: Option<(f64, String)>,
) -> Figure {
    let panels: Vec<Panel> = panels.into_iter().filter(|p| !p.is_empty()).collect();
    let places = || panels.iter().flat_map(|p| p.curves.iter().flatten().map(|p| p.0 as u64));
    let (first, last) = (places().min().unwrap_or(0), places().max().unwrap_or(0));
    let height = panels.len().max(1) as f64 * (CHART_HEIGHT + BETWEEN) - BETWEEN;
    let canvas = Canvas::new(height);
    for (i, panel) in panels.iter().enumerate() {
        let series = |(n, (run, points)): (usize, (&Run, &Points))| {
            let end = points.last().map_or(f64::NAN, |p| p.1);
            let tooltip = format!("{}: {} {} at the end", run.label, panel.title, precise(end));
            line(n, run, points.clone(), tooltip)
        };
        let curves = runs.0.iter().zip(&panel.curves).enumerate().filter(|(_, (_, p))| !p.is_empty());
        let chart = Chart {
            title: panel.title.clone(),
            across: Across::Epochs(first, last),
            series: curves.map(series).collect(),
            // What guessing costs is known of the training set alone.
            reference: reference.clone().filter(|_| i == 0),
            scale: scale.clone(),
        };
        chart.draw(&canvas, i as f64 * (CHART_HEIGHT + BETWEEN));
    }
    let svg = canvas.finish(name, title, &caption);
    let table = table(runs, &panels, if name == "first-batches" { "batch" } else { "epoch" });
    Figure {
        name: name.into(),
        title: title.into(),
        caption,
        section: Section::Curves,
        svg,
        table,
        motion: None,
    }
}

/// A row an epoch (or batch), a column a run and panel.
fn table(runs: &Runs, panels: &[Panel], across: &str) -> Table {
    let places: BTreeSet<u64> =
        panels.iter().flat_map(|p| p.curves.iter().flatten().map(|p| p.0 as u64)).collect();
    let stride = places.len().div_ceil(MOST_ROWS).max(1);
    let last = places.last().copied();
    let shown = places.iter().enumerate().filter(|(i, p)| i % stride == 0 || Some(**p) == last);
    let mut columns = vec![across.to_owned()];
    for panel in panels {
        columns.extend(runs.0.iter().map(|r| format!("{}: {}", r.label, panel.column)));
    }
    let cell = |points: &Points, place: u64| {
        // Ascending by construction.
        let found = points.binary_search_by(|p| p.0.total_cmp(&(place as f64)));
        found.map_or_else(|_| "-".into(), |i| number(points[i].1))
    };
    let row = |(_, place): (usize, &u64)| {
        let mut row = vec![place.to_string()];
        for panel in panels {
            row.extend(panel.curves.iter().map(|points| cell(points, *place)));
        }
        row
    };
    Table { rows: shown.map(row).collect(), columns }
}
