//! Compressed records, known by their suffix.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::record::settings::Named;

/// Effort of zstd: its default, at which it keeps up with any run.
const LEVEL: i32 = 3;
/// Memory that a file may ask for to be unpacked, as a power of two: what zstd allows by default.
const WINDOW_LOG: u32 = 27;
/// A record is not believed to shrink to less than one part in so many, once it is large.
const MAX_SHRUNK: u64 = 500;
const LARGE: u64 = 1 << 30;
/// A killed run loses at most what came after its last captured epoch, and at most so much time.
const FLUSHED_EVERY: Duration = Duration::from_secs(1);

/// How a record is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Zstandard; `.zst`.
    Zstd,
    /// gzip; `.gz`. Only read.
    Gzip,
}

impl Named for Compression {
    /// In the order in which a directory is searched.
    const ALL: &'static [Self] = &[Self::None, Self::Zstd, Self::Gzip];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}

impl Compression {
    /// Those that records are written with.
    pub const WRITTEN: &'static [Self] = &[Self::None, Self::Zstd];

    /// Of a file with this name.
    pub fn from_path(path: &Path) -> Self {
        let suffix = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        match suffix.as_deref() {
            Some("zst") => Self::Zstd,
            Some("gz") => Self::Gzip,
            _ => Self::None,
        }
    }

    /// Returns the suffix of its files' names.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }

    /// Returns the name of a file with the suffix.
    pub fn file_name(self, name: &str) -> String {
        format!("{name}{}", self.suffix())
    }

    /// The record of this name in a directory, compressed or not; the plain name where there is none.
    pub fn find(directory: &Path, name: &str) -> PathBuf {
        let mut paths = Self::ALL.iter().map(|packing| directory.join(packing.file_name(name)));
        paths.find(|path| path.is_file()).unwrap_or_else(|| directory.join(name))
    }
}

/// The text of a record, unpacked on the way.
pub struct Unpacked {
    text: Box<dyn BufRead>,
    /// Bytes that are believed.
    left: u64,
}

/// Opens a record of any packing.
///
/// # Errors
/// What the system said; only reading finds what is wrong with the content.
pub fn open(path: &Path) -> io::Result<Unpacked> {
    let file = File::open(path)?;
    let left = file.metadata()?.len().saturating_mul(MAX_SHRUNK).max(LARGE);
    let text: Box<dyn BufRead> = match Compression::from_path(path) {
        Compression::None => return Ok(Unpacked { text: Box::new(buffered(file)), left: u64::MAX }),
        Compression::Gzip => Box::new(buffered(flate2::read::MultiGzDecoder::new(file))),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(file)?;
            decoder.window_log_max(WINDOW_LOG)?;
            Box::new(buffered(decoder))
        }
    };
    Ok(Unpacked { text, left })
}

fn buffered(inner: impl Read) -> BufReader<impl Read> {
    BufReader::with_capacity(1 << 16, inner)
}

/// The beginning of a file, unpacked: enough to tell what wrote it.
///
/// # Errors
/// What the system said.
pub fn prefix(path: &Path, length: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    match open(path)?.text.take(length).read_to_end(&mut bytes) {
        // Of a file that was cut short, what there is.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

impl Unpacked {
    /// Appends the next line, with its newline, as far as `most` bytes go; 0 at the end.
    ///
    /// # Errors
    /// `UnexpectedEof` where compressed data ends too early: what came before is then in `line`.
    pub fn line(&mut self, line: &mut Vec<u8>, most: u64) -> io::Result<usize> {
        let read = self.text.by_ref().take(most).read_until(b'\n', line)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            let reason = format!("it unpacks to more than {MAX_SHRUNK} times its size");
            io::Error::new(io::ErrorKind::InvalidData, reason)
        })?;
        Ok(read)
    }
}

/// Where a writer's lines go.
pub enum Sink {
    /// As they are.
    Plain(File),
    /// Through zstd, in one frame that is flushed now and then: what was flushed can be read.
    Zstd(Box<zstd::stream::write::Encoder<'static, File>>, Instant),
}

/// When lines are to be made readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// At once.
    Now,
    /// Only if that was last done long ago.
    IfLongAgo,
}

impl Sink {
    /// Into this file.
    ///
    /// # Errors
    /// What the system said, or that this packing is only read.
    pub fn new(file: File, packing: Compression) -> io::Result<Self> {
        Ok(match packing {
            Compression::None => Self::Plain(file),
            Compression::Zstd => {
                Self::Zstd(zstd::stream::write::Encoder::new(file, LEVEL)?.into(), Instant::now())
            }
            Compression::Gzip => {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "records are not written as gzip"));
            }
        })
    }

    /// Appends a line in a single write.
    ///
    /// # Errors
    /// What the system said.
    pub fn line(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(line),
            Self::Zstd(encoder, _) => encoder.write_all(line),
        }
    }

    /// Makes what was written readable, now or if it is long ago that this was done.
    ///
    /// # Errors
    /// What the system said.
    pub fn flush(&mut self, flush: Flush) -> io::Result<()> {
        match self {
            Self::Zstd(encoder, flushed) if flush == Flush::Now || flushed.elapsed() > FLUSHED_EVERY => {
                *flushed = Instant::now();
                encoder.flush()
            }
            _ => Ok(()),
        }
    }

    /// Ends the compressed data as it should be; nothing may follow.
    ///
    /// # Errors
    /// What the system said.
    pub fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Zstd(encoder, _) => encoder.do_finish(),
            Self::Plain(_) => Ok(()),
        }
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        match self {
            Self::Plain(file) => file,
            Self::Zstd(encoder, _) => encoder.get_ref(),
        }
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.file().fmt(f)
    }
}
