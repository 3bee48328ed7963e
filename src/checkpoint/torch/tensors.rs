//! The tensors of the state dicts in a pickle.

use std::collections::HashMap;

use super::super::content::Content;
use super::super::dtype::Dtype;
use super::super::place::Place;
use super::super::tensor::Tensor;
use super::machine::Heap;
use super::state::{Found, find};
use super::value::{Id, Numbers, Storage, Strided, Value};

/// The tensors of the state dicts in a pickle; `place` tells where a storage lies.
pub fn content(heap: &Heap, root: Id, place: &dyn Fn(&str) -> Option<Place>) -> Result<Content, String> {
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
