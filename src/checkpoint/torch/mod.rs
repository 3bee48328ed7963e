//! `.pt` and `.pth`: what torch.save writes. A pickle beside the numbers says which tensors lie where; it
//! is read as data, and nothing in it is ever run.

mod globals;
mod legacy;
mod machine;
mod state;
mod value;

use std::collections::HashMap;

use super::archive::Archive;
use super::dtype::Dtype;
use super::place::{Place, Source};
use super::tensor::Tensor;
use super::{CheckpointError, Content};
use machine::Heap;
use state::{Found, find};
use value::{Id, Numbers, Storage, Strided, Value};

pub use legacy::{is_legacy, read as read_legacy};

/// Longest pickle beside the numbers, which are not in it.
const LONGEST_PICKLE: u64 = 256 << 20;
/// Longest of the small files that say how the archive was written.
const LONGEST_NOTE: u64 = 1 << 16;

/// Reads an archive of torch.save.
pub fn read(source: &Source) -> Result<Content, CheckpointError> {
    let archive = Archive::open(source)?;
    let path = &source.path;
    let invalid = |reason: String| CheckpointError::invalid(path, reason);
    if let Some(reason) = something_else(&archive) {
        return Err(invalid(reason));
    }
    let Some(root) = root(&archive) else {
        return Err(invalid(
            "it is a zip archive, and neither of torch.save (no data.pkl in it) nor of np.savez".into(),
        ));
    };
    let order = format!("{root}byteorder");
    if archive.get(&order).is_some() && archive.read(&order, LONGEST_NOTE)? != b"little" {
        return Err(invalid(
            "it was written on a machine with the most significant byte first, which is not read".into(),
        ));
    }
    let pickle = archive.read(&format!("{root}data.pkl"), LONGEST_PICKLE)?;
    let (heap, value, _) = machine::read(&pickle).map_err(&invalid)?;
    let place = |key: &str| archive.get(&format!("{root}data/{key}")).cloned();
    content(&heap, value, &place).map_err(invalid)
}

/// What an archive holds, by the names of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// What torch.save writes.
    Weights,
    /// A program of TorchScript.
    Program,
    /// One of torch.export.
    Exported,
    /// None of these.
    Other,
}

impl Holds {
    /// Of this archive.
    pub fn of(archive: &Archive) -> Self {
        let root = root(archive);
        let prefix = root.as_deref().unwrap_or_default();
        let inside = |n: &str| n.strip_prefix(prefix).unwrap_or(n).to_owned();
        let holds = |end: &str| archive.names().any(|n| inside(n).ends_with(end));
        if holds("serialized_exported_program.json") || holds("models/model.json") || holds("archive_format")
        {
            Self::Exported
        } else if holds("constants.pkl") || archive.names().any(|n| inside(n).starts_with("code/")) {
            Self::Program
        } else if root.is_some() {
            Self::Weights
        } else {
            Self::Other
        }
    }
}

/// The folder of an archive's pickle.
pub fn root(archive: &Archive) -> Option<String> {
    let pickle = archive.names().find(|n| n.ends_with("/data.pkl") || *n == "data.pkl");
    pickle.map(|name| name.strip_suffix("data.pkl").unwrap_or_default().to_owned())
}

/// Archives that are no checkpoint, and what to do about them.
fn something_else(archive: &Archive) -> Option<String> {
    match Holds::of(archive) {
        Holds::Program => Some(
            "it is a TorchScript archive (torch.jit.save), which holds a program too; train it with gradscope run \
             --model, or save its weights alone: torch.save(torch.jit.load(FILE).state_dict(), \"weights.pt\")"
                .into(),
        ),
        Holds::Exported => Some(
            "it is an archive of torch.export, which holds a program too; save its weights alone: \
             torch.save(torch.export.load(FILE).state_dict, \"weights.pt\")"
                .into(),
        ),
        Holds::Weights | Holds::Other => None,
    }
}

/// The tensors of the state dicts in a pickle; `place` tells where a storage lies.
fn content(heap: &Heap, root: Id, place: &dyn Fn(&str) -> Option<Place>) -> Result<Content, String> {
    let Found { dicts, notes } = find(heap, root)?;
    let mut content = Content { notes, ..Content::default() };
    let several = dicts.len() > 1;
    let mut seen: HashMap<Layout, String> = HashMap::new();
    for (path, items) in dicts {
        for (key, id) in items {
            let name = if several && !path.is_empty() { format!("{path}.{key}") } else { key.to_owned() };
            let Value::Tensor(tensor) = heap.get(id) else { continue };
            let tensor = match tensor.as_ref() {
                Strided::Unread(kind) => {
                    content.leave_out(name, (*kind).to_owned());
                    continue;
                }
                strided => read_tensor(heap, strided, name, place)?,
            };
            let tensor = match tensor {
                Ok(tensor) => tensor.checked()?,
                Err((name, dtype)) => {
                    content.leave_out(name, dtype);
                    continue;
                }
            };
            // Tied weights are one tensor under two names.
            let layout = (tensor.place.offset, tensor.first, tensor.shape.clone(), tensor.strides.clone());
            match seen.get(&layout) {
                Some(first) if tensor.count() > 0 => {
                    content
                        .notes
                        .push(format!("{} is the same tensor as {first}, and measured there", tensor.name));
                }
                _ => {
                    seen.insert(layout, tensor.name.clone());
                    content.tensors.push(tensor);
                }
            }
        }
    }
    Ok(content)
}

/// Where its values lie, and how.
type Layout = (u64, u64, Vec<u64>, Option<Vec<u64>>);

/// A tensor, or the name and type of one whose numbers are not read.
fn read_tensor(
    heap: &Heap,
    strided: &Strided,
    name: String,
    place: &dyn Fn(&str) -> Option<Place>,
) -> Result<Result<Tensor, (String, String)>, String> {
    let Strided::Read { storage, numbers, first, shape, strides } = strided else {
        return Ok(Err((name, String::new())));
    };
    let Value::Storage(Storage { numbers: stored, key, count }) = heap.get(*storage) else {
        return Err(format!("{name} lies in no storage"));
    };
    let key = heap.text(*key).unwrap_or_default();
    let dtype: Dtype = match numbers.unwrap_or(*stored) {
        Numbers::Float(dtype) => dtype,
        Numbers::Other(dtype, _) => return Ok(Err((name, dtype.to_owned()))),
        Numbers::Bytes => return Err(format!("{name} does not say of which type it is")),
    };
    let Some(place) = place(key) else {
        return Err(format!("it is cut short or damaged: the values of {name} (data/{key}) are missing"));
    };
    if stored.size().checked_mul(*count) != Some(place.length) {
        return Err(format!(
            "it is damaged: the values of {name} (data/{key}) should take {count} × {} bytes and take {}",
            stored.size(),
            place.length
        ));
    }
    let first = first.checked_mul(dtype.size()).ok_or_else(|| format!("{name} begins nowhere"))?;
    let (shape, strides) = (shape.clone(), Some(strides.clone()));
    Ok(Ok(Tensor { name, shape, dtype, big_endian: false, place, first, strides }))
}
