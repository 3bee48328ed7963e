//! The run that a format tells of, and the parts of text that formats share.

use std::collections::BTreeSet;
use std::path::Path;

use crate::diagnose::Finding;
use crate::report::{ReportError, Summary};
use crate::text::number;

/// A run with its findings: every format is made from it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The run, and what is said about it.
    pub summary: &'a Summary,
    /// The file that was diagnosed, as the caller named it.
    pub source: &'a Path,
    /// Findings (by their index) that are known and accepted: told as such where a format can, and
    /// otherwise left out where one would act on them.
    pub known: &'a BTreeSet<usize>,
}

impl<'a> Subject<'a> {
    /// The findings with whether each is known: worst first, causes before what follows from them.
    pub(super) fn findings(&self) -> Vec<(&'a Finding, bool)> {
        let all = self.summary.findings.iter().enumerate();
        let mut sorted: Vec<_> = all.map(|(i, f)| (f, self.known.contains(&i))).collect();
        sorted.sort_by_key(|(f, _)| f.rank());
        sorted
    }

    /// The findings that are not known yet, in the same order.
    pub(super) fn new_findings(&self) -> impl Iterator<Item = &'a Finding> {
        self.findings().into_iter().filter(|(_, known)| !known).map(|(f, _)| f)
    }
}

/// An output format.
#[derive(Debug)]
pub struct Format {
    /// As `--output` spells it.
    pub name: &'static str,
    /// Its purpose, in a line.
    pub what: &'static str,
    /// Whether it tells of findings, of which some may be known, or of one run as it is.
    pub of_findings: bool,
    pub(super) text: fn(&Subject) -> Result<String, ReportError>,
}

impl Format {
    /// The whole file.
    ///
    /// # Errors
    /// [`ReportError`], which no subject is known to cause.
    pub fn text(&self, subject: &Subject) -> Result<String, ReportError> {
        (self.text)(subject)
    }
}

/// The number behind a finding against its limit: "share of units that never fired: 1 (limit 1)".
pub(super) fn measured(finding: &Finding) -> String {
    format!("{}: {} (limit {})", finding.quantity, number(finding.value), number(finding.threshold))
}

/// A text of at most so many characters, with an ellipsis where it was cut.
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
