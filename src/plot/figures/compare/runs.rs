//! The runs that are compared, as their pictures need them.

use std::collections::BTreeSet;

use crate::plot::context::PlotContext;
use crate::plot::draw::lines::{ChartLine, WIDEST_LABEL};
use crate::plot::draw::text::{clean, shorten};
use crate::plot::draw::theme::{ColorRole, PHONE_TEXT};
use crate::record::Record;

/// The points of a curve: (epoch, batch or depth; value), ascending.
pub type Points = Vec<(f64, f64)>;

/// A run among others.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// Its name for people.
    pub label: &'a str,
    /// The same as part of a file's name; no two alike.
    pub file_name: &'a str,
    /// The run itself.
    pub record: &'a Record,
    /// Names of the layers that a finding is about.
    pub flagged: &'a BTreeSet<String>,
}

/// The runs with a captured epoch: all pictures of a comparison are made from them.
pub struct Runs<'a>(pub Vec<Run<'a>>);

/// One of the runs.
pub struct Run<'a> {
    /// Its name for people.
    pub label: String,
    /// The same with room at the end of a line; still no two alike.
    pub short: String,
    /// The same as part of a file's name.
    pub file_name: &'a str,
    /// The run, ready to be drawn.
    pub context: PlotContext<'a>,
}

impl<'a> Runs<'a> {
    /// Those of the runs that have a captured epoch.
    pub fn new(runs: &[Compared<'a>]) -> Self {
        let mut drawn = Vec::new();
        for Compared { label, file_name, record, flagged } in runs {
            let Some(context) = PlotContext::new(record, flagged) else { continue };
            drawn.push(Run { label: clean(label), short: String::new(), file_name, context });
        }
        let short = shorten(drawn.iter().map(|r| r.label.as_str()), PHONE_TEXT, WIDEST_LABEL);
        for (run, short) in drawn.iter_mut().zip(short) {
            run.short = short;
        }
        Self(drawn)
    }
}

impl Run<'_> {
    /// The line of this run, the n-th of all.
    pub fn line(&self, n: usize, points: Points, tooltip: String) -> ChartLine {
        ChartLine {
            label: self.short.clone(),
            label_color: ColorRole::series(n),
            color: ColorRole::series(n),
            mark: n,
            points,
            alarming: Vec::new(),
            layer: None,
            tooltip,
        }
    }
}
