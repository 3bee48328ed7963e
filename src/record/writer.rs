//! Appends lines to a record while training goes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Header, Line, RecordError, in_full};

/// How the line of an epoch begins.
const EPOCH: &str = "{\"kind\":\"epoch\"";

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
        Self::begin(path, header, |_| Ok(()))
    }

    /// Goes on with a record from where it had so many lines of steps and of epochs: what came after
    /// is dropped, and the header replaced. The record stays as it was until that is done.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn go_on(path: &Path, header: &Header, steps: u64, epochs: u64) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Peek<'a> {
            kind: &'a str,
        }
        let layers = header.layers.len();
        let condense = epochs > 0 && !in_full(epochs - 1, layers);
        Self::begin(path, header, |file| {
            let (mut steps, mut epochs) = (steps, epochs);
            let mut out = io::BufWriter::new(file);
            for line in BufReader::new(File::open(path)?).lines().skip(1) {
                let line = line?;
                let left = match serde_json::from_str::<Peek>(&line) {
                    Ok(Peek { kind: "step" }) => &mut steps,
                    Ok(Peek { kind: "epoch" }) => &mut epochs,
                    _ => continue,
                };
                let Some(less) = left.checked_sub(1) else { continue };
                *left = less;
                // It was kept in full as the last one, and is so no more.
                if condense
                    && epochs == 0
                    && line.starts_with(EPOCH)
                    && let Ok(Line::Epoch(mut epoch)) = serde_json::from_str(&line)
                {
                    epoch.condense();
                    serde_json::to_writer(&mut out, &Line::Epoch(epoch))?;
                    writeln!(out)?;
                } else {
                    writeln!(out, "{line}")?;
                }
            }
            out.flush()
        })
    }

    /// Under a temporary name until everything before the first new line is on disk.
    fn begin(
        path: &Path,
        header: &Header,
        then: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<Self, RecordError> {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".new");
        let temporary = path.with_file_name(name);
        let failed = |source| RecordError::Write { path: path.into(), source };
        let file = File::create(&temporary).map_err(failed)?;
        let mut writer = Self { path: path.into(), file, buffer: Vec::new() };
        let written = writer.write(&Line::Header(Box::new(header.clone())));
        let written = written.and_then(|()| then(&mut writer.file).map_err(failed));
        let written = written.and_then(|()| fs::rename(&temporary, path).map_err(failed));
        if written.is_err() {
            // Best effort: the error that led here is the one to report.
            let _ = fs::remove_file(&temporary);
        }
        written.map(|()| writer)
    }

    /// Makes sure that everything so far is on the disk.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn sync(&self) -> Result<(), RecordError> {
        self.file.sync_data().map_err(|source| RecordError::Write { path: self.path.clone(), source })
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
