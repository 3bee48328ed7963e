//! Every picture of a run, in the report's order.

use super::context::PlotContext;
use super::figure::Figure;
use super::figures::{boundary, curves, histogram, norms, over_time, violin};

/// A picture, or a family of pictures, that is drawn of every run.
pub struct Plot {
    /// Its subject, in a word.
    pub name: &'static str,
    make: fn(&PlotContext) -> Vec<Figure>,
}

/// All of them, in the report's order.
pub const PLOTS: [Plot; 9] = [
    Plot { name: "gradients", make: violin::gradients },
    Plot { name: "over-time", make: |context| over_time::over_time(context).into_iter().collect() },
    Plot { name: "weights", make: |context| violin::weights(context).into_iter().collect() },
    Plot { name: "activations", make: |context| violin::activations(context).into_iter().collect() },
    Plot { name: "norms", make: |context| norms::norms(context).into_iter().collect() },
    Plot { name: "loss", make: |context| training_only(context, curves::loss) },
    Plot { name: "accuracy", make: |context| training_only(context, curves::accuracy) },
    Plot { name: "boundary", make: |context| boundary::boundary(context).into_iter().collect() },
    Plot { name: "histograms", make: histogram::histograms },
];

/// A picture that weights alone do not have.
fn training_only(context: &PlotContext, draw: fn(&PlotContext) -> Figure) -> Vec<Figure> {
    if context.record.header.has_weights_alone() { Vec::new() } else { vec![draw(context)] }
}

impl Plot {
    /// Draws it; nothing where there is nothing to show.
    pub fn draw(&self, context: &PlotContext) -> Vec<Figure> {
        (self.make)(context)
    }
}

/// Draws every picture of a run, in the report's order.
pub fn figures(context: &PlotContext) -> Vec<Figure> {
    PLOTS.iter().flat_map(|plot| plot.draw(context)).collect()
}
