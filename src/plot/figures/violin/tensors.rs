//! The tensors that are drawn as violins: gradients, weights and activations of every layer.

use super::picture::Picture;
use super::shape::{OutlineDetail, Violin, medians_far_apart};
use crate::plot::context::{LayerView, PlotContext};
use crate::plot::draw::axis::Kind;
use crate::plot::figure::{Figure, Section};
use crate::text::count;

/// The violins of gradients, the more telling view first; none where there are no gradients.
pub fn gradients(context: &PlotContext) -> Vec<Figure> {
    let Some([magnitudes, values]) = gradient_pictures(context) else { return Vec::new() };
    let log_first = medians_far_apart(&magnitudes.violins);
    let mut figures = vec![magnitudes.figure(context, Kind::Log), values.figure(context, Kind::Linear)];
    if !log_first {
        figures.reverse();
    }
    figures
}

/// The violins of weights; none where no layer was measured.
pub fn weights(context: &PlotContext) -> Option<Figure> {
    (!context.layers.is_empty()).then(|| weight_picture(context).figure(context, Kind::Linear))
}

/// The violins of the layers' outputs; none where no layer's output was captured.
pub fn activations(context: &PlotContext) -> Option<Figure> {
    activation_picture(context).map(|picture| picture.figure(context, Kind::Linear))
}

/// Magnitudes and values of the gradients; none where there are no gradients.
pub fn gradient_pictures<'a>(context: &PlotContext<'a>) -> Option<[Picture<'a>; 2]> {
    if context.layers.iter().all(|l| l.capture.weight_grad.is_none()) {
        return None;
    }
    let epoch = count(context.epoch.epoch);
    let what = "the gradients of its weights";
    let magnitudes = Picture {
        name: "violin-gradients-log".into(),
        title: format!("Gradients of the weights, epoch {epoch}: magnitudes"),
        axis: format!("|gradient|, epoch {epoch}"),
        what,
        section: Section::Gradients,
        violins: at_last_epoch(context, gradient_magnitudes),
        draw: gradient_magnitudes,
    };
    let values = Picture {
        name: "violin-gradients".into(),
        title: format!("Gradients of the weights, epoch {epoch}: values"),
        axis: format!("gradient, epoch {epoch}"),
        what,
        section: Section::Gradients,
        violins: at_last_epoch(context, gradient_values),
        draw: gradient_values,
    };
    Some([magnitudes, values])
}

/// The weights, before an axis is chosen.
pub fn weight_picture<'a>(context: &PlotContext<'a>) -> Picture<'a> {
    let epoch = count(context.epoch.epoch);
    Picture {
        name: "violin-weights".into(),
        title: format!("Weights, epoch {epoch}"),
        axis: format!("weight, epoch {epoch}"),
        what: "its weights",
        section: Section::Weights,
        violins: at_last_epoch(context, weight_values),
        draw: weight_values,
    }
}

/// The outputs of the layers that were captured, before an axis is chosen; `None` where none was.
pub fn activation_picture<'a>(context: &PlotContext<'a>) -> Option<Picture<'a>> {
    let epoch = count(context.epoch.epoch);
    let mut violins = at_last_epoch(context, activation_values);
    violins.retain(|v| v.layer.capture.activations.is_some());
    (!violins.is_empty()).then(|| Picture {
        name: "violin-activations".into(),
        title: format!("Activations, epoch {epoch}"),
        axis: format!("output after the nonlinearity, epoch {epoch}"),
        what: "its outputs after the nonlinearity, over the units and samples of one batch",
        section: Section::Activations,
        violins,
        draw: activation_values,
    })
}

/// The violins of all layers at the last captured epoch, in full detail.
fn at_last_epoch<'a>(
    context: &PlotContext<'a>,
    draw: fn(LayerView<'a>, OutlineDetail) -> Violin<'a>,
) -> Vec<Violin<'a>> {
    context.layers.iter().map(|layer| draw(*layer, OutlineDetail::Full)).collect()
}

fn gradient_magnitudes(layer: LayerView<'_>, detail: OutlineDetail) -> Violin<'_> {
    Violin::from_magnitudes(layer, layer.capture.weight_grad.as_ref(), "no gradient", detail)
}

fn gradient_values(layer: LayerView<'_>, detail: OutlineDetail) -> Violin<'_> {
    Violin::from_values(layer, layer.capture.weight_grad.as_ref(), "no gradient", detail)
}

fn weight_values(layer: LayerView<'_>, detail: OutlineDetail) -> Violin<'_> {
    Violin::from_values(layer, Some(&layer.capture.weight), "no weights", detail)
}

fn activation_values(layer: LayerView<'_>, detail: OutlineDetail) -> Violin<'_> {
    let outputs = layer.capture.activations.as_ref().map(|a| &a.post);
    Violin::from_values(layer, outputs, "not measured", detail)
}
