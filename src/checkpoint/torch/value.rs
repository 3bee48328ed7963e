//! The values of a pickle, as data.

use super::super::dtype::Dtype;

/// Place of a value in the [`Heap`](super::machine::Heap).
pub type Id = u32;

/// A value of a pickle. Nothing in it can be called.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Anything that tells nothing of weights.
    Opaque,
    /// The None of Python.
    None,
    /// A truth value or a whole number.
    Integer(i64),
    /// Where a text stands in the pickle.
    Text { start: u32, length: u32 },
    /// A list, tuple or set.
    Sequence(Vec<Id>),
    /// A dict of any kind, in its order.
    Dict(Vec<(Id, Id)>),
    /// Something that torch.save writes a name for.
    Known(Known),
    /// The numbers that tensors lie in.
    Storage(Storage),
    /// A tensor over a storage.
    Tensor(Box<Strided>),
}

/// A type or function, by what it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// An ordered dict.
    Dict,
    /// A list, set or tuple of its argument.
    Sequence,
    /// A tensor: `_rebuild_tensor_v2` and the like; whether its type comes with it.
    Tensor { typed: bool },
    /// Its first argument: a parameter of a tensor.
    First,
    /// A tensor of its own class: the arguments hold how it is made.
    FromType,
    /// A tensor of a kind that is not read: its name.
    Unread(&'static str),
    /// A storage or number type.
    Numbers(Numbers),
    /// Something that tells nothing of weights.
    Opaque,
}

/// A type of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Numbers of floating point.
    Float(Dtype),
    /// Anything else: its name and bytes.
    Other(&'static str, u64),
    /// Bytes of any type, which the tensor names.
    Bytes,
}

/// The numbers that tensors lie in, by the name of their file.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// The type of the numbers.
    pub numbers: Numbers,
    /// The text beside it.
    pub key: Id,
    /// Numbers (of [`Numbers::Bytes`]: bytes) in it.
    pub count: u64,
}

/// A tensor in a storage.
#[derive(Clone, Debug, PartialEq)]
pub enum Strided {
    /// One that can be read.
    Read {
        /// The storage that it lies in.
        storage: Id,
        /// Its type, where that is not the storage's.
        numbers: Option<Numbers>,
        /// Numbers before its first.
        first: u64,
        /// The shape, output dimension first.
        shape: Vec<u64>,
        /// Numbers from one to the next along each dimension.
        strides: Vec<u64>,
    },
    /// One that cannot, such as a sparse or quantised one: its kind.
    Unread(&'static str),
}
