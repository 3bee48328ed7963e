//! One run: trained, recorded, diagnosed, reported.

use std::{fs, io};

use anyhow::Context;
use gradscope::cli::input::findings::Findings;
use gradscope::cli::output;
use gradscope::cli::output::conclusion::render;
use gradscope::cli::output::exit;
use gradscope::diagnose::{Diagnosis, Settings};
use gradscope::record::{Compression, Header, Line, Outcome, Record, RecordError, Writer};
use gradscope::report::{OutputDir, Summary};
use gradscope::train::{self, Checkpoint, Config, Observer};

use crate::input::resume::PreviousRun;
use crate::progress::Progress;
use crate::signals::Signals;

/// The result of a run whose report is written.
pub struct Trained {
    /// Where everything is.
    pub directory: OutputDir,
    /// The measurements.
    pub record: Record,
    /// The diagnosis of the record.
    pub diagnosis: Diagnosis,
    /// Both in one document.
    pub summary: Summary,
    /// How it ended.
    pub outcome: Outcome,
}

/// Where the name of a report directory comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DirectoryName {
    /// From the command line: what an earlier run left there is replaced.
    Given,
    /// From the time: a directory that is there belongs to another run.
    MadeUp,
}

/// The surroundings of a run, the same for all runs of a command.
pub struct RunContext<'a> {
    /// Rules and thresholds.
    pub findings: &'a Findings,
    /// The signals that stop it.
    pub signals: &'a Signals,
    /// Shows no progress.
    pub quiet: bool,
}

/// Trains, or goes on with an earlier run, and records into the directory; diagnoses, and writes the
/// report.
pub fn train(
    config: &Config,
    earlier: Option<&PreviousRun>,
    directory: OutputDir,
    name: DirectoryName,
    how: &RunContext,
) -> anyhow::Result<Trained> {
    let mut session = Session {
        directory,
        packing: config.packing,
        name,
        settings: &how.findings.settings,
        quiet: how.quiet,
        earlier: earlier.map(|e| &e.record),
        live: None,
    };
    let trained = match earlier {
        None => train::train(config, &mut session, &|| how.signals.asked()),
        Some(earlier) => {
            train::resume(config, &earlier.state, &earlier.record, &mut session, &|| how.signals.asked())
        }
    };
    let Session { live, directory, .. } = session;
    if let Some(live) = &live {
        live.progress.finish();
    }
    let outcome = trained?;
    let record = live.context("training ended before it began")?.record;
    let (diagnosis, summary) = render(&directory, &record, how.findings, || Ok(()))?;
    Ok(Trained { directory, record, diagnosis, summary, outcome })
}

/// The exit status of a run that ended so.
pub fn status(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Finished => exit::DONE,
        Outcome::Interrupted => exit::INTERRUPTED,
        Outcome::Terminated => exit::TERMINATED,
    }
}

/// Listens to training: writes the record, keeps it, shows progress.
struct Session<'a> {
    directory: OutputDir,
    /// How the record is compressed.
    packing: Compression,
    name: DirectoryName,
    settings: &'a Settings,
    quiet: bool,
    /// The record that a resumed run goes on with.
    earlier: Option<&'a Record>,
    live: Option<Live>,
}

/// The writer, the record so far and the progress, once training has begun.
struct Live {
    writer: Writer,
    record: Record,
    progress: Progress,
}

impl Session<'_> {
    fn begin(&mut self, header: Header) -> Result<(), RecordError> {
        let path = self.directory.record(self.packing);
        let made = match self.name {
            DirectoryName::MadeUp => self.directory.create_new(),
            DirectoryName::Given => self.directory.create(),
        };
        made.map_err(|e| RecordError::Write { path: path.clone(), source: io::Error::other(e) })?;
        let path = self.directory.record(self.packing);
        let writer = Writer::create(&path, &header)?;
        let only = self.directory.keep_only(self.packing);
        only.map_err(|e| RecordError::Write { path, source: io::Error::other(e) })?;
        // They are of the run whose record has just been replaced.
        for name in [train::MODEL_FILE, train::STATE_FILE] {
            let stale = self.directory.path().join(name);
            if train::is_own_checkpoint(&stale) {
                fs::remove_file(&stale).map_err(|source| RecordError::Write { path: stale, source })?;
            }
        }
        self.live = Some(self.live(writer, Record::new(header)));
        Ok(())
    }

    fn live(&self, writer: Writer, record: Record) -> Live {
        let run = &record.header.run;
        let progress = match self.quiet {
            true => Progress::hidden(),
            false => Progress::new(run.training.epochs, run.steps_per_epoch),
        };
        Live { writer, record, progress }
    }
}

impl Observer for Session<'_> {
    fn observe(&mut self, line: Line) -> Result<(), RecordError> {
        if let Line::Header(header) = line {
            return self.begin(*header);
        }
        // Training sends the header first.
        let Some(live) = &mut self.live else { return Ok(()) };
        live.writer.write(&line)?;
        if let Line::Step(step) = &line {
            live.progress.step(step);
        }
        let captured = matches!(line, Line::Epoch(_));
        // Refused lines would be a defect of the trainer, but no reason to panic.
        live.record.push(line).map_err(|reason| RecordError::Write {
            path: self.directory.record(self.packing),
            source: io::Error::other(reason),
        })?;
        if captured {
            live.progress.epoch(&live.record, self.settings);
        }
        Ok(())
    }

    fn resume(&mut self, header: Header, steps: u64, epochs: u64) -> Result<(), RecordError> {
        let writer = Writer::resume(&self.directory.record(self.packing), &header, steps, epochs)?;
        let record = match self.earlier {
            Some(earlier) => earlier.prefix(header, steps, epochs),
            None => Record::new(header),
        };
        self.live = Some(self.live(writer, record));
        Ok(())
    }

    fn note(&mut self, text: &str) {
        output::note(&format!("note: {text}"));
    }

    fn keep(&mut self, name: &str, content: &Checkpoint) -> Result<(), RecordError> {
        // What is kept must not be ahead of the record.
        if let Some(live) = &mut self.live {
            live.writer.sync()?;
        }
        self.directory
            .put(name, |out| content.write(out))
            .map_err(|source| RecordError::Write { path: self.directory.path().join(name), source })
    }
}
