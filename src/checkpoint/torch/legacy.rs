//! Files of torch.save before version 1.6, and of `_use_new_zipfile_serialization=False`: pickles in a
//! row (a magic number, a version, the machine, the checkpoint, the names of storages), then the storages.

use std::collections::HashMap;

use super::super::CheckpointError;
use super::super::content::Content;
use super::super::place::{Place, Source};
use super::machine;
use super::tensors::content;
use super::value::{Storage, Value};
use super::zipped::LONGEST_PICKLE;

/// How such a file begins: protocol 2, and a whole number of ten bytes, 0x1950a86a20f9469cfc6c.
const MAGIC: &[u8] = &[0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
/// Pickles before that of the checkpoint.
const BEFORE: usize = 2;

/// Whether a file begins as one.
pub fn is_legacy(beginning: &[u8]) -> bool {
    beginning.starts_with(MAGIC)
}

/// Reads such a file.
pub fn read(source: &Source) -> Result<Content, CheckpointError> {
    let path = &source.path;
    let invalid = CheckpointError::in_file(path);
    // The pickles are short; where they end is only known once they were read.
    let length = source.length.min(LONGEST_PICKLE);
    let bytes = source.bytes(0, length as usize).map_err(CheckpointError::read(path))?;
    let mut at = MAGIC.len();
    for _ in 0..BEFORE {
        at += machine::read(bytes.get(at..).unwrap_or_default()).map_err(invalid)?.2;
    }
    let (heap, root, end) = machine::read(bytes.get(at..).unwrap_or_default()).map_err(invalid)?;
    at += end;
    let (names, list, end) = machine::read(bytes.get(at..).unwrap_or_default()).map_err(invalid)?;
    let mut offset = (at + end) as u64;
    let Value::Sequence(keys) = names.get(list) else {
        return Err(invalid("it is damaged: it does not say which storages follow".into()));
    };
    let sizes: HashMap<&str, u64> = heap
        .values()
        .filter_map(|v| match v {
            Value::Storage(Storage { numbers, key, .. }) => Some((heap.text(*key)?, numbers.size())),
            _ => None,
        })
        .collect();
    let mut places: HashMap<&str, Place> = HashMap::new();
    let cut = || invalid("it is cut short: its values are not all there".into());
    for key in keys {
        let key = names.text(*key).unwrap_or_default();
        let start = source.bytes(offset, 8).map_err(|_| cut())?;
        let count = u64::from_le_bytes(start.try_into().unwrap_or_default());
        let length = sizes.get(key).and_then(|size| size.checked_mul(count)).ok_or_else(cut)?;
        offset += 8;
        let end = offset.checked_add(length).filter(|end| *end <= source.length).ok_or_else(cut)?;
        places.insert(key, Place { source: source.clone(), offset, stored: length, length, deflated: false });
        offset = end;
    }
    content(&heap, root, &|key| places.get(key).cloned()).map_err(invalid)
}
