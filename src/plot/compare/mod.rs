//! Several runs in one picture: curves overlaid, norms over depth, violins on one axis.
//!
//! The same pictures as those of a single run, and made of the same parts: a new one is a function from
//! `Runs` to figures and a line in [`comparison`].

mod lines;
mod violins;

use std::collections::BTreeSet;

use crate::record::Record;

use super::figure::Figure;
use super::scene::Scene;
use super::text::clean;

/// A run among others.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// What people call it.
    pub label: &'a str,
    /// The same as part of a file's name; no two alike.
    pub file_name: &'a str,
    /// What was measured.
    pub record: &'a Record,
    /// Names of the layers that a finding is about.
    pub flagged: &'a BTreeSet<String>,
}

/// What all pictures of a comparison are made from: runs with a captured epoch.
struct Runs<'a>(Vec<Run<'a>>);

struct Run<'a> {
    label: String,
    file_name: &'a str,
    scene: Scene<'a>,
}

/// The pictures of a comparison, in the report's order; none of runs of which no epoch was captured.
///
/// `first_batches`: draw the loss of so many first batches as well.
pub fn comparison(runs: &[Compared], first_batches: Option<u64>) -> Vec<Figure> {
    let mut drawn = Vec::new();
    for Compared { label, file_name, record, flagged } in runs {
        drawn.extend(Scene::of(record, flagged).map(|scene| Run { label: clean(label), file_name, scene }));
    }
    let runs = Runs(drawn);
    if runs.0.is_empty() {
        return Vec::new();
    }
    let mut figures = vec![lines::loss(&runs), lines::score(&runs)];
    figures.extend(first_batches.map(|n| lines::first_batches(&runs, n)));
    figures.push(lines::norms(&runs));
    figures.extend(violins::gradients(&runs));
    figures.extend(violins::weights(&runs));
    figures.extend(violins::activations(&runs));
    figures
}
