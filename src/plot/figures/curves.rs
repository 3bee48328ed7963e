//! Loss and score over epochs.

use crate::record::settings::Named;
use crate::record::{Epoch, Task};

use crate::plot::context::PlotContext;
use crate::plot::draw::axis::{Kind, Scale, Spacing};
use crate::plot::draw::canvas::Canvas;
use crate::plot::draw::lines::{Across, CHART_HEIGHT, Chart, ChartLine};
use crate::plot::draw::theme::ColorRole;
use crate::plot::figure::{Figure, Section, Table};
use crate::text::{count, number, precise};

/// Labels of the vertical axis, at most.
const TICKS: usize = 6;

/// Share of the largest loss that the axis spans at least: a loss that stands still is to look so.
const MIN_SPAN: f64 = 0.2;

/// The loss on the training, dev and test sets.
pub fn loss(context: &PlotContext) -> Figure {
    let chance = Some(context.record.header.data.baseline_loss).filter(|c| c.is_finite());
    let curve = Curve::new(context, [|e| Some(e.train_loss), |e| e.dev_loss, |e| e.test_loss]);
    let scale = calm_scale(curve.values().chain(chance));
    let log = if scale.kind == Kind::Linear { "" } else { " The axis is logarithmic." };
    let loss = context.record.header.run.loss.name();
    let guessing = match chance {
        Some(chance) => format!(
            "A training loss that does not leave the line \"guessing\" ({}, the best constant answer) means \
             that nothing is learned; ",
            number(chance)
        ),
        None => String::new(),
    };
    let caption = format!(
        "Mean {loss} loss of each epoch, lower is better.{log} {guessing}a dev loss that rises while the \
         training loss falls means that the data is learned by heart."
    );
    // Without the first half, the second begins the sentence.
    let caption = caption.replace(". a dev", ". A dev");
    let reference = chance.map(|c| (c, format!("guessing {}", number(c))));
    let quantity = &format!("{loss} loss");
    curve.figure(Picture { name: "loss", title: "Loss over epochs", quantity, caption, scale, reference })
}

/// The score on the training, dev and test sets.
pub fn accuracy(context: &PlotContext) -> Figure {
    let task = context.record.header.data.task;
    let curve = Curve::new(context, [|e| Some(e.train_score), |e| e.dev_score, |e| e.test_score]);
    let scale = match task {
        Task::Classification => accuracy_scale(curve.values()),
        Task::Regression => calm_scale(curve.values()),
    };
    let what = match task {
        Task::Classification => "Share of right answers after each epoch; 1 is all of them.",
        Task::Regression => {
            "Minus the mean squared error after each epoch, so that higher is better and 0 is perfect."
        }
    };
    let log = if scale.kind == Kind::Linear { "" } else { " The axis is logarithmic." };
    let caption = format!(
        "{what}{log} All are measured in evaluation mode; the gap between train and the others is what does \
         not carry over to data that was not trained on."
    );
    let title = match task {
        Task::Classification => "Accuracy over epochs",
        Task::Regression => "Negative MSE over epochs",
    };
    let quantity = task.score_name();
    curve.figure(Picture { name: "accuracy", title, quantity, caption, scale, reference: None })
}

/// An axis that spans [`MIN_SPAN`] of the largest value at least.
pub fn calm_scale(values: impl Iterator<Item = f64> + Clone) -> Scale {
    let finite = values.clone().filter(|v| v.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v: f64| (l.min(v), h.max(v)));
    let least = MIN_SPAN * low.abs().max(high.abs());
    let middle = low / 2.0 + high / 2.0;
    let widened = (high - low < least).then(|| [middle - least / 2.0, middle + least / 2.0]);
    Scale::fitted(values.chain(widened.into_iter().flatten()), Spacing::Automatic, TICKS)
}

/// From 0, or from a half where no score is near it, to 1: small steps are not blown up.
pub fn accuracy_scale(values: impl Iterator<Item = f64> + Clone) -> Scale {
    let finite = values.clone().filter(|v| v.is_finite());
    let low = finite.fold(1.0, f64::min);
    let floor = if low < 0.55 { 0.0 } else { 0.5 };
    Scale::fitted(values.chain([floor, 1.0]), Spacing::Automatic, TICKS)
}

/// A figure of curves, before it is drawn.
struct Picture<'a> {
    name: &'a str,
    title: &'a str,
    /// The number, as it stands at the axis and in the table.
    quantity: &'a str,
    caption: String,
    scale: Scale,
    /// A level to compare with, and its label.
    reference: Option<(f64, String)>,
}

/// A number of an epoch, where it was measured.
type Quantity = fn(&Epoch) -> Option<f64>;

/// Names of the splits, in the order of the lines.
const SPLITS: [&str; 3] = ["train", "dev", "test"];

/// A number of every captured epoch on the splits that there are.
struct Curve {
    epochs: Vec<u64>,
    /// A line a split, with its number among [`SPLITS`].
    lines: Vec<(usize, Vec<Option<f64>>)>,
}

impl Curve {
    fn new(context: &PlotContext, quantities: [Quantity; 3]) -> Self {
        let epochs = &context.record.epochs;
        let lines = quantities.iter().map(|value| epochs.iter().map(value).collect::<Vec<_>>()).enumerate();
        Self {
            epochs: epochs.iter().map(|e| e.epoch).collect(),
            lines: lines.filter(|(_, values)| values.iter().any(Option::is_some)).collect(),
        }
    }

    fn values(&self) -> impl Iterator<Item = f64> + Clone {
        self.lines.iter().flat_map(|(_, values)| values.iter().filter_map(|v| *v))
    }

    fn figure(&self, picture: Picture) -> Figure {
        let Picture { name, title, quantity, caption, scale, reference } = picture;
        let (first, last) = (self.epochs.first(), self.epochs.last());
        let chart = Chart {
            title: format!("{quantity} by epoch"),
            across: Across::Epochs(first.copied().unwrap_or(0), last.copied().unwrap_or(0)),
            lines: self.lines.iter().map(|(split, values)| self.line(*split, values, quantity)).collect(),
            reference,
            scale,
        };
        let canvas = Canvas::new(CHART_HEIGHT);
        chart.draw(&canvas, 0.0);
        let svg = canvas.finish(name, title, &caption);
        Figure {
            name: name.into(),
            title: title.into(),
            caption,
            section: Section::Curves,
            svg,
            table: self.table(quantity),
            animation: None,
        }
    }

    /// The line of a split.
    fn line(&self, split: usize, values: &[Option<f64>], quantity: &str) -> ChartLine {
        let points = self.epochs.iter().zip(values).filter_map(|(e, v)| Some((*e as f64, (*v)?)));
        let points: Vec<_> = points.collect();
        let (label, end) = (SPLITS[split], points.last().map_or(f64::NAN, |p| p.1));
        ChartLine {
            label: label.into(),
            label_color: ColorRole::series(split),
            color: ColorRole::series(split),
            mark: split,
            tooltip: format!("{label} {quantity}: {} at the last epoch", precise(end)),
            points,
            alarming: Vec::new(),
            layer: None,
        }
    }

    fn table(&self, quantity: &str) -> Table {
        let mut columns = vec!["epoch".to_owned()];
        columns.extend(self.lines.iter().map(|(split, _)| format!("{} {quantity}", SPLITS[*split])));
        let mut rows = Vec::with_capacity(self.epochs.len());
        for (i, epoch) in self.epochs.iter().enumerate() {
            let mut row = vec![count(*epoch)];
            row.extend(self.lines.iter().map(|(_, values)| values[i].map_or_else(|| "-".into(), number)));
            rows.push(row);
        }
        Table { columns, rows }
    }
}
