//! The progress of a run while it goes: a bar on a terminal, one plain line an epoch elsewhere.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use gradscope::cli::output;
use gradscope::diagnose::{Settings, Severity, diagnose};
use gradscope::record::{Record, Step};
use gradscope::text::number;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Share of the time so far that looking for the worst finding may take.
const DIAGNOSIS_SHARE: f64 = 0.05;

/// Where progress goes.
enum Display {
    Nowhere,
    Bar(ProgressBar),
    Lines,
}

/// Shows progress on standard error.
pub struct Progress {
    place: Display,
    epochs: u64,
    steps_per_epoch: u64,
    worst: String,
    started: Instant,
    diagnosing: Duration,
}

impl Progress {
    /// Shows nothing.
    pub fn hidden() -> Self {
        Self::on(Display::Nowhere, 0, 0)
    }

    /// Shows a run of this many epochs and steps an epoch.
    pub fn new(epochs: u64, steps_per_epoch: u64) -> Self {
        let place = if io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(
                Some(epochs.saturating_mul(steps_per_epoch)),
                ProgressDrawTarget::stderr(),
            );
            // The template is a constant; one that did not parse would fall back to the default bar.
            if let Ok(style) = ProgressStyle::with_template("{bar:12} {wide_msg}") {
                bar.set_style(style);
            }
            Display::Bar(bar)
        } else {
            Display::Lines
        };
        Self::on(place, epochs, steps_per_epoch)
    }

    fn on(place: Display, epochs: u64, steps_per_epoch: u64) -> Self {
        let (started, diagnosing) = (Instant::now(), Duration::ZERO);
        Self { place, epochs, steps_per_epoch, worst: "none so far".into(), started, diagnosing }
    }

    /// After a step (or the last of several).
    pub fn step(&self, step: &Step) {
        if let Display::Bar(bar) = &self.place {
            bar.set_position(step.step + step.steps);
            bar.set_message(self.message(step.epoch, step.loss.last));
        }
    }

    /// After a captured epoch, with everything until then.
    pub fn epoch(&mut self, record: &Record, settings: &Settings) {
        let Some(epoch) = record.epochs.last() else { return };
        if matches!(self.place, Display::Nowhere) {
            return;
        }
        self.look_for_the_worst(record, settings);
        match &self.place {
            Display::Bar(bar) => {
                bar.set_position((epoch.epoch + 1).saturating_mul(self.steps_per_epoch));
                bar.set_message(self.message(epoch.epoch, epoch.train_loss));
            }
            Display::Lines => {
                let dev = epoch.dev_score.map_or(String::new(), |s| format!("  dev score {}", number(s)));
                output::note(&format!(
                    "{}  train score {}{dev}",
                    self.message(epoch.epoch, epoch.train_loss),
                    number(epoch.train_score),
                ));
            }
            Display::Nowhere => {}
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Display::Bar(bar) = &self.place {
            bar.finish_and_clear();
        }
    }

    fn message(&self, epoch: u64, loss: f64) -> String {
        format!("epoch {}/{}  loss {}  worst: {}", epoch + 1, self.epochs, number(loss), self.worst)
    }

    /// A diagnosis costs the more the longer the run: it is skipped while it would slow the run down.
    fn look_for_the_worst(&mut self, record: &Record, settings: &Settings) {
        if record.epochs.len() > 1
            && self.diagnosing.as_secs_f64() > DIAGNOSIS_SHARE * self.started.elapsed().as_secs_f64()
        {
            return;
        }
        let start = Instant::now();
        let diagnosis = diagnose(record, settings);
        self.worst = match diagnosis.findings.iter().find(|f| f.severity > Severity::Info) {
            None => "none so far".into(),
            Some(f) => f.layer.as_ref().map_or(f.rule.clone(), |layer| format!("{} at {layer}", f.rule)),
        };
        self.diagnosing += start.elapsed();
    }
}
