//! Violins of every run, one picture a run, all on one axis.

use super::runs::Runs;
use crate::plot::draw::axis::Kind;
use crate::plot::figure::Figure;
use crate::plot::figures::violin::{self, Picture};

/// Of gradients: as magnitudes where the layers of any run are far apart, as values otherwise.
pub fn gradients(runs: &Runs) -> Vec<Figure> {
    let pictures: Vec<_> = runs.0.iter().map(|run| violin::gradient_pictures(&run.context)).collect();
    let log = pictures.iter().flatten().any(|[magnitudes, _]| violin::medians_far_apart(&magnitudes.violins));
    let pictures = pictures.into_iter().map(|pair| {
        let [magnitudes, values] = pair?;
        Some(if log { magnitudes } else { values })
    });
    on_one_axis(runs, pictures.collect(), if log { Kind::Log } else { Kind::Linear })
}

/// Draws the weights of every run.
pub fn weights(runs: &Runs) -> Vec<Figure> {
    let pictures = runs.0.iter().map(|run| Some(violin::weight_picture(&run.context)));
    on_one_axis(runs, pictures.collect(), Kind::Linear)
}

/// Of what layers put out.
pub fn activations(runs: &Runs) -> Vec<Figure> {
    let pictures = runs.0.iter().map(|run| violin::activation_picture(&run.context));
    on_one_axis(runs, pictures.collect(), Kind::Linear)
}

/// The first picture says how to read them, the others whose they are.
fn on_one_axis(runs: &Runs, pictures: Vec<Option<Picture<'_>>>, kind: Kind) -> Vec<Figure> {
    let there: Vec<&Picture> = pictures.iter().flatten().collect();
    let scale = violin::common_scale(&there, kind);
    let mut figures: Vec<Figure> = Vec::new();
    for (run, picture) in runs.0.iter().zip(pictures) {
        let Some(mut picture) = picture else { continue };
        picture.name = format!("{}-{}", picture.name, run.file_name);
        picture.title = format!("{}: {}", run.label, picture.title);
        picture.axis = format!("{}: {}", run.label, picture.axis);
        let first = figures.is_empty();
        let mut figure = picture.on(&run.context, &scale);
        figure.caption = if first {
            format!("{} The axis is the same for all variants.", figure.caption)
        } else {
            "On the same axis as the first.".into()
        };
        figures.push(figure);
    }
    figures
}
