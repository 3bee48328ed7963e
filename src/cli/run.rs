//! `gradscope run`: train, record, diagnose, report.

use std::{fs, io};

use anyhow::Context;
use gradscope::diagnose::{Diagnosis, Settings};
use gradscope::record::{Compression, Header, Line, Outcome, Record, RecordError, Writer};
use gradscope::report::{OutputDir, Summary};
use gradscope::train::{self, Checkpoint, Config, Observer};

use super::args::{RunArgs, reproducible};
use super::findings::Findings;
use super::progress::Progress;
use super::render::{Wanted, conclude, default_directory, open_targets, render};
use super::resume::{self, Earlier};
use super::signals::Signals;
use super::{config, exit, output, resolve, source};

/// Everything is checked before anything is written; then the record grows while training goes.
pub fn run(args: &RunArgs, colours: bool) -> anyhow::Result<u8> {
    if args.show_config {
        output::print(&config::shown()?)?;
        return Ok(exit::DONE);
    }
    let mut finding_args = args.flags.findings.clone();
    let (config, earlier) = match &args.resume {
        None => (resolve::config(args, reproducible(config::words()))?, None),
        Some(directory) => {
            let (config, earlier) = resume::config(directory, &args.flags.length)?;
            finding_args.fall_back_to(&earlier.findings);
            (config, Some(earlier))
        }
    };
    let findings = Findings::new(&finding_args)?;
    let given = args.output.out.as_ref().or(args.resume.as_ref());
    let directory = match given {
        Some(out) => OutputDir::check(out, args.output.force)?,
        // Whether it is there is seen when it is made.
        None => OutputDir::check(&default_directory(config.model.name()), true)?,
    };
    let targets = open_targets(&args.targets, &args.output, &[&directory.record(config.packing)])?;
    let baseline = source::baseline(args.baseline.as_ref(), &findings)?;
    let signals = Signals::listen()?;
    let how = How { findings: &findings, signals: &signals, quiet: args.output.quiet };
    let trained = train(&config, earlier.as_ref(), directory, given.is_none(), &how)?;
    let record = trained.directory.record(config.packing);
    let baseline = baseline.as_ref();
    let wanted =
        Wanted { args: &args.output, targets: &targets, directory: &trained.directory, baseline, colours };
    let new = conclude(&trained.record, &trained.diagnosis, &trained.summary, &record, &wanted)?;
    Ok(match trained.outcome {
        Outcome::Finished => findings.status_of(&new),
        stopped => status(stopped),
    })
}

/// What came of a run whose report is written.
pub struct Trained {
    /// Where everything is.
    pub directory: OutputDir,
    /// What was measured.
    pub record: Record,
    /// What it means.
    pub diagnosis: Diagnosis,
    /// Both in one document.
    pub summary: Summary,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a run needs beside what it is to train.
pub struct How<'a> {
    /// Rules and thresholds.
    pub findings: &'a Findings,
    /// What may stop it.
    pub signals: &'a Signals,
    /// No progress.
    pub quiet: bool,
}

/// Trains, or goes on with an earlier run, and records into the directory; diagnoses, and writes the
/// report. `new`: the directory has a name that was made up, so that one that is there belongs to
/// another run.
pub fn train(
    config: &Config,
    earlier: Option<&Earlier>,
    directory: OutputDir,
    new: bool,
    how: &How,
) -> anyhow::Result<Trained> {
    let mut session = Session {
        directory,
        packing: config.packing,
        new,
        settings: &how.findings.settings,
        quiet: how.quiet,
        earlier: earlier.map(|e| &e.record),
        live: None,
    };
    let stop = || how.signals.asked();
    let trained = match earlier {
        None => train::train(config, &mut session, &stop),
        Some(earlier) => train::resume(config, &earlier.state, &earlier.record, &mut session, &stop),
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
    /// The directory has a name that was made up: one that is there belongs to another run.
    new: bool,
    settings: &'a Settings,
    quiet: bool,
    /// The record that a resumed run goes on with.
    earlier: Option<&'a Record>,
    live: Option<Live>,
}

/// What there is once training has begun.
struct Live {
    writer: Writer,
    record: Record,
    progress: Progress,
}

impl Session<'_> {
    fn begin(&mut self, header: Header) -> Result<(), RecordError> {
        let path = self.directory.record(self.packing);
        let made = if self.new { self.directory.create_new() } else { self.directory.create() };
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
        let progress = Progress::new(self.quiet, run.epochs, run.steps_per_epoch);
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
