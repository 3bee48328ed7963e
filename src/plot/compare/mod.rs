//! Several runs in one picture: curves overlaid, norms over depth, violins on one axis.
//!
//! The same pictures as those of a single run, and made of the same parts: a new one is a function from
//! `Runs` to figures and a line in [`comparison`].

mod curves;
mod violins;

use std::collections::BTreeSet;

use crate::record::Record;

use super::figure::Figure;
use super::lines::WIDEST_LABEL;
use super::scene::Scene;
use super::text::{clean, shorten};
use super::theme::PHONE_TEXT;

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
    /// The same with room at the end of a line; still no two alike.
    short: String,
    file_name: &'a str,
    scene: Scene<'a>,
}

/// The pictures of a comparison, in the report's order; none of runs of which no epoch was captured.
///
/// `first_batches`: draw the loss of so many first batches as well.
pub fn comparison(runs: &[Compared], first_batches: Option<u64>) -> Vec<Figure> {
    let mut drawn = Vec::new();
    for Compared { label, file_name, record, flagged } in runs {
        let run = |scene| Run { label: clean(label), short: String::new(), file_name, scene };
        drawn.extend(Scene::of(record, flagged).map(run));
    }
    let short = shorten(drawn.iter().map(|r| r.label.as_str()), PHONE_TEXT, WIDEST_LABEL);
    for (run, short) in drawn.iter_mut().zip(short) {
        run.short = short;
    }
    let runs = Runs(drawn);
    if runs.0.is_empty() {
        return Vec::new();
    }
    let mut figures = vec![curves::loss(&runs), curves::score(&runs)];
    figures.extend(first_batches.map(|n| curves::first_batches(&runs, n)));
    figures.push(curves::norms(&runs));
    figures.extend(violins::gradients(&runs));
    figures.extend(violins::weights(&runs));
    figures.extend(violins::activations(&runs));
    figures
}
