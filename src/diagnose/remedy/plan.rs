//! A list of remedies in the making.

use super::change::Change;
use super::suggestion::Remedy;
use crate::diagnose::quantities::Quantities;
use crate::record::Run;

/// Remedies offered at most: a list that is tried from the top need not be long.
const MAX_REMEDIES: usize = 4;

/// Remedies in the making; nothing is suggested twice, nor what is set already.
pub struct Plan<'a> {
    pub run: &'a Run,
    pub q: &'a Quantities<'a>,
    remedies: Vec<Remedy>,
}

impl<'a> Plan<'a> {
    /// An empty list for this run.
    pub fn new(q: &'a Quantities<'a>) -> Self {
        Self { run: &q.record.header.run, q, remedies: Vec::new() }
    }

    /// Adds changes that are to be made at once, unless they stand in the list.
    pub fn add(&mut self, changes: impl Into<Vec<Change>>, why: impl Into<String>) {
        let changes = changes.into();
        if !self.remedies.iter().any(|r| r.changes == changes) {
            self.remedies.push(Remedy { changes, why: why.into() });
        }
    }

    /// The first of the list that the model can take.
    pub fn finish(mut self) -> Vec<Remedy> {
        if self.q.record.header.is_program() {
            self.remedies.retain(|r| !r.changes.iter().any(Change::is_of_described_model));
        }
        self.remedies.truncate(MAX_REMEDIES);
        self.remedies
    }
}
