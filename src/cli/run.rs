//! `gradscope run`: train, record, diagnose, report.

use std::path::PathBuf;

use anyhow::Context;
use gradscope::diagnose::{Diagnosis, Settings};
use gradscope::record::{Line, Outcome, Record, RecordError, Writer};
use gradscope::report::OutputDir;
use gradscope::train::{self, Config, Observer};

use super::args::{RunArgs, reproducible};
use super::findings::Findings;
use super::progress::Progress;
use super::render::{conclude, render};
use super::signals::Signals;
use super::{exit, resolve};

/// Everything is checked before anything is written; then the record grows while training goes.
pub fn run(args: &RunArgs, colours: bool) -> anyhow::Result<u8> {
    let findings = Findings::new(&args.findings)?;
    let config = resolve::config(args, reproducible(std::env::args_os()))?;
    let (given, force) = (&args.output.out, args.output.force);
    let directory = match given {
        Some(out) => OutputDir::check(out, force)?,
        // Whether it is there is seen when it is made.
        None => OutputDir::check(&default_directory(&config.model.name), true)?,
    };
    let signals = Signals::listen()?;
    let quiet = args.output.quiet;
    let trained = train(&config, directory, given.is_none(), &findings, &signals, quiet)?;
    conclude(&trained.record, &trained.diagnosis, &trained.directory, &args.output, colours)?;
    Ok(match trained.outcome {
        Outcome::Finished => findings.status(&trained.diagnosis),
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
    /// How it ended.
    pub outcome: Outcome,
}

/// Trains and records into the directory, diagnoses, and writes the report. `new`: the directory has a
/// name that was made up, so that one that is there belongs to another run.
pub fn train(
    config: &Config,
    directory: OutputDir,
    new: bool,
    findings: &Findings,
    signals: &Signals,
    quiet: bool,
) -> anyhow::Result<Trained> {
    let mut session = Session { directory, new, settings: &findings.settings, quiet, live: None };
    let trained = train::train(config, &mut session, &|| signals.asked());
    let Session { live, directory, .. } = session;
    if let Some(live) = &live {
        live.progress.finish();
    }
    let outcome = trained?;
    let record = live.context("training ended before it began")?.record;
    let diagnosis = render(&directory, &record, findings, || Ok(()))?;
    Ok(Trained { directory, record, diagnosis, outcome })
}

/// The exit status of a run that ended so.
pub fn status(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Finished => exit::DONE,
        Outcome::Interrupted => exit::INTERRUPTED,
        Outcome::Terminated => exit::TERMINATED,
    }
}

/// `reports/<model>-<time>`, in UTC so that names sort.
fn default_directory(model: &str) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    PathBuf::from("reports").join(format!("{model}-{now}"))
}

/// Listens to training: writes the record, keeps it, shows progress.
struct Session<'a> {
    directory: OutputDir,
    /// The directory has a name that was made up: one that is there belongs to another run.
    new: bool,
    settings: &'a Settings,
    quiet: bool,
    live: Option<Live>,
}

/// What there is once training has begun.
struct Live {
    writer: Writer,
    record: Record,
    progress: Progress,
}

impl Observer for Session<'_> {
    fn observe(&mut self, line: Line) -> Result<(), RecordError> {
        if let Line::Header(header) = line {
            let made = if self.new { self.directory.create_new() } else { self.directory.create() };
            let path = self.directory.record();
            made.map_err(|e| RecordError::Write { path: path.clone(), source: std::io::Error::other(e) })?;
            let writer = Writer::create(&path, &header)?;
            let progress = Progress::new(self.quiet, header.run.epochs, header.run.steps_per_epoch);
            self.live = Some(Live { writer, record: Record::new(*header), progress });
            return Ok(());
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
            path: self.directory.record(),
            source: std::io::Error::other(reason),
        })?;
        if captured {
            live.progress.epoch(&live.record, self.settings);
        }
        Ok(())
    }
}
