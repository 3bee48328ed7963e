//! Appends lines to a record while training goes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::compression::{self, Compression, Flush, Sink};
use super::error::RecordError;
use crate::record::{Header, Line, in_full};

/// How the line of an epoch begins.
const EPOCH: &[u8] = b"{\"kind\":\"epoch\"";

/// Writes one line at a time, each flushed: a run that is killed leaves a readable record. Where the
/// name ends in `.zst` it is compressed, and flushed with every captured epoch and every second.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    sink: Sink,
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
    pub fn resume(path: &Path, header: &Header, steps: u64, epochs: u64) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Peek<'a> {
            kind: &'a str,
        }
        let layers = header.layers.len();
        let condense = epochs > 0 && !in_full(epochs - 1, layers);
        Self::begin(path, header, |writer| {
            let (mut steps, mut epochs) = (steps, epochs);
            let mut text = compression::open(path)?;
            let mut line = Vec::new();
            let mut next = |line: &mut Vec<u8>| {
                line.clear();
                match text.line(line, u64::MAX) {
                    // A run that was killed leaves compressed data without an end.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                    read => read,
                }
            };
            next(&mut line)?;
            // What comes after may be anything: a killed run leaves half a line.
            while (steps > 0 || epochs > 0) && next(&mut line)? > 0 {
                let left = match serde_json::from_slice::<Peek>(&line) {
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
                    && let Ok(Line::Epoch(mut epoch)) = serde_json::from_slice(&line)
                {
                    epoch.compact();
                    writer.append(&Line::Epoch(epoch))?;
                } else {
                    writer.sink.line(&line)?;
                }
            }
            writer.sink.flush(Flush::Now)
        })
    }

    /// Under a temporary name until everything before the first new line is on disk.
    fn begin(
        path: &Path,
        header: &Header,
        then: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> Result<Self, RecordError> {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".new");
        let temporary = path.with_file_name(name);
        let failed = |source| RecordError::Write { path: path.into(), source };
        let file = File::create(&temporary).map_err(failed)?;
        let sink = Sink::new(file, Compression::from_path(path)).map_err(failed)?;
        let mut writer = Self { path: path.into(), sink, buffer: Vec::new() };
        let written = writer.write(&Line::Header(Box::new(header.clone())));
        let written = written.and_then(|()| then(&mut writer).map_err(failed));
        let written = written.and_then(|()| writer.sink.file().sync_all().map_err(failed));
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
    pub fn sync(&mut self) -> Result<(), RecordError> {
        let synced = self.sink.flush(Flush::Now).and_then(|()| self.sink.file().sync_data());
        synced.map_err(|source| RecordError::Write { path: self.path.clone(), source })
    }

    /// Appends one line in a single write.
    ///
    /// # Errors
    /// [`RecordError::Write`], with the lines before it intact.
    pub fn write(&mut self, line: &Line) -> Result<(), RecordError> {
        let written = self.append(line).and_then(|()| match line {
            Line::End(_) => self.sink.finish(),
            Line::Step(_) => self.sink.flush(Flush::IfLongAgo),
            _ => self.sink.flush(Flush::Now),
        });
        written.map_err(|source| RecordError::Write { path: self.path.clone(), source })
    }

    fn append(&mut self, line: &Line) -> io::Result<()> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, line)?;
        self.buffer.push(b'\n');
        self.sink.line(&self.buffer)
    }
}
