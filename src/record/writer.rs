//! Appends lines to a record while training goes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Header, Line, RecordError};

/// Writes one line at a time, each flushed: a run that is killed leaves a readable record.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
}

impl Writer {
    /// Begins a record with its header. Under a temporary name until the header is on disk: a record
    /// that was there before is only replaced by one that can be read.
    ///
    /// # Errors
    /// [`RecordError::Write`] where the file cannot be created, with nothing left behind.
    pub fn create(path: &Path, header: &Header) -> Result<Self, RecordError> {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".new");
        let temporary = path.with_file_name(name);
        let failed = |source| RecordError::Write { path: path.into(), source };
        let file = File::create(&temporary).map_err(failed)?;
        let mut writer = Self { path: path.into(), file, buffer: Vec::new() };
        let written = writer.write(&Line::Header(Box::new(header.clone())));
        let written = written.and_then(|()| fs::rename(&temporary, path).map_err(failed));
        if written.is_err() {
            // Best effort: the error that led here is the one to report.
            let _ = fs::remove_file(&temporary);
        }
        written.map(|()| writer)
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
