//! The tensors of a file, before their values are read.

use super::tensor::Tensor;

/// The tensors of a file, not yet read.
#[derive(Debug, Default)]
pub struct Content {
    /// Tensors of floating-point numbers.
    pub tensors: Vec<Tensor>,
    /// Tensors of others.
    pub left_out: Vec<LeftOut>,
    /// Notes for whoever gave the file.
    pub notes: Vec<String>,
}

/// A tensor that is not read.
#[derive(Debug)]
pub struct LeftOut {
    /// Its name in the file.
    pub name: String,
    /// The type of its numbers.
    pub dtype: String,
}

impl Content {
    /// Notes a tensor that is not read.
    pub fn leave_out(&mut self, name: String, dtype: String) {
        self.left_out.push(LeftOut { name, dtype });
    }

    /// The names of all tensors, read or not.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|t| t.name.as_str()).chain(self.left_out.iter().map(|l| l.name.as_str()))
    }

    /// Sorts the tensors by name, `block.2` before `block.10`.
    pub fn sort_by_name(&mut self) {
        self.tensors.sort_by_cached_key(|t| natural(&t.name));
    }
}

/// The parts of a name, numbers by their size.
fn natural(name: &str) -> Vec<(u64, String)> {
    name.split('.').map(|part| (part.parse().unwrap_or(u64::MAX), part.to_owned())).collect()
}
