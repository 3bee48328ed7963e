//! A tensor in a file: what it is called, how it lies there, and its values piece by piece.

use std::io::{self, ErrorKind, Read};

use super::CheckpointError;
use super::dtype::{Dtype, Values};
use super::place::Place;

/// Values that are in memory at once: 16 MB of float32.
pub const PIECE: u64 = 1 << 22;
/// Bytes of a tensor that is read as a whole, since its values do not lie in order.
const MAX_STRIDED: u64 = 2 << 30;

/// A tensor of floating-point numbers, not yet read.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// As the file calls it.
    pub name: String,
    /// The shape, output dimension first.
    pub shape: Vec<u64>,
    /// Type of its numbers.
    pub dtype: Dtype,
    /// Most significant byte first.
    pub big_endian: bool,
    /// The place that it lies in, maybe with others.
    pub place: Place,
    /// Bytes before its first number.
    pub first: u64,
    /// Numbers from one to the next along each dimension; `None` where they lie in order.
    pub strides: Option<Vec<u64>>,
}

impl Tensor {
    /// The type of its numbers.
    pub fn count(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Checks that its numbers lie inside its place, each once: nothing that is read later can be larger
    /// than the file promises.
    ///
    /// # Errors
    /// What does not fit.
    pub fn checked(mut self) -> Result<Self, String> {
        let impossible = || format!("{} has the impossible shape {:?}", self.name, self.shape);
        let count = self.shape.iter().try_fold(1u64, |n, d| n.checked_mul(*d)).ok_or_else(impossible)?;
        if count == 0 {
            self.strides = None;
            return Ok(self);
        }
        if self.strides.as_ref().is_some_and(|strides| in_order(&self.shape, strides)) {
            self.strides = None;
        }
        let spanned = self.span(count).ok_or_else(impossible)?;
        if spanned < count {
            return Err(format!(
                "{} has {count} values in the place of {spanned}: save a copy of its own, with .clone()",
                self.name
            ));
        }
        let end = spanned.checked_mul(self.dtype.size()).and_then(|n| n.checked_add(self.first));
        if end.is_none_or(|end| end > self.place.length) {
            return Err(format!(
                "{} should take {} bytes and there are {}",
                self.name,
                end.map_or_else(|| "more than 2^64".into(), |e| e.to_string()),
                self.place.length
            ));
        }
        if self.strides.is_some() && spanned.saturating_mul(self.dtype.size()) > MAX_STRIDED {
            return Err(format!(
                "{} does not lie in order, and is too large to be sorted: save it with .contiguous()",
                self.name
            ));
        }
        Ok(self)
    }

    /// Numbers from its first to its last in the file.
    fn span(&self, count: u64) -> Option<u64> {
        let Some(strides) = &self.strides else { return Some(count) };
        let mut dimensions = self.shape.iter().zip(strides);
        dimensions.try_fold(1u64, |n, (d, stride)| n.checked_add((d - 1).checked_mul(*stride)?))
    }

    /// Its values in the order of its indices, the last of which runs fastest.
    pub fn pieces(&self) -> Result<Pieces<'_>, CheckpointError> {
        let left = self.count();
        let numbers = match &self.strides {
            // An empty tensor may lie behind the end of its file.
            None if left == 0 => Numbers::InOrder(Box::new(io::empty())),
            None => Numbers::InOrder(self.place.reader(self.first).map_err(|e| self.error(e))?),
            Some(strides) => {
                let spanned = self.span(left).unwrap_or(left) * self.dtype.size();
                let mut bytes = Vec::with_capacity(spanned as usize);
                let mut reader = self.place.reader(self.first).map_err(|e| self.error(e))?.take(spanned);
                reader.read_to_end(&mut bytes).map_err(|e| self.error(e))?;
                if (bytes.len() as u64) < spanned {
                    return Err(self.error(ErrorKind::UnexpectedEof.into()));
                }
                Numbers::Strided { bytes, strides, index: vec![0; strides.len()], at: 0 }
            }
        };
        Ok(Pieces { tensor: self, numbers, left, buffer: Vec::new() })
    }

    fn error(&self, error: io::Error) -> CheckpointError {
        let path = &self.place.source.path;
        match error.kind() {
            ErrorKind::UnexpectedEof => CheckpointError::invalid(path, format!("{} is cut short", self.name)),
            // What flate2 says of data that are not what a compressor writes.
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                CheckpointError::invalid(path, format!("{} cannot be unpacked: {error}", self.name))
            }
            _ => CheckpointError::Read { path: path.clone(), source: error },
        }
    }
}

/// Whether these are the strides of values that lie in order.
fn in_order(shape: &[u64], strides: &[u64]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(d, stride)| {
        let fits = *d == 1 || *stride == expected;
        expected *= d;
        fits
    })
}

/// The values of a tensor, [`PIECE`] at a time.
pub struct Pieces<'a> {
    tensor: &'a Tensor,
    numbers: Numbers<'a>,
    left: u64,
    buffer: Vec<u8>,
}

enum Numbers<'a> {
    InOrder(Box<dyn Read>),
    Strided { bytes: Vec<u8>, strides: &'a [u64], index: Vec<u64>, at: u64 },
}

impl Pieces<'_> {
    /// The next ones; `None` after the last.
    pub fn next(&mut self) -> Result<Option<Values>, CheckpointError> {
        let Tensor { dtype, big_endian, .. } = self.tensor;
        let (count, size) = (self.left.min(PIECE), dtype.size() as usize);
        if count == 0 {
            return Ok(None);
        }
        self.buffer.resize(count as usize * size, 0);
        match &mut self.numbers {
            Numbers::InOrder(reader) => {
                reader.read_exact(&mut self.buffer).map_err(|e| self.tensor.error(e))?;
            }
            Numbers::Strided { bytes, strides, index, at } => {
                for number in self.buffer.chunks_exact_mut(size) {
                    let from = *at as usize * size;
                    number.copy_from_slice(&bytes[from..from + size]);
                    step(&self.tensor.shape, strides, index, at);
                }
            }
        }
        if *big_endian {
            self.buffer.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        self.left -= count;
        Ok(Some(dtype.values(&self.buffer)))
    }
}

/// Moves to the next index.
fn step(shape: &[u64], strides: &[u64], index: &mut [u64], at: &mut u64) {
    for ((i, d), stride) in index.iter_mut().zip(shape).zip(strides).rev() {
        *i += 1;
        *at += stride;
        if *i < *d {
            return;
        }
        *at -= *i * stride;
        *i = 0;
    }
}
