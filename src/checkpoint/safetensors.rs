//! `.safetensors`: one file, or several with an index. The crate checks the header; the values are read
//! piece by piece, so that a file of any size needs little memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Component, Path};

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype as Stored, Metadata, TensorInfo};
use serde::Deserialize;

use super::CheckpointError;
use super::content::Content;
use super::dtype::Dtype;
use super::place::{Place, Source};
use super::tensor::Tensor;

/// Bytes before the header, which hold its length.
const PREFIX: u64 = 8;
/// Longest header, as the format has it.
const LONGEST_HEADER: u64 = 100_000_000;
/// Longest index file, in bytes.
const LONGEST_INDEX: u64 = 64 << 20;

#[derive(Deserialize)]
struct Header {
    #[serde(default, rename = "__metadata__")]
    _metadata: Option<HashMap<String, String>>,
    #[serde(flatten)]
    tensors: HashMap<String, TensorInfo>,
}

/// Everything in one file.
pub fn read(source: &Source) -> Result<Content, CheckpointError> {
    let path = &source.path;
    let invalid = CheckpointError::in_file(path);
    let not_so = |what: &str| invalid(format!("it is no safetensors file: {what}"));
    if source.length < PREFIX {
        return Err(not_so(&format!("it has {} bytes, and a header alone has more", source.length)));
    }
    let start = source.bytes(0, PREFIX as usize).map_err(CheckpointError::read(path))?;
    let length = u64::from_le_bytes(start.as_slice().try_into().unwrap_or_default());
    if length > LONGEST_HEADER || length > source.length - PREFIX {
        return Err(not_so(&format!(
            "its first 8 bytes say that the header has {length} bytes, of {} in the file (at most {LONGEST_HEADER})",
            source.length
        )));
    }
    let bytes = source.bytes(PREFIX, length as usize).map_err(CheckpointError::read(path))?;
    let header: Header =
        serde_json::from_slice(&bytes).map_err(|e| not_so(&format!("its header cannot be read: {e}")))?;
    let mut tensors: Vec<(String, TensorInfo)> = header.tensors.into_iter().collect();
    tensors.sort_by(|(a, x), (b, y)| (x.data_offsets, a).cmp(&(y.data_offsets, b)));
    let metadata = Metadata::new(None, tensors.clone()).map_err(|e| not_so(&sentence(&e)))?;
    let (data, found) = (metadata.data_len() as u64, source.length - PREFIX - length);
    if data != found {
        return Err(invalid(format!(
            "it is cut short or damaged: its header tells of {data} bytes of values and there are {found}"
        )));
    }
    let place = Place {
        source: source.clone(),
        offset: PREFIX + length,
        stored: found,
        length: found,
        deflated: false,
    };
    let mut content = Content::default();
    for (name, info) in tensors {
        let Some(dtype) = dtype(info.dtype) else {
            content.leave_out(name, format!("{:?}", info.dtype));
            continue;
        };
        let tensor = Tensor {
            name,
            shape: info.shape.iter().map(|d| *d as u64).collect(),
            dtype,
            big_endian: false,
            place: place.clone(),
            first: info.data_offsets.0 as u64,
            strides: None,
        };
        content.tensors.push(tensor.checked().map_err(invalid)?);
    }
    // The file has them by type and name, which says nothing of what comes first in the network.
    content.sort_by_name();
    Ok(content)
}

/// The error of the crate, as the end of a sentence.
fn sentence(error: &SafeTensorError) -> String {
    match error {
        SafeTensorError::InvalidOffset(name) => {
            format!("tensor {name:?} does not begin where the one before it ends")
        }
        SafeTensorError::TensorInvalidInfo => "a tensor's shape and its length do not fit".into(),
        SafeTensorError::ValidationOverflow => "a tensor's shape is impossibly large".into(),
        other => other.to_string(),
    }
}

fn dtype(stored: Stored) -> Option<Dtype> {
    Some(match stored {
        Stored::F64 => Dtype::F64,
        Stored::F32 => Dtype::F32,
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::F8_E4M3 => Dtype::F8E4m3,
        Stored::F8_E5M2 => Dtype::F8E5m2,
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Index {
    /// Whether a tensor is to be read from this file.
    fn places(&self, name: &str, file: &str) -> bool {
        self.weight_map.get(name).is_some_and(|f| f == file)
    }
}

/// All files that an index (`model.safetensors.index.json`) names.
pub fn read_index(source: &Source) -> Result<Content, CheckpointError> {
    let path = &source.path;
    let invalid = CheckpointError::in_file(path);
    if source.length > LONGEST_INDEX {
        return Err(invalid(format!(
            "it has {} bytes: no index of safetensors files is so long",
            source.length
        )));
    }
    let bytes = source.bytes(0, source.length as usize).map_err(CheckpointError::read(path))?;
    let index: Index = serde_json::from_slice(&bytes)
        .map_err(|e| invalid(format!("it is no index of safetensors files ({{\"weight_map\": …}}): {e}")))?;
    let mut files: Vec<&str> = index.weight_map.values().map(String::as_str).collect();
    files.sort_unstable();
    files.dedup();
    let mut content = Content::default();
    for file in files {
        if !is_plain(file) {
            return Err(invalid(format!("it names {file:?}, which is no file beside it")));
        }
        let shard = read(&Source::open(path.with_file_name(file))?)?;
        let tensors = shard.tensors.into_iter().filter(|t| index.places(&t.name, file));
        content.tensors.extend(tensors);
        content.left_out.extend(shard.left_out.into_iter().filter(|l| index.places(&l.name, file)));
    }
    let found: HashSet<&str> = content.names().collect();
    if let Some((name, file)) = index.weight_map.iter().find(|(name, _)| !found.contains(name.as_str())) {
        return Err(invalid(format!("{name:?} should be in {file}, and is not")));
    }
    content.sort_by_name();
    Ok(content)
}

/// Whether it names a file in the same directory.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) && !name.contains('\\')
}
