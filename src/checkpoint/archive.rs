//! The directory of a zip archive, which both `.pt` and `.npz` files are.

use std::collections::BTreeMap;
use std::io::Read;

use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchive};

use super::CheckpointError;
use super::place::{Place, Source};

/// Entries of an archive, at most: a file a tensor.
const MAX_ENTRIES: usize = 1_000_000;
/// The most that deflate makes of a byte.
const MAX_RATIO: u64 = 1_032;

/// The entries of an archive, by name.
pub struct Archive {
    source: Source,
    entries: BTreeMap<String, Place>,
    /// Names in the order of the archive's directory.
    names: Vec<String>,
}

impl Archive {
    /// Whether the file begins as an archive does.
    pub fn is_one(beginning: &[u8]) -> bool {
        beginning.starts_with(b"PK\x03\x04") || beginning.starts_with(b"PK\x05\x06")
    }

    /// Reads the directory, and checks that what it names lies in the file and nowhere twice.
    pub fn open(source: &Source) -> Result<Self, CheckpointError> {
        let path = &source.path;
        let invalid = CheckpointError::in_file(path);
        let broken = |e: rawzip::Error| {
            invalid(format!(
                "it is cut short or damaged: it begins as a zip archive and its directory cannot be read ({e})"
            ))
        };
        let file = source.file().try_clone().map_err(CheckpointError::read(path))?;
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive = ZipArchive::from_file(file, &mut buffer).map_err(broken)?;
        let mut found = Vec::new();
        let mut directory = archive.entries(&mut buffer);
        while let Some(entry) = directory.next_entry().map_err(broken)? {
            if found.len() == MAX_ENTRIES {
                return Err(invalid(format!("it holds more than {MAX_ENTRIES} files: no checkpoint does")));
            }
            let name = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
            found.push((name, entry.compression_method(), entry.uncompressed_size_hint(), entry.wayfinder()));
        }
        let (mut entries, mut names) = (BTreeMap::new(), Vec::new());
        for (name, method, length, wayfinder) in found {
            let (start, end) = archive.get_entry(wayfinder).map_err(broken)?.compressed_data_range();
            let deflated = match method {
                CompressionMethod::STORE => false,
                CompressionMethod::DEFLATE => true,
                other => {
                    return Err(invalid(format!(
                        "{name:?} is packed by a method ({other}) that is not read"
                    )));
                }
            };
            let stored = end.checked_sub(start).filter(|_| end <= source.length);
            let stored = stored
                .filter(|stored| if deflated { length / MAX_RATIO <= *stored } else { length == *stored });
            let Some(stored) = stored else {
                return Err(invalid(format!("it is damaged: {name:?} cannot have the size that it claims")));
            };
            let place = Place { source: source.clone(), offset: start, stored, length, deflated };
            if entries.insert(name.clone(), place).is_some() {
                return Err(invalid(format!("it is damaged: it holds {name:?} twice")));
            }
            names.push(name);
        }
        let mut spans: Vec<(u64, u64)> = entries.values().map(|p| (p.offset, p.offset + p.stored)).collect();
        spans.sort_unstable();
        if spans.windows(2).any(|w| w[1].0 < w[0].1) {
            return Err(invalid("it is damaged: its files overlap".into()));
        }
        Ok(Self { source: source.clone(), entries, names })
    }

    /// The names in it, in its order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Where the file of this name lies.
    pub fn get(&self, name: &str) -> Option<&Place> {
        self.entries.get(name)
    }

    /// A whole file of it, which may not be longer than that.
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, CheckpointError> {
        let path = &self.source.path;
        let Some(place) = self.get(name) else {
            return Err(CheckpointError::invalid(path, format!("it lacks {name:?}")));
        };
        if place.length > most {
            let reason = format!("{name:?} has {} bytes: none is longer than {most}", place.length);
            return Err(CheckpointError::invalid(path, reason));
        }
        let mut bytes = Vec::with_capacity(place.length as usize);
        let read = place.reader(0).and_then(|mut reader| reader.read_to_end(&mut bytes));
        if read.is_err() || bytes.len() as u64 != place.length {
            let reason = format!("it is cut short or damaged: {name:?} cannot be unpacked");
            return Err(CheckpointError::invalid(path, reason));
        }
        Ok(bytes)
    }
}
