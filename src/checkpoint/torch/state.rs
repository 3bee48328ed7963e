//! Which dicts of a pickle are state dicts: names with tensors, alone or beside an optimizer's state,
//! a counter of epochs and the like.

use std::collections::HashSet;

use super::machine::Heap;
use super::value::{Id, Numbers, Storage, Strided, Value};
use crate::text::quoted;

/// Dicts within dicts that are looked into.
const DEEPEST: usize = 8;

/// The state dicts that were found.
pub struct Found<'a> {
    /// The path of every state dict, and its tensors by name.
    pub dicts: Vec<(String, Vec<(&'a str, Id)>)>,
    /// Notes of the parts that were left out.
    pub notes: Vec<String>,
}

/// The state dicts inside of a value.
///
/// # Errors
/// Where there is none.
pub fn find<'a>(heap: &Heap<'a>, root: Id) -> Result<Found<'a>, String> {
    let mut search =
        Search { heap, seen: HashSet::new(), found: Found { dicts: Vec::new(), notes: Vec::new() } };
    search.dict(root, "", 0);
    let Search { mut found, .. } = search;
    if found.dicts.is_empty() {
        return Err(format!(
            "no state dict (names with tensors of floating-point numbers) is in it, but {}; save one with \
             torch.save(model.state_dict(), \"weights.pt\")",
            instead(heap, root)
        ));
    }
    if let [(path, _)] = found.dicts.as_slice()
        && !path.is_empty()
    {
        found.notes.insert(0, format!("the state dict is its entry {path:?}"));
    }
    Ok(found)
}

/// The content, in words, of a pickle without a state dict.
fn instead(heap: &Heap, root: Id) -> String {
    let items = match heap.get(root) {
        Value::Dict(items) if items.is_empty() => return "an empty dict".into(),
        Value::Dict(items) => items,
        Value::Sequence(_) => return "a list".into(),
        Value::Tensor(_) => return "a single tensor".into(),
        _ => return "neither a dict nor a list".into(),
    };
    let named: Vec<(&str, Id)> = items.iter().filter_map(|(k, v)| Some((heap.text(*k)?, *v))).collect();
    if named.is_empty() {
        return "a dict whose keys are no names".into();
    }
    if is_optimizer(&named) {
        return "the state of an optimizer".into();
    }
    let unread = named.iter().find_map(|(name, v)| Some((name, unread(heap, *v)?)));
    match unread {
        Some((name, kind)) => format!("a dict with {name:?}, a tensor that is {kind}"),
        None => format!(
            "a dict with the keys {}",
            quoted(&named.iter().map(|(name, _)| *name).collect::<Vec<_>>())
        ),
    }
}

/// Of which type a tensor is whose numbers are not read; `None` for every other value.
fn unread<'h>(heap: &'h Heap, id: Id) -> Option<&'h str> {
    let Value::Tensor(tensor) = heap.get(id) else { return None };
    match tensor.as_ref() {
        Strided::Unread(kind) => Some(kind),
        Strided::Read { storage, numbers, .. } => match (numbers, heap.get(*storage)) {
            (Some(Numbers::Other(dtype, _)), _) => Some(dtype),
            (None, Value::Storage(Storage { numbers: Numbers::Other(dtype, _), .. })) => Some(dtype),
            _ => None,
        },
    }
}

struct Search<'h, 'a> {
    heap: &'h Heap<'a>,
    seen: HashSet<Id>,
    found: Found<'a>,
}

impl Search<'_, '_> {
    fn dict(&mut self, id: Id, path: &str, depth: usize) {
        let Value::Dict(items) = self.heap.get(id) else { return };
        if depth > DEEPEST || !self.seen.insert(id) {
            return;
        }
        let items = items.iter().filter_map(|(key, value)| Some((self.heap.text(*key)?, *value)));
        let items: Vec<(&str, Id)> = items.collect();
        if is_optimizer(&items) {
            self.found.notes.push(format!("{} is the state of an optimizer, and left out", place(path)));
            return;
        }
        let below: Vec<(&str, Id)> = items.iter().copied().filter(|(_, v)| self.holds_dict(*v)).collect();
        let tensors: Vec<(&str, Id)> =
            items.iter().copied().filter(|(_, v)| matches!(self.heap.get(*v), Value::Tensor(_))).collect();
        let before = self.found.dicts.len();
        for (name, value) in below {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            match self.heap.get(value) {
                Value::Sequence(_) => self.optimizers(value, &path),
                _ => self.dict(value, &path, depth + 1),
            }
        }
        // Beside state dicts a number or a row of them is a loss or a history; by itself it may be a bias.
        let least = if self.found.dicts.len() > before { 2 } else { 1 };
        if tensors.iter().any(|(_, v)| self.float_dimensions(*v).is_some_and(|n| n >= least)) {
            self.found.dicts.push((path.to_owned(), tensors));
        } else if !tensors.is_empty() && self.found.dicts.len() > before {
            let names: Vec<&str> = tensors.iter().map(|(name, _)| *name).collect();
            self.found.notes.push(format!("left out beside the state dicts: {}", quoted(&names)));
        }
    }

    /// Whether a value is a dict that something may be in, or a list of such.
    fn holds_dict(&self, id: Id) -> bool {
        match self.heap.get(id) {
            Value::Dict(items) => !items.is_empty(),
            Value::Sequence(items) => {
                items.first().is_some_and(|i| matches!(self.heap.get(*i), Value::Dict(d) if !d.is_empty()))
            }
            _ => false,
        }
    }

    /// Lists are looked at only to say that optimizers were seen.
    fn optimizers(&mut self, id: Id, path: &str) {
        let Value::Sequence(items) = self.heap.get(id) else { return };
        let first = items.first().map(|i| self.heap.get(*i));
        let Some(Value::Dict(items)) = first else { return };
        let items: Vec<(&str, Id)> =
            items.iter().filter_map(|(k, v)| Some((self.heap.text(*k)?, *v))).collect();
        if is_optimizer(&items) {
            self.found.notes.push(format!("{} is the state of an optimizer, and left out", place(path)));
        }
    }

    /// How many dimensions a tensor of floating-point numbers has; `None` for everything else.
    fn float_dimensions(&self, id: Id) -> Option<usize> {
        let Value::Tensor(tensor) = self.heap.get(id) else { return None };
        let Strided::Read { storage, numbers, shape, .. } = tensor.as_ref() else { return None };
        let Value::Storage(Storage { numbers: stored, .. }) = self.heap.get(*storage) else { return None };
        matches!(numbers.unwrap_or(*stored), Numbers::Float(_)).then_some(shape.len())
    }
}

/// As every optimizer of torch has it.
fn is_optimizer(items: &[(&str, Id)]) -> bool {
    ["state", "param_groups"].iter().all(|name| items.iter().any(|(key, _)| key == name))
}

fn place(path: &str) -> String {
    if path.is_empty() { "all of it".into() } else { format!("{path:?}") }
}
