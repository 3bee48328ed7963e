//! Where bytes lie in a file, stored as they are or deflated.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use flate2::read::DeflateDecoder;

use super::CheckpointError;

/// Bytes that are read at once from a file.
const BUFFER: usize = 1 << 18;

/// A file that is read here and there.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name, for messages.
    pub path: PathBuf,
    file: Arc<File>,
    /// Its length in bytes.
    pub length: u64,
}

impl Source {
    /// Opens a file; a directory, say, is none.
    pub fn open(path: PathBuf) -> Result<Self, CheckpointError> {
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(CheckpointError::read(&path))?;
        if !metadata.is_file() {
            return Err(CheckpointError::invalid(&path, "it is no file"));
        }
        Ok(Self { path, file: Arc::new(file), length: metadata.len() })
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// These bytes of it; the caller has checked that they are few.
    pub fn bytes(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        Range { file: self.file.clone(), at: offset, left: length as u64 }.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// A run of bytes of a file.
#[derive(Clone, Debug)]
pub struct Place {
    /// Of which file.
    pub source: Source,
    /// Where it begins there.
    pub offset: u64,
    /// How long it is there.
    pub stored: u64,
    /// How long it is once unpacked; as long as it is stored where it is not packed.
    pub length: u64,
    /// Whether it is packed.
    pub deflated: bool,
}

impl Place {
    /// Reads it from a byte of what is unpacked on.
    pub fn reader(&self, from: u64) -> io::Result<Box<dyn Read>> {
        let skipped = if self.deflated { 0 } else { from.min(self.stored) };
        let range = Range {
            file: self.source.file.clone(),
            at: self.offset.saturating_add(skipped),
            left: self.stored - skipped,
        };
        if !self.deflated {
            return Ok(Box::new(range));
        }
        // Never more than the archive promises, however far it would unpack.
        let mut unpacked = DeflateDecoder::new(io::BufReader::with_capacity(BUFFER, range)).take(self.length);
        if io::copy(&mut (&mut unpacked).take(from), &mut io::sink())? < from {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Box::new(unpacked))
    }
}

/// Reads a part of a file, wherever others read it.
struct Range {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Range {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.at))?;
        let read = file.read(&mut buffer[..most])?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
