//! Named tensors with a few words about them, as a file in the safetensors format.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde_json::json;
use tch::{Kind, Tensor};

use crate::train::TrainError;
use crate::train::measure::memory;
use crate::train::network::Snapshot;

/// Bytes of the longest header that readers of the format accept.
const LONGEST_HEADER: u64 = 100_000_000;
/// Where the format has its words.
const METADATA: &str = "__metadata__";
/// The tensors begin at a multiple of this.
const ALIGNMENT: usize = 8;

/// Content of a file.
#[derive(Debug, Default)]
pub struct Checkpoint {
    /// Words about it.
    pub metadata: BTreeMap<String, String>,
    /// Tensors of float32.
    pub tensors: Snapshot,
}

impl Checkpoint {
    /// Writes it. The same content gives the same bytes, which is why this is not left to the
    /// `safetensors` crate: it keeps the words in an order that changes from one process to the next.
    ///
    /// # Errors
    /// Where `out` has no room.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut header = serde_json::Map::new();
        header.insert(METADATA.into(), json!(self.metadata));
        let mut start = 0;
        for (name, tensor) in &self.tensors {
            let end = start + 4 * tensor.numel();
            let entry = json!({ "dtype": "F32", "shape": tensor.size(), "data_offsets": [start, end] });
            header.insert(name.clone(), entry);
            start = end;
        }
        let mut header = serde_json::to_vec(&header)?;
        header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for (_, tensor) in &self.tensors {
            let bytes: Vec<u8> = memory::values(tensor).iter().flat_map(|v| v.to_le_bytes()).collect();
            out.write_all(&bytes)?;
        }
        out.flush()
    }

    /// Reads a file whose tensors hold so many values at most.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`], before memory is taken for what cannot be right.
    pub fn read(path: &Path, most_values: u64) -> Result<Self, TrainError> {
        let failed = |reason: String| TrainError::Checkpoint { path: path.into(), reason };
        let io = |error: io::Error| failed(format!("cannot be read: {error}"));
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let longest = most_values.saturating_mul(4).saturating_add(LONGEST_HEADER);
        if length > longest {
            return Err(failed(format!("holds {length} bytes, far more than this model has")));
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length as usize).map_err(|_| TrainError::Memory { bytes: length })?;
        // A file that grows meanwhile is read as far as it was measured.
        file.take(length).read_to_end(&mut bytes).map_err(io)?;
        let unreadable = |error: safetensors::SafeTensorError| failed(format!("cannot be read: {error}"));
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(unreadable)?;
        let file = SafeTensors::deserialize(&bytes).map_err(unreadable)?;
        let mut tensors = Snapshot::new();
        for (name, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(failed(format!("holds {name:?}, which is not of float32")));
            }
            let shape: Vec<i64> = view.shape().iter().map(|d| *d as i64).collect();
            tensors.push((name.into(), Tensor::f_from_data_size(view.data(), &shape, Kind::Float)?));
        }
        Ok(Self { metadata: header.metadata().clone().unwrap_or_default().into_iter().collect(), tensors })
    }
}

/// Whether this file was written by gradscope: told by its metadata.
pub fn is_own(path: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4_096).read_to_end(&mut beginning));
    read.is_ok() && beginning.windows(11).any(|w| w == b"\"gradscope\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            metadata: [("gradscope".to_owned(), "x".to_owned())].into(),
            tensors: vec![
                ("fc1.weight".into(), Tensor::from_slice(&[1.0f32, -2.5, f32::NAN, 0.0]).view([2, 2])),
                ("fc1.bias".into(), Tensor::from_slice(&[f32::INFINITY])),
            ],
        }
    }

    fn read(bytes: &[u8], most_values: u64) -> Result<Checkpoint, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Checkpoint::read(file.path(), most_values).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        checkpoint().write(&mut bytes).unwrap();
        let back = read(&bytes, 5).unwrap();
        assert_eq!(back.metadata, checkpoint().metadata);
        let names: Vec<_> = back.tensors.iter().map(|(n, t)| (n.as_str(), t.size())).collect();
        assert!(names.contains(&("fc1.weight", vec![2, 2])) && names.contains(&("fc1.bias", vec![1])));
    }

    #[test]
    fn whatever_stands_in_a_file_is_read_or_refused() {
        let mut bytes = Vec::new();
        checkpoint().write(&mut bytes).unwrap();
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length], 5).is_err(), "cut at {length}");
        }
        for at in 0..bytes.len() {
            for value in [0, b'9', b'"', 0xff] {
                let mut mangled = bytes.clone();
                mangled[at] = value;
                let _ = read(&mangled, 5);
            }
        }
        let mut huge = bytes.clone();
        huge[..8].copy_from_slice(&(u64::MAX - 7).to_le_bytes());
        assert!(read(&huge, 5).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn a_file_that_is_far_too_large_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 40).unwrap();
        let message = Checkpoint::read(file.path(), 5).unwrap_err().to_string();
        assert!(message.contains("far more than this model has"), "{message}");
    }
}
