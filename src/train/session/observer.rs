//! Whoever listens to a run.

use super::checkpoint::Checkpoint;
use crate::record::{Header, Line, Outcome, RecordError};

/// Whoever wants to know what happens: writes it, diagnoses it, shows it.
pub trait Observer {
    /// Takes the next line of the record.
    ///
    /// # Errors
    /// Whatever makes it pointless to train on, such as a full disk.
    fn observe(&mut self, line: Line) -> Result<(), RecordError>;

    /// Instead of a first header: an earlier record goes on, from where it had so many lines of steps
    /// and of epochs.
    ///
    /// # Errors
    /// As [`observe`](Self::observe).
    fn resume(&mut self, header: Header, steps: u64, epochs: u64) -> Result<(), RecordError> {
        let _ = (header, steps, epochs);
        Ok(())
    }

    /// Takes what whoever started the run should know before it begins.
    fn note(&mut self, text: &str) {
        let _ = text;
    }

    /// Takes a file that belongs beside the record, in place of the one before it.
    ///
    /// # Errors
    /// As [`observe`](Self::observe).
    fn keep(&mut self, name: &str, content: &Checkpoint) -> Result<(), RecordError> {
        let _ = (name, content);
        Ok(())
    }
}

/// Asked before every step: whether to stop after it, and why.
pub type Stop<'a> = &'a dyn Fn() -> Option<Outcome>;
