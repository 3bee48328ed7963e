//! The report of a run, before it is written.

use std::collections::BTreeSet;

use super::Summary;
use crate::diagnose::Diagnosis;
use crate::plot::{self, Figure, PlotContext};
use crate::record::Record;

/// A run with everything that is said and drawn of it: built once, and read by every format.
pub struct RunReport<'a> {
    pub(super) record: &'a Record,
    pub(super) diagnosis: &'a Diagnosis,
    pub(super) summary: Summary,
    /// Names of the layers that a finding is about.
    pub(super) flagged: BTreeSet<String>,
    /// The run as pictures need it; `None` where no epoch was captured.
    pub(super) context: Option<PlotContext<'a>>,
    pub(super) figures: Vec<Figure>,
}

impl<'a> RunReport<'a> {
    /// Sums up a run and draws all of its pictures.
    pub fn new(record: &'a Record, diagnosis: &'a Diagnosis) -> Self {
        let mut report = Self::with_figures(record, diagnosis, Vec::new());
        report.figures = report.context.as_ref().map(plot::figures).unwrap_or_default();
        report
    }

    /// Sums up a run, with these pictures.
    pub fn with_figures(record: &'a Record, diagnosis: &'a Diagnosis, figures: Vec<Figure>) -> Self {
        let flagged = diagnosis.flagged_layers();
        let context = PlotContext::new(record, &flagged);
        Self { record, diagnosis, summary: Summary::new(record, diagnosis), flagged, context, figures }
    }

    /// The verdict with the numbers behind it.
    pub fn into_summary(self) -> Summary {
        self.summary
    }
}
