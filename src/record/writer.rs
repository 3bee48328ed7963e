//! Appends lines to a record while training goes.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Line, RecordError};

/// Writes one line at a time, each flushed: a run that is killed leaves a readable record.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
}

impl Writer {
    /// Creates the file, replacing one that is there.
    ///
    /// # Errors
    /// [`RecordError::Write`] where it cannot be created.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        let file = File::create(path).map_err(|source| RecordError::Write { path: path.into(), source })?;
        Ok(Self { path: path.into(), file, buffer: Vec::new() })
    }

    /// Appends one line in a single write.
    ///
    /// # Errors
    /// [`RecordError::Write`], with the lines before it intact.
    pub fn write(&mut self, line: &Line) -> Result<(), RecordError> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, line)
            .map_err(io::Error::from)
            .and_then(|()| {
                self.buffer.push(b'\n');
                self.file.write_all(&self.buffer)
            })
            .map_err(|source| RecordError::Write { path: self.path.clone(), source })
    }
}
