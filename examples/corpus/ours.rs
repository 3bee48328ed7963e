//! What gradscope says of a record, after every captured epoch and at the end.

use gradscope::diagnose::{Settings, Severity, Verdict, diagnose};
use gradscope::record::{Line, Record};
use serde::Serialize;

/// A finding of at least a warning.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Said {
    pub rule: String,
    pub error: bool,
    pub root: bool,
    pub layer: Option<String>,
    pub first_epoch: u64,
}

/// What is said when so many epochs are known.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Epochs trained by then.
    pub after: u64,
    pub verdict: Verdict,
    pub said: Vec<Said>,
}

fn ask(record: &Record) -> Asked {
    let diagnosis = diagnose(record, &Settings::default());
    let told = diagnosis.findings.into_iter().filter(|f| f.severity > Severity::Info);
    Asked {
        after: record.epochs.last().map_or(0, |e| e.epoch + 1),
        verdict: diagnosis.verdict,
        said: told
            .map(|f| Said {
                rule: f.rule,
                error: f.severity == Severity::Error,
                root: f.root,
                layer: f.layer,
                first_epoch: f.first_epoch,
            })
            .collect(),
    }
}

/// Asks after every captured epoch, as if the run were in progress then (without the end, and without
/// the steps that came after it), and at last about the whole record.
pub fn ask_along(record: &Record) -> Vec<Asked> {
    let mut known = Record::new(record.header.clone());
    let mut steps = record.steps.iter().peekable();
    let mut asked = Vec::new();
    for epoch in &record.epochs {
        while let Some(step) = steps.next_if(|s| s.step + s.steps <= epoch.step + 1) {
            known.push(Line::Step(step.clone())).expect("a step of a record that was read");
        }
        known.push(Line::Epoch(epoch.clone())).expect("an epoch of a record that was read");
        asked.push(ask(&known));
    }
    asked.push(ask(record));
    asked
}
