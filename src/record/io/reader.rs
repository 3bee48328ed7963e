//! Reads a record back, trusting nothing in it.

use std::path::Path;
use std::{fmt, io};

use serde::Deserialize;

use super::compression::{self, Compression};
use super::error::RecordError;
use super::memory_budget::MemoryBudget;
use super::plausible::{MAX_COUNT, implausible};
use crate::record::{End, Epoch, Header, LayerCapture, Line, SCHEMA, Step, in_full};
use crate::text::counted;

/// Longest line that is read, in bytes: a captured epoch of a thousand wide layers is far below it.
const LONGEST_LINE: u64 = 128 << 20;

/// A whole run in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The header, which says what was run.
    pub header: Header,
    /// Points of the step curves, in order.
    pub steps: Vec<Step>,
    /// Captured epochs, in order.
    pub epochs: Vec<Epoch>,
    /// How it ended; `None` where it was killed.
    pub end: Option<End>,
    /// The budget of memory, and what was left out to stay within it.
    pub held: MemoryBudget,
}

/// Something about a record that its reader should know, though it is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The last line was cut, as a killed run leaves it, and is skipped.
    CutLastLine {
        /// Its number, from 1.
        line: u64,
    },
    /// It is too large to be held, and was thinned while it was read.
    Thinned {
        /// Points of step curves that were joined with others.
        steps: u64,
        /// Captured epochs that were left out.
        epochs: u64,
    },
    /// Compressed data ends without its end, as a killed run leaves it.
    CutPacked,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutLastLine { line } => write!(f, "line {line}, the last, is cut short and was skipped"),
            Self::Thinned { steps, epochs } => {
                let joined = (*steps > 0)
                    .then(|| format!("{} of its step curves joined with others", counted(*steps, "point")));
                let left_out =
                    (*epochs > 0).then(|| format!("{} left out", counted(*epochs, "captured epoch")));
                let what: Vec<_> = joined.into_iter().chain(left_out).collect();
                write!(f, "it is too large to be held whole: {}", what.join(", and "))
            }
            Self::CutPacked => {
                f.write_str("the compressed data is cut short; the lines until there were read")
            }
        }
    }
}

impl Record {
    /// The captured epoch that tells how things stand: the last whole one, else the last.
    pub fn shown_epoch(&self) -> Option<&Epoch> {
        self.epochs.iter().rfind(|e| !e.partial).or(self.epochs.last())
    }

    /// Whole epochs that it is known to hold. Of a run without an end these need not be captured: epochs
    /// are ever more rarely, but steps are always there.
    pub fn epochs_done(&self) -> u64 {
        let captured = self.epochs.iter().rfind(|e| !e.partial).map_or(0, |e| e.epoch + 1);
        let seen = || captured.max(self.steps.last().map_or(0, |s| s.epoch));
        self.end.as_ref().map_or_else(seen, |end| end.epochs_done)
    }

    /// The name of the file that an epoch stands for, in a record of weights alone.
    pub fn file_of(&self, epoch: u64) -> &str {
        let found = self.epochs.iter().find(|e| e.epoch == epoch);
        found.and_then(|e| e.source.as_deref()).unwrap_or("the checkpoint")
    }

    /// An empty record of this run.
    pub fn new(header: Header) -> Self {
        Self { header, steps: Vec::new(), epochs: Vec::new(), end: None, held: MemoryBudget::default() }
    }

    /// Returns the prefix of this record from which a run goes on, from so many lines of steps and of epochs.
    pub fn prefix(&self, header: Header, steps: u64, epochs: u64) -> Self {
        let mut record = Self::new(header);
        record.steps.extend(self.steps.iter().take(steps as usize).cloned());
        record.epochs.extend(self.epochs.iter().take(epochs as usize).cloned());
        // It was kept in full as the last one.
        if let Some(last) =
            record.epochs.last_mut().filter(|_| !in_full(epochs - 1, self.header.layers.len()))
        {
            last.compact();
        }
        record
    }

    /// Takes in the next line. The same check for a run in progress and for a file.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub fn push(&mut self, line: Line) -> Result<(), String> {
        if self.end.is_some() {
            return Err("a line follows the \"end\" line, which should be the last".into());
        }
        match line {
            Line::Header(_) => return Err("a second header: a record holds one run".into()),
            Line::Step(step) => self.push_step(step)?,
            Line::Epoch(epoch) => self.push_epoch(epoch)?,
            Line::End(end) => {
                check_counts(&[end.epochs_done, end.steps_done])?;
                let implausible = end.boundary.as_ref().and_then(|b| b.implausible(&self.header));
                if let Some(reason) = implausible {
                    return Err(reason);
                }
                self.end = Some(end);
            }
        }
        Ok(())
    }

    fn push_step(&mut self, mut step: Step) -> Result<(), String> {
        self.check_layers(step.layers.len())?;
        self.check_capture(step.capture.as_deref())?;
        let next = self.steps.last().map_or(0, |s| s.step + s.steps);
        check_counts(&[step.step, step.steps, step.epoch])?;
        if step.step < next || step.steps == 0 {
            return Err(format!("step {} is out of order (the next is {next})", step.step));
        }
        // What comes after the first is its consequence, and there may be any number of it.
        step.non_finite = step.non_finite.filter(|_| !self.held.broken);
        self.held.broken |= step.non_finite.is_some();
        self.steps.push(step);
        self.held.bound(&mut self.steps, &mut self.epochs);
        Ok(())
    }

    fn push_epoch(&mut self, epoch: Epoch) -> Result<(), String> {
        self.check_capture(Some(&epoch.layers))?;
        check_counts(&[epoch.epoch, epoch.step])?;
        if self.epochs.last().is_some_and(|e| e.epoch >= epoch.epoch) {
            return Err(format!("epoch {} is out of order", epoch.epoch));
        }
        if let Some(baseline) = &epoch.baseline {
            self.header.data.baseline_loss = baseline.reliable_loss();
        }
        self.epochs.push(epoch);
        self.held.bound(&mut self.steps, &mut self.epochs);
        Ok(())
    }

    fn check_layers(&self, found: usize) -> Result<(), String> {
        let expected = self.header.layers.len();
        // None at all: nothing was measured of them.
        if found == expected || found == 0 {
            Ok(())
        } else {
            Err(format!("it has {found} layers where the header has {expected}"))
        }
    }

    fn check_capture(&self, capture: Option<&[LayerCapture]>) -> Result<(), String> {
        let Some(capture) = capture else { return Ok(()) };
        self.check_layers(capture.len())?;
        self.header.layers.iter().zip(capture).try_for_each(|(layer, captured)| captured.check(layer))
    }

    /// Reads a record. A last line that was cut short is skipped, with a warning.
    ///
    /// # Errors
    /// [`RecordError`], naming the line, where anything else cannot be read.
    pub fn read(path: &Path) -> Result<(Self, Vec<Warning>), RecordError> {
        let corrupt = |line, reason: String| RecordError::Corrupt { path: path.into(), line, reason };
        let mut reader =
            compression::open(path).map_err(|source| RecordError::Read { path: path.into(), source })?;
        let packed = Compression::from_path(path) != Compression::None;
        let mut text = Vec::new();
        let mut record: Option<Record> = None;
        let mut warnings = Vec::new();
        let mut cut = false;
        for number in 1.. {
            text.clear();
            match reader.line(&mut text, LONGEST_LINE + 1) {
                Ok(_) => {}
                // What a killed run leaves of a compressed record.
                Err(error) if packed && error.kind() == io::ErrorKind::UnexpectedEof => cut = true,
                Err(source) if packed => {
                    return Err(RecordError::Packed { path: path.into(), line: number, source });
                }
                Err(source) => return Err(RecordError::Read { path: path.into(), source }),
            }
            if text.is_empty() {
                break;
            }
            if text.len() as u64 > LONGEST_LINE {
                return Err(corrupt(number, format!("longer than {} MiB", LONGEST_LINE >> 20)));
            }
            match &mut record {
                None => record = Some(Record::new(parse_header(path, &text)?)),
                Some(_) if text.iter().all(u8::is_ascii_whitespace) => {}
                Some(record) => match serde_json::from_slice::<Line>(&text) {
                    Ok(line) => record.push(line).map_err(|reason| corrupt(number, reason))?,
                    // Only a line without its newline can have been cut.
                    Err(_) if text.last() != Some(&b'\n') => {
                        warnings.push(Warning::CutLastLine { line: number });
                    }
                    Err(error) => return Err(corrupt(number, json_reason(&error))),
                },
            }
        }
        let record = record.ok_or_else(|| RecordError::Empty { path: path.into() })?;
        if record.held.is_less() {
            warnings.push(Warning::Thinned { steps: record.held.steps, epochs: record.held.epochs });
        }
        if cut && !warnings.iter().any(|w| matches!(w, Warning::CutLastLine { .. })) {
            warnings.push(Warning::CutPacked);
        }
        Ok((record, warnings))
    }
}

fn check_counts(counts: &[u64]) -> Result<(), String> {
    let plausible = counts.iter().all(|count| *count <= MAX_COUNT);
    if plausible { Ok(()) } else { Err("a count in it is too large to be true".into()) }
}

fn parse_header(path: &Path, text: &[u8]) -> Result<Header, RecordError> {
    #[derive(Deserialize)]
    struct Peek {
        kind: Option<String>,
        schema: Option<String>,
    }
    let missing = |reason: String| RecordError::NoHeader { path: path.into(), reason };
    let peek: Peek = serde_json::from_slice(text).map_err(|e| missing(json_reason(&e)))?;
    if peek.kind.as_deref() != Some("header") {
        let found = peek.kind.map_or("it names no kind".into(), |k| format!("its kind is {k:?}"));
        return Err(missing(found));
    }
    match peek.schema {
        Some(schema) if schema == SCHEMA => {}
        found => return Err(RecordError::Schema { path: path.into(), found: found.unwrap_or_default() }),
    }
    match serde_json::from_slice(text) {
        Ok(Line::Header(header)) => match implausible(&header) {
            Some(reason) => Err(missing(reason)),
            None => Ok(*header),
        },
        Ok(_) => Err(missing("it is of another kind".into())),
        Err(error) => Err(missing(json_reason(&error))),
    }
}

/// serde_json's message with its column, without the line number, which is always 1.
fn json_reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or(&message);
    match error.column() {
        _ if error.is_eof() => "it is cut short".into(),
        // What serde finds wrong with a value that it has read whole has no column.
        0 => format!("not readable: {what}"),
        column => format!("not readable at column {column}: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Baseline, NonFinite};

    #[test]
    fn a_baseline_that_was_found_in_the_run_is_taken_until_it_is_withdrawn() {
        let mut header = crate::testing::header(vec![]);
        header.data.baseline_loss = f64::NAN;
        let mut record = Record::new(header);
        let found =
            |loss, withdrawn| Some(Baseline { loss, source: "targets".into(), explained: 1.0, withdrawn });
        let baselines = [None, found(0.5, false), None, found(-1.0, false), found(0.5, true)];
        let taken: Vec<f64> = (0..)
            .zip(baselines)
            .map(|(epoch, baseline)| {
                let line = Epoch { baseline, ..Epoch::new(epoch, epoch) };
                record.push(Line::Epoch(line)).unwrap();
                record.header.data.baseline_loss
            })
            .collect();
        assert_eq!(taken[1..3], [0.5, 0.5]);
        assert!([0, 3, 4].iter().all(|i| taken[*i].is_nan()), "{taken:?}");
    }

    #[test]
    fn only_the_first_non_finite_value_is_kept() {
        let path = crate::testing::fixture("records/relu5-dead.jsonl");
        let (small, _) = Record::read(&path).unwrap();
        let mut record = Record::new(small.header.clone());
        for i in 0..5 {
            let mut step = small.steps[0].clone();
            (step.step, step.capture) = (i, None);
            step.non_finite = (i > 1).then(|| NonFinite { stage: "loss".into(), layer: None });
            record.push(Line::Step(step)).unwrap();
        }
        let broken: Vec<bool> = record.steps.iter().map(|s| s.non_finite.is_some()).collect();
        assert_eq!(broken, [false, false, true, false, false]);
    }
}
