//! One IDX file: a magic number, sizes, then a byte a value. Everything a header claims is checked
//! against limits and against the file before memory is set aside for it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use flate2::bufread::MultiGzDecoder;

use crate::text::count;
use crate::train::TrainError;

/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Bytes of a file, at most: as float32 they are 4 GiB. All of EMNIST is below two thirds of it.
const MAX_BYTES: u64 = 1 << 30;

/// Content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Images,
    Labels,
}

impl Content {
    /// As the files' names spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }

    /// How many sizes the header gives: the number of items, and of images the two sides.
    pub fn sizes(self) -> usize {
        match self {
            Self::Images => 3,
            Self::Labels => 1,
        }
    }

    /// Unsigned bytes (0x08), and the number of sizes.
    fn magic(self) -> u32 {
        0x0800 | self.sizes() as u32
    }
}

/// A file whose header is read and found good.
pub(super) struct IdxFile {
    pub path: PathBuf,
    /// Number of items; of images also height and width.
    pub sizes: Vec<u64>,
    packed: bool,
    body: Box<dyn Read>,
}

impl IdxFile {
    /// Reads and checks the header. Whether the file is gzip is told by its beginning, not its name:
    /// browsers unpack downloads and keep the `.gz`.
    pub fn open(path: PathBuf, content: Content) -> Result<Self, TrainError> {
        let failed = |source| TrainError::ReadData { path: path.clone(), source };
        let about = fs::metadata(&path).map_err(failed)?;
        if !about.is_file() {
            return Err(failed(io::Error::other("it is not a regular file")));
        }
        let mut raw = BufReader::new(fs::File::open(&path).map_err(failed)?);
        let packed = raw.fill_buf().map_err(failed)?.starts_with(&GZIP);
        let body: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };
        let mut file = Self { path, sizes: Vec::new(), packed, body };
        let magic = file.word(0)?;
        if magic != content.magic() {
            return Err(file.wrong_magic(magic, content));
        }
        for size in 0..content.sizes() {
            let value = file.word(4 + 4 * size as u64)?;
            file.sizes.push(value.into());
        }
        file.check_sizes(content)?;
        if !packed && about.len() != file.header_bytes() + file.data_bytes() {
            let whole = count(file.header_bytes() + file.data_bytes());
            let reason = format!(
                "it names {}, a file of {whole} bytes, but this one has {}",
                file.claim(),
                count(about.len())
            );
            return Err(file.fault("header", reason));
        }
        Ok(file)
    }

    /// Appends the data, which must be as long as the header says and end there.
    pub fn read(&mut self, bytes: &mut Vec<u8>) -> Result<(), TrainError> {
        let before = bytes.len();
        let expected = self.data_bytes();
        // The length of a plain file is known to be right; what gzip unpacks to is known only then.
        if !self.packed {
            bytes.reserve_exact(expected as usize);
        }
        // One byte more, so that gzip's checksum is read as well.
        let read = (&mut self.body).take(expected + 1).read_to_end(bytes);
        let found = (bytes.len() - before) as u64;
        if let Err(error) = read {
            return Err(self.broken(error, self.header_bytes() + found));
        }
        if found == expected {
            return Ok(());
        }
        let how = if found < expected { format!("{} follow", count(found)) } else { "more follow".into() };
        let reason = format!("it names {}, {} bytes, but {how}", self.claim(), count(expected));
        Err(self.fault("header", reason))
    }

    /// A complaint about a place in this file.
    pub fn fault(&self, place: &str, reason: String) -> TrainError {
        TrainError::DataPlace { path: self.path.clone(), place: place.into(), reason }
    }

    /// The next big-endian number of the header.
    fn word(&mut self, at: u64) -> Result<u32, TrainError> {
        let mut bytes = [0; 4];
        match self.body.read_exact(&mut bytes) {
            Ok(()) => Ok(u32::from_be_bytes(bytes)),
            Err(error) => Err(self.broken(error, at)),
        }
    }

    fn wrong_magic(&self, magic: u32, content: Content) -> TrainError {
        let whose = [Content::Images, Content::Labels].into_iter().find(|other| other.magic() == magic);
        let whose = whose.map_or(String::new(), |other| format!(", the magic number of {}", other.name()));
        let (name, right) = (content.name(), content.magic());
        self.fault(
            "byte 0",
            format!("it starts with {magic:#010x}{whose}; a file of {name} starts with {right:#010x}"),
        )
    }

    fn check_sizes(&self, content: Content) -> Result<(), TrainError> {
        if self.sizes.contains(&0) {
            return Err(
                self.fault("header", format!("it names {}; there should be at least one", self.claim()))
            );
        }
        let bytes = self.sizes.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
        if bytes.is_none_or(|bytes| bytes > MAX_BYTES) {
            let reason = format!(
                "it names {}; files of at most {} bytes of {} are read",
                self.claim(),
                count(MAX_BYTES),
                content.name()
            );
            return Err(self.fault("header", reason));
        }
        Ok(())
    }

    /// Describes the header in words.
    fn claim(&self) -> String {
        match self.sizes[..] {
            [items, height, width] => format!("{} images of {height}x{width}", count(items)),
            _ => format!("{} labels", count(self.sizes.iter().product())),
        }
    }

    fn header_bytes(&self) -> u64 {
        4 + 4 * self.sizes.len() as u64
    }

    /// Does not overflow: checked on opening.
    fn data_bytes(&self) -> u64 {
        self.sizes.iter().product()
    }

    /// The file ends too soon, or gzip cannot be unpacked, after so many bytes.
    fn broken(&self, error: io::Error, after: u64) -> TrainError {
        let place = format!("byte {after}");
        match error.kind() {
            io::ErrorKind::UnexpectedEof if self.packed => {
                let reason = "the gzip stream is truncated here; fetch the file again";
                self.fault(&format!("{place} (unpacked)"), reason.into())
            }
            io::ErrorKind::UnexpectedEof => {
                self.fault(&place, "the file ends within its header; it should be an IDX file".into())
            }
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if self.packed => {
                let reason = format!("the gzip stream is damaged ({error}); fetch the file again");
                self.fault(&format!("{place} (unpacked)"), reason)
            }
            _ => TrainError::ReadData { path: self.path.clone(), source: error },
        }
    }
}
