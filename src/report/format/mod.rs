//! The verdict of a run as one file for another program: a pipeline, a spreadsheet, a notebook.
//!
//! Every format is a function from the same [`Subject`] to text. A new one is a module and a line in
//! [`FORMATS`].

mod csv;
mod github;
mod gitlab;
mod junit;
mod markdown;
mod vega;

use std::collections::BTreeSet;
use std::path::Path;

use super::{ReportError, Summary};
use crate::diagnose::Finding;
use crate::text::number;

/// What every format is made from.
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
    fn findings(&self) -> Vec<(&'a Finding, bool)> {
        let all = self.summary.findings.iter().enumerate();
        let mut sorted: Vec<_> = all.map(|(i, f)| (f, self.known.contains(&i))).collect();
        sorted.sort_by_key(|(f, _)| f.rank());
        sorted
    }

    /// The findings that are not known yet, in the same order.
    fn new_findings(&self) -> impl Iterator<Item = &'a Finding> {
        self.findings().into_iter().filter(|(_, known)| !known).map(|(f, _)| f)
    }
}

/// An output format.
#[derive(Debug)]
pub struct Format {
    /// As `--output` spells it.
    pub name: &'static str,
    /// What it is for, in a line.
    pub what: &'static str,
    /// Whether it tells of findings, of which some may be known, or of one run as it is.
    pub of_findings: bool,
    text: fn(&Subject) -> Result<String, ReportError>,
}

/// Every output format.
pub const FORMATS: [Format; 7] = [
    Format {
        name: "junit",
        what: "a test case a layer and rule, for any CI that shows tests",
        of_findings: true,
        text: junit::text,
    },
    Format {
        name: "github",
        what: "annotations of a GitHub workflow",
        of_findings: true,
        text: github::text,
    },
    Format {
        name: "markdown",
        what: "a verdict and a table, for a step summary or a comment",
        of_findings: true,
        text: markdown::text,
    },
    Format { name: "gitlab", what: "a code quality report of GitLab", of_findings: true, text: gitlab::text },
    Format {
        name: "csv",
        what: "the numbers of every layer at every epoch",
        of_findings: false,
        text: csv::text,
    },
    Format { name: "vega", what: "the norms as a Vega-Lite picture", of_findings: false, text: vega::text },
    Format {
        name: "json",
        what: "summary.json",
        of_findings: false,
        text: |subject| subject.summary.to_json(),
    },
];

impl Format {
    /// The format of this name.
    pub fn named(name: &str) -> Option<&'static Format> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// The whole file.
    ///
    /// # Errors
    /// [`ReportError`], which no subject is known to cause.
    pub fn text(&self, subject: &Subject) -> Result<String, ReportError> {
        (self.text)(subject)
    }
}

/// The number behind a finding against its limit: "share of units that never fired: 1 (limit 1)".
fn measured(finding: &Finding) -> String {
    format!("{}: {} (limit {})", finding.quantity, number(finding.value), number(finding.threshold))
}

/// A text of at most so many characters, with an ellipsis where it was cut.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
