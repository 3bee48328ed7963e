//! Reads a pickle as data. It is a program for a small machine, and this one can build dicts, lists and
//! numbers; a name in it is looked up in [`globals`](super::globals), and nothing is ever called.
//!
//! The opcodes are those of Lib/pickle.py, protocols 0 to 5.

use std::collections::HashMap;

use super::globals::known;
use super::value::{Id, Known, Numbers, Storage, Strided, Value};

/// Values of a pickle, at most: a checkpoint of 100,000 tensors has three million.
const MAX_VALUES: usize = 16_000_000;
/// Dimensions of a tensor, at most.
const MAX_DIMENSIONS: usize = 64;
/// Arguments of what is called, at most: a tensor has nine.
const MAX_ARGUMENTS: usize = 64;
/// Longest line of the opcodes that end with one: names and numbers.
const LONGEST_LINE: usize = 4_096;

/// Every value of a pickle. They point at each other by their place, so that neither depth nor circles
/// can do harm.
#[derive(Debug)]
pub struct Heap<'a> {
    pickle: &'a [u8],
    values: Vec<Value>,
}

impl<'a> Heap<'a> {
    /// A value of the pickle.
    pub fn get(&self, id: Id) -> &Value {
        self.values.get(id as usize).unwrap_or(&Value::Opaque)
    }

    /// All of them.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }

    /// A text of the pickle.
    pub fn text(&self, id: Id) -> Option<&'a str> {
        let Value::Text { start, length } = self.get(id) else { return None };
        let bytes = self.pickle.get(*start as usize..)?.get(..*length as usize)?;
        std::str::from_utf8(bytes).ok()
    }

    fn integer(&self, id: Id) -> Option<u64> {
        match self.get(id) {
            Value::Integer(i) => u64::try_from(*i).ok(),
            _ => None,
        }
    }

    fn integers(&self, id: Id) -> Option<Vec<u64>> {
        let Value::Sequence(items) = self.get(id) else { return None };
        if items.len() > MAX_DIMENSIONS { None } else { items.iter().map(|i| self.integer(*i)).collect() }
    }
}

/// The values of a pickle, and its end.
///
/// # Errors
/// What is wrong with it, or which name it asks for that is refused.
pub fn read(pickle: &[u8]) -> Result<(Heap<'_>, Id, usize), String> {
    let heap = Heap { pickle, values: Vec::new() };
    let mut machine =
        Machine { heap, at: 0, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), copied: 0 };
    loop {
        if let Some(result) = machine.step()? {
            return Ok((machine.heap, result, machine.at));
        }
    }
}

struct Machine<'a> {
    heap: Heap<'a>,
    at: usize,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Items of lists and dicts that were copied.
    copied: usize,
}

impl<'a> Machine<'a> {
    /// Does one thing; gives the result where that was the last.
    fn step(&mut self) -> Result<Option<Id>, String> {
        let opcode = self.bytes(1)?[0];
        match opcode {
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b')' | b']' | 0x8f => self.push(Value::Sequence(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b'0' => self.drop_one()?,
            b'1' => drop(self.marked()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Value::None)?,
            0x88 | 0x89 => self.push(Value::Integer(i64::from(opcode == 0x88)))?,
            b'J' => self.number::<4>(|b| i64::from(i32::from_le_bytes(b)))?,
            b'K' => self.number::<1>(|b| i64::from(b[0]))?,
            b'M' => self.number::<2>(|b| i64::from(u16::from_le_bytes(b)))?,
            0x8a => {
                let length = self.bytes(1)?[0];
                self.long(usize::from(length))?;
            }
            0x8b => {
                let length = self.length(4)?;
                self.long(length)?;
            }
            b'I' | b'L' => {
                let line = self.line()?.trim_end_matches('L');
                let value = line.parse().map_or(Value::Opaque, Value::Integer);
                self.push(value)?;
            }
            b'F' => {
                self.line()?;
                self.push(Value::Opaque)?;
            }
            b'G' => {
                self.bytes(8)?;
                self.push(Value::Opaque)?;
            }
            b'X' | b'T' => self.text(4)?,
            0x8c | b'U' => self.text(1)?,
            0x8d => self.text(8)?,
            b'V' | b'S' => {
                let start = self.at;
                let quotes = usize::from(opcode == b'S');
                let length = self.line()?.len().saturating_sub(2 * quotes);
                self.push(Value::Text { start: (start + quotes) as u32, length: length as u32 })?;
            }
            b'B' => self.skip(4)?,
            b'C' => self.skip(1)?,
            0x8e | 0x96 => self.skip(8)?,
            0x80 => drop(self.bytes(1)?),
            0x95 => drop(self.bytes(8)?),
            b't' | b'l' | 0x91 => {
                let items = self.marked()?;
                self.push(Value::Sequence(items))?;
            }
            0x85..=0x87 => {
                let mut items = (0x85..=opcode).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                self.push(Value::Sequence(items))?;
            }
            b'd' => {
                let items = self.marked()?;
                self.push(Value::Dict(items.as_chunks().0.iter().map(|[k, v]| (*k, *v)).collect()))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.marked()?;
                self.append(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.marked()?;
                self.set(&items)?;
            }
            b'p' => {
                let key = self.line()?.parse().map_err(|_| self.broken())?;
                self.remember(key)?;
            }
            b'q' => {
                let key = u32::from(self.bytes(1)?[0]);
                self.remember(key)?;
            }
            b'r' => {
                let key = self.length(4)? as u32;
                self.remember(key)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'g' => {
                let key = self.line()?.parse().map_err(|_| self.broken())?;
                self.recall(key)?;
            }
            b'h' => {
                let key = u32::from(self.bytes(1)?[0]);
                self.recall(key)?;
            }
            b'j' => {
                let key = self.length(4)? as u32;
                self.recall(key)?;
            }
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.global(module, name)?;
            }
            0x93 => {
                let [name, module] = [self.pop()?, self.pop()?];
                let (Some(module), Some(name)) = (self.heap.text(module), self.heap.text(name)) else {
                    return Err(self.broken());
                };
                self.global(module, name)?;
            }
            b'i' => {
                let module = self.line()?;
                let name = self.line()?;
                return Err(refused(module, name));
            }
            b'Q' => self.storage()?,
            b'R' => self.reduce()?,
            // Objects of a class, by their arguments: what is known has none that matter.
            0x81 => self.object(1)?,
            0x92 => self.object(2)?,
            // The attributes of an object, such as the `_metadata` of a state dict.
            b'b' => self.drop_one()?,
            other => {
                return Err(format!(
                    "its pickle has the opcode {other:#04x}, which torch.save does not write"
                ));
            }
        }
        Ok(None)
    }

    fn broken(&self) -> String {
        format!("its pickle is damaged at byte {}", self.at)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(length).ok_or_else(|| self.broken())?;
        let bytes = self.heap.pickle.get(self.at..end).ok_or("its pickle is cut short")?;
        self.at = end;
        Ok(bytes)
    }

    /// A length in so many bytes.
    fn length(&mut self, width: usize) -> Result<usize, String> {
        let bytes = self.bytes(width)?;
        let length = bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
        usize::try_from(length).map_err(|_| self.broken())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.heap.pickle[self.at..];
        let end = rest.iter().take(LONGEST_LINE).position(|b| *b == b'\n').ok_or_else(|| self.broken())?;
        let line = std::str::from_utf8(&rest[..end]).map_err(|_| self.broken())?;
        self.at += end + 1;
        Ok(line)
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        if self.heap.values.len() == MAX_VALUES {
            return Err(format!("its pickle holds more than {MAX_VALUES} values: no checkpoint does"));
        }
        self.stack.push(self.heap.values.len() as Id);
        self.heap.values.push(value);
        Ok(())
    }

    fn number<const N: usize>(&mut self, of: fn([u8; N]) -> i64) -> Result<(), String> {
        let bytes = self.bytes(N)?.try_into().map_err(|_| self.broken())?;
        self.push(Value::Integer(of(bytes)))
    }

    /// A whole number of any length; one beyond 64 bits is no size of a tensor.
    fn long(&mut self, length: usize) -> Result<(), String> {
        let bytes = self.bytes(length)?;
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut wide = if negative { [0xff; 8] } else { [0; 8] };
        let value = match wide.get_mut(..length) {
            Some(low) => {
                low.copy_from_slice(bytes);
                Value::Integer(i64::from_le_bytes(wide))
            }
            None => Value::Opaque,
        };
        self.push(value)
    }

    fn text(&mut self, width: usize) -> Result<(), String> {
        let length = self.length(width)?;
        let start = self.at;
        self.bytes(length)?;
        self.push(Value::Text { start: start as u32, length: length as u32 })
    }

    fn skip(&mut self, width: usize) -> Result<(), String> {
        let length = self.length(width)?;
        self.bytes(length)?;
        self.push(Value::Opaque)
    }

    fn pop(&mut self) -> Result<Id, String> {
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return Err(self.broken());
        }
        self.stack.pop().ok_or_else(|| self.broken())
    }

    fn drop_one(&mut self) -> Result<(), String> {
        self.pop().map(drop)
    }

    fn top(&self) -> Result<Id, String> {
        self.stack.last().copied().ok_or_else(|| self.broken())
    }

    /// Everything since the last mark.
    fn marked(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().filter(|m| *m <= self.stack.len()).ok_or_else(|| self.broken())?;
        Ok(self.stack.split_off(mark))
    }

    fn append(&mut self, items: &[Id]) -> Result<(), String> {
        let list = self.top()?;
        match &mut self.heap.values[list as usize] {
            Value::Sequence(all) => all.extend_from_slice(items),
            Value::Opaque => {}
            _ => return Err(self.broken()),
        }
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Result<(), String> {
        let dict = self.top()?;
        match &mut self.heap.values[dict as usize] {
            Value::Dict(all) => all.extend(items.as_chunks().0.iter().map(|[k, v]| (*k, *v))),
            Value::Opaque => {}
            _ => return Err(self.broken()),
        }
        Ok(())
    }

    fn remember(&mut self, key: u32) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), String> {
        let id = *self.memo.get(&key).ok_or_else(|| self.broken())?;
        self.stack.push(id);
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), String> {
        let known = known(module, name).ok_or_else(|| refused(module, name))?;
        self.push(Value::Known(known))
    }

    /// `('storage', type, key, location, count)`, which stands for a file of the archive. Files before PyTorch 1.6
    /// have a sixth part, which is not None where the storage is a view of another: its values then begin further on.
    fn storage(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        let Value::Sequence(parts) = self.heap.get(id) else { return Err(self.broken()) };
        let &[tag, numbers, key, _, count, ref view @ ..] = parts.as_slice() else {
            return Err(self.broken());
        };
        if view.iter().any(|part| !matches!(self.heap.get(*part), Value::None)) {
            return Err(
                "a storage in it is a view of another, as before PyTorch 0.4: load it with torch.load and \
                        save it again with torch.save"
                    .into(),
            );
        }
        let (Some("storage"), Value::Known(Known::Numbers(numbers)), Some(_), Some(count)) =
            (self.heap.text(tag), self.heap.get(numbers), self.heap.text(key), self.heap.integer(count))
        else {
            return Err(self.broken());
        };
        let storage = Storage { numbers: *numbers, key, count };
        self.push(Value::Storage(storage))
    }

    /// The value that a call would make, for the few that are known.
    fn reduce(&mut self) -> Result<(), String> {
        let [arguments, callable] = [self.pop()?, self.pop()?];
        let Value::Known(known) = *self.heap.get(callable) else { return Err(self.broken()) };
        let arguments = match self.heap.get(arguments) {
            Value::Sequence(arguments) if arguments.len() <= MAX_ARGUMENTS => arguments.clone(),
            _ => return Err(self.broken()),
        };
        if let (Known::Dict | Known::Sequence, Some(last)) = (known, arguments.last()) {
            self.copied += match self.heap.get(*last) {
                Value::Sequence(items) => items.len(),
                Value::Dict(items) => items.len(),
                _ => 0,
            };
            if self.copied > MAX_VALUES {
                return Err(self.broken());
            }
        }
        let value = match known {
            Known::Dict => self.dict(&arguments),
            Known::Sequence => match arguments.last().map(|a| self.heap.get(*a)) {
                Some(Value::Sequence(items)) => Value::Sequence(items.clone()),
                _ => Value::Sequence(Vec::new()),
            },
            Known::Tensor { typed } => self.tensor(&arguments, typed).ok_or_else(|| self.broken())?,
            Known::First => {
                let first = *arguments.first().ok_or_else(|| self.broken())?;
                self.stack.push(first);
                return Ok(());
            }
            Known::FromType => match self.value_of_type(&arguments) {
                Some(value) => value,
                None => Value::Opaque,
            },
            Known::Unread(kind) => Value::Tensor(Box::new(Strided::Unread(kind))),
            Known::Numbers(_) | Known::Opaque => Value::Opaque,
        };
        self.push(value)
    }

    /// The key and the value that a sequence of two stands for.
    fn pair(&self, id: Id) -> Option<(Id, Id)> {
        let Value::Sequence(pair) = self.heap.get(id) else { return None };
        <[Id; 2]>::try_from(pair.as_slice()).ok().map(|[key, value]| (key, value))
    }

    /// A dict of nothing, of another dict or of pairs; the first argument of a defaultdict is its default.
    fn dict(&self, arguments: &[Id]) -> Value {
        Value::Dict(match arguments.last().map(|a| self.heap.get(*a)) {
            Some(Value::Dict(items)) => items.clone(),
            Some(Value::Sequence(items)) => items.iter().filter_map(|id| self.pair(*id)).collect(),
            _ => Vec::new(),
        })
    }

    fn tensor(&self, arguments: &[Id], typed: bool) -> Option<Value> {
        let &[storage, first, shape, strides, ..] = arguments else { return None };
        let (shape, strides) = (self.heap.integers(shape)?, self.heap.integers(strides)?);
        let numbers = match arguments.get(6).filter(|_| typed).map(|id| self.heap.get(*id)) {
            Some(Value::Known(Known::Numbers(numbers))) => Some(*numbers),
            Some(_) => return None,
            None => None,
        };
        let whole = matches!(self.heap.get(storage), Value::Storage(_)) && shape.len() == strides.len();
        let first = self.heap.integer(first)?;
        whole.then(|| Value::Tensor(Box::new(Strided::Read { storage, numbers, first, shape, strides })))
    }

    /// `(function, type, arguments, state)`: how the plain tensor inside is made.
    fn value_of_type(&self, arguments: &[Id]) -> Option<Value> {
        let Value::Known(known) = *self.heap.get(*arguments.first()?) else { return None };
        let Value::Sequence(inner) = self.heap.get(*arguments.get(2)?) else { return None };
        match known {
            Known::Tensor { typed } => self.tensor(inner, typed),
            Known::First => match self.heap.get(*inner.first()?) {
                tensor @ Value::Tensor(_) => Some(tensor.clone()),
                _ => None,
            },
            Known::Unread(kind) => Some(Value::Tensor(Box::new(Strided::Unread(kind)))),
            _ => None,
        }
    }

    fn object(&mut self, arguments: usize) -> Result<(), String> {
        for _ in 0..arguments {
            self.pop()?;
        }
        let class = self.pop()?;
        match self.heap.get(class) {
            Value::Known(Known::Dict) => self.push(Value::Dict(Vec::new())),
            Value::Known(Known::Sequence) => self.push(Value::Sequence(Vec::new())),
            Value::Known(_) => self.push(Value::Opaque),
            _ => Err(self.broken()),
        }
    }
}

/// The message for a name that is not known.
fn refused(module: &str, name: &str) -> String {
    let name: String = format!("{module}.{name}").chars().filter(|c| !c.is_control()).take(200).collect();
    format!(
        "its pickle asks for {name}, which is code and no weight; nothing of it was run. Save the weights \
         alone: torch.save(model.state_dict(), \"weights.pt\"), where a model pickled as a whole is had by \
         torch.load(FILE, weights_only=False) from a file that you trust"
    )
}

impl Numbers {
    /// Bytes of a number.
    pub fn size(self) -> u64 {
        match self {
            Self::Float(dtype) => dtype.size(),
            Self::Other(_, size) => size,
            Self::Bytes => 1,
        }
    }
}
