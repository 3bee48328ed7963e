//! Every picture of a comparison, in the report's order.

use super::runs::{Compared, Runs};
use super::{curves, norms, violins};
use crate::plot::figure::Figure;

/// The pictures of a comparison, in the report's order; none of runs of which no epoch was captured.
///
/// `first_batches`: draw the loss of so many first batches as well.
pub fn comparison(runs: &[Compared], first_batches: Option<u64>) -> Vec<Figure> {
    let runs = Runs::new(runs);
    if runs.0.is_empty() {
        return Vec::new();
    }
    let mut figures = vec![curves::loss(&runs), curves::score(&runs)];
    figures.extend(first_batches.map(|n| curves::first_batches(&runs, n)));
    figures.push(norms::norms(&runs));
    figures.extend(violins::gradients(&runs));
    figures.extend(violins::weights(&runs));
    figures.extend(violins::activations(&runs));
    figures
}
