//! Curves of every run in one chart: loss, score and first batches.

use std::collections::BTreeSet;

use super::runs::{Points, Run, Runs};
use crate::plot::draw::axis::{Kind, Scale};
use crate::plot::draw::canvas::Canvas;
use crate::plot::draw::lines::{Across, CHART_HEIGHT, Chart};
use crate::plot::figure::{Figure, Section, Table};
use crate::plot::figures::curves::{accuracy_scale, calm_scale};
use crate::record::{Epoch, Task};
use crate::text::{count, number, precise};

/// Space between two panels.
const BETWEEN: f64 = 14.0;
/// Rows of a table, at most: beyond, it lists some of the epochs.
const MAX_ROWS: usize = 400;

/// A number of each run in one panel.
struct Panel {
    /// Stands over the panel.
    title: String,
    /// Stands in a column's heading.
    column: &'static str,
    /// A curve a run, in their order; empty where it has none.
    curves: Vec<Points>,
}

impl Panel {
    fn new(runs: &Runs, column: &'static str, title: String, points: impl Fn(&Run) -> Points) -> Self {
        Self { title, column, curves: runs.0.iter().map(points).collect() }
    }

    /// The panel of a number of every epoch.
    fn by_epoch(runs: &Runs, column: &'static str, quantity: &str, value: fn(&Epoch) -> Option<f64>) -> Self {
        Self::new(runs, column, format!("{quantity} by epoch"), |run| {
            let epochs = &run.context.record.epochs;
            epochs.iter().filter_map(|e| Some((e.epoch as f64, value(e)?))).collect()
        })
    }

    fn values(&self) -> impl Iterator<Item = f64> + Clone {
        self.curves.iter().flatten().map(|p| p.1)
    }

    fn is_empty(&self) -> bool {
        self.curves.iter().all(Vec::is_empty)
    }
}

/// A figure of one panel or two, before it is drawn.
struct Picture<'a> {
    name: &'a str,
    title: &'a str,
    caption: String,
    scale: Scale,
    /// A level to compare with, and its label; it is known of the training set alone.
    reference: Option<(f64, String)>,
    /// Heading of the table's first column.
    across: &'a str,
}

/// The loss while training and on data that was held out.
pub fn loss(runs: &Runs) -> Figure {
    let train = Panel::by_epoch(runs, "train", "training loss", |e| Some(e.train_loss));
    let (name, held_out, _) = held_out(runs);
    let held_out = Panel::by_epoch(runs, name, &format!("{name} loss"), held_out);
    let chance = runs.0.first().map(|r| r.context.record.header.data.baseline_loss).filter(|c| c.is_finite());
    let scale = calm_scale(train.values().chain(held_out.values()).chain(chance));
    let log = if scale.kind == Kind::Linear { "" } else { " The axis is logarithmic." };
    let caption = format!(
        "Mean loss of each epoch, one line a variant, lower is better.{log} A line that stays at \
         \"guessing\", the best constant answer, has learned nothing; one that falls sooner learns faster."
    );
    let reference = chance.map(|c| (c, format!("guessing {}", number(c))));
    let picture =
        Picture { name: "loss", title: "Loss over epochs", caption, scale, reference, across: "epoch" };
    picture.figure(runs, vec![train, held_out])
}

/// The score on the training set and on data that was held out.
pub fn score(runs: &Runs) -> Figure {
    let task = runs.0.first().map_or(Task::Classification, |r| r.context.record.header.data.task);
    let name = task.score_name();
    let train = Panel::by_epoch(runs, "train", &format!("training {name}"), |e| Some(e.train_score));
    let (set, _, held_out) = held_out(runs);
    let held_out = Panel::by_epoch(runs, set, &format!("{set} {name}"), held_out);
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
    let picture = Picture { name: "accuracy", title, caption, scale, reference: None, across: "epoch" };
    picture.figure(runs, vec![train, held_out])
}

/// The loss of the first batches as they were trained on.
pub fn first_batches(runs: &Runs, batches: u64) -> Figure {
    let mut panel = Panel::new(runs, "loss", String::new(), |run| {
        let steps = run.context.record.steps.iter().take_while(|s| s.step < batches);
        steps.map(|s| (s.step as f64, s.loss.last)).collect()
    });
    // There may be fewer.
    let last = panel.curves.iter().flatten().map(|p| p.0 as u64 + 1).max();
    let batches = count(last.unwrap_or(batches));
    panel.title = format!("training loss by batch, the first {batches}");
    let scale = calm_scale(panel.values());
    let log = if scale.kind == Kind::Linear { "" } else { " The axis is logarithmic." };
    let caption = format!(
        "The loss of each of the first {batches} batches as it was trained on, one line a variant.{log} This is \
         where initial weights make their difference: a good start is low and falls at once."
    );
    let title = &format!("Loss of the first {batches} batches");
    let picture = Picture { name: "first-batches", title, caption, scale, reference: None, across: "batch" };
    picture.figure(runs, vec![panel])
}

/// Data that was held out: its name, its loss and its score.
type HeldOut = (&'static str, fn(&Epoch) -> Option<f64>, fn(&Epoch) -> Option<f64>);

/// The test set where it was followed, which no run was chosen by; else the dev set.
fn held_out(runs: &Runs) -> HeldOut {
    if runs.0.iter().all(|run| run.context.record.epochs.iter().any(|e| e.test_score.is_some())) {
        ("test", |e| e.test_loss, |e| e.test_score)
    } else {
        ("dev", |e| e.dev_loss, |e| e.dev_score)
    }
}

impl Picture<'_> {
    /// Panels above each other, with the same axes; a panel without a curve is left out.
    fn figure(self, runs: &Runs, panels: Vec<Panel>) -> Figure {
        let panels: Vec<Panel> = panels.into_iter().filter(|p| !p.is_empty()).collect();
        let table = table(runs, &panels, self.across);
        let places = all_places(&panels);
        let across =
            Across::Epochs(places.first().copied().unwrap_or(0), places.last().copied().unwrap_or(0));
        let height = panels.len().max(1) as f64 * (CHART_HEIGHT + BETWEEN) - BETWEEN;
        let canvas = Canvas::new(height);
        for (i, panel) in panels.iter().enumerate() {
            let mut lines = Vec::new();
            for (n, (run, points)) in runs.0.iter().zip(&panel.curves).enumerate() {
                if let Some(end) = points.last() {
                    let tooltip = format!("{}: {} {} at the end", run.label, panel.title, precise(end.1));
                    lines.push(run.line(n, points.clone(), tooltip));
                }
            }
            let chart = Chart {
                title: panel.title.clone(),
                across: across.clone(),
                lines,
                reference: self.reference.clone().filter(|_| i == 0),
                scale: self.scale.clone(),
            };
            chart.draw(&canvas, i as f64 * (CHART_HEIGHT + BETWEEN));
        }
        let svg = canvas.finish(self.name, self.title, &self.caption);
        Figure {
            name: self.name.into(),
            title: self.title.into(),
            caption: self.caption,
            section: Section::Curves,
            svg,
            table,
            animation: None,
        }
    }
}

/// Every epoch (or batch) at which some run has a value.
fn all_places(panels: &[Panel]) -> BTreeSet<u64> {
    panels.iter().flat_map(|p| p.curves.iter().flatten().map(|p| p.0 as u64)).collect()
}

/// A row an epoch (or batch), a column a run and panel.
fn table(runs: &Runs, panels: &[Panel], across: &str) -> Table {
    let places = all_places(panels);
    let stride = places.len().div_ceil(MAX_ROWS).max(1);
    let last = places.last().copied();
    let mut columns = vec![across.to_owned()];
    for panel in panels {
        columns.extend(runs.0.iter().map(|r| format!("{}: {}", r.label, panel.column)));
    }
    let shown = places.iter().enumerate().filter(|(i, p)| i % stride == 0 || Some(**p) == last);
    let mut rows = Vec::new();
    for (_, place) in shown {
        let mut row = vec![count(*place)];
        for points in panels.iter().flat_map(|panel| &panel.curves) {
            // Ascending by construction.
            let found = points.binary_search_by(|p| p.0.total_cmp(&(*place as f64)));
            row.push(found.map_or_else(|_| "-".into(), |i| number(points[i].1)));
        }
        rows.push(row);
    }
    Table { columns, rows }
}
