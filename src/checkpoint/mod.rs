//! Checkpoints → a record that holds weights alone, without a tensor library: `.safetensors`, `.pt` and
//! `.pth` of torch.save, `.npz` and `.npy`.
//!
//! A reader per format (`safetensors`, `torch`, `numpy`) says which tensors lie where in a file, and
//! checks that before memory is taken; `tensor` reads their values piece by piece, so that a file of any
//! size needs little memory; `layers` tells weights and biases apart by their names; `measure` makes a
//! record of one file, or of several in the order of training; `script` tells TorchScript programs, which are
//! trained, from all of these. Files are read and not mapped into
//! memory: one that is cut while it is read is an error, and no crash.

mod archive;
mod dtype;
mod error;
mod layers;
mod measure;
mod numpy;
mod place;
mod safetensors;
mod script;
mod tensor;
mod torch;

pub use error::CheckpointError;
#[doc(hidden)]
pub use layers::{Named, group};
pub use measure::record;
#[doc(hidden)]
pub use script::Program;

use std::path::{Path, PathBuf};

use archive::Archive;
use place::Source;
use tensor::Tensor;

/// Bytes that tell what a file is.
const BEGINNING: u64 = 16;
/// Names that a message lists, at most.
const LISTED: usize = 4;
/// The files of a model directory, the first that is there.
const IN_DIRECTORY: [&str; 2] = ["model.safetensors.index.json", "model.safetensors"];

/// What a file holds, not yet read.
#[derive(Debug, Default)]
struct Content {
    /// Tensors of floating-point numbers.
    tensors: Vec<Tensor>,
    /// Tensors of others.
    left_out: Vec<LeftOut>,
    /// What whoever gave the file should know.
    notes: Vec<String>,
}

/// A tensor that is not read.
#[derive(Debug)]
struct LeftOut {
    name: String,
    /// Its type.
    dtype: String,
}

impl Content {
    fn leave_out(&mut self, name: String, dtype: String) {
        self.left_out.push(LeftOut { name, dtype });
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|t| t.name.as_str()).chain(self.left_out.iter().map(|l| l.name.as_str()))
    }

    /// `block.2` before `block.10`.
    fn sort_by_name(&mut self) {
        self.tensors.sort_by_cached_key(|t| natural(&t.name));
    }
}

/// The parts of a name, numbers by their size.
fn natural(name: &str) -> Vec<(u64, String)> {
    let part = |part: &str| (part.parse().unwrap_or(u64::MAX), part.to_owned());
    name.split('.').map(part).collect()
}

/// Looks into a file, or a directory with a model in it.
fn open(path: &Path) -> Result<Content, CheckpointError> {
    let invalid = |reason: String| CheckpointError::invalid(path, reason);
    let source = Source::open(file_of(path)?)?;
    let beginning =
        source.bytes(0, BEGINNING.min(source.length) as usize).map_err(CheckpointError::read(path))?;
    let named = |end: &str| source.path.extension().is_some_and(|e| e.eq_ignore_ascii_case(end));
    let content = if beginning.is_empty() {
        return Err(invalid("it is empty".into()));
    } else if beginning.starts_with(numpy::MAGIC) {
        numpy::read_array(&source)?
    } else if Archive::is_one(&beginning) {
        if named("npz") { numpy::read_archive(&source)? } else { torch::read(&source)? }
    } else if torch::is_legacy(&beginning) {
        torch::read_legacy(&source)?
    } else if named("json") {
        safetensors::read_index(&source)?
    } else if named("safetensors") || beginning.get(8) == Some(&b'{') {
        safetensors::read(&source)?
    } else if named("pt") || named("pth") || named("bin") || named("ckpt") || named("npz") {
        return Err(invalid(
            "it is cut short or no checkpoint: it begins neither as a file of torch.save nor as one of np.savez".into(),
        ));
    } else {
        return Err(invalid(
            "it is no checkpoint that can be read: .safetensors, .pt or .pth of torch.save, .npz or .npy"
                .into(),
        ));
    };
    if content.tensors.is_empty() {
        return Err(invalid("it holds no floating-point numbers, and so no weights".into()));
    }
    Ok(content)
}

/// The file itself, or that of a model directory.
fn file_of(path: &Path) -> Result<PathBuf, CheckpointError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let inside = IN_DIRECTORY.iter().map(|name| path.join(name)).find(|file| file.is_file());
    inside.ok_or_else(|| {
        CheckpointError::invalid(
            path,
            format!("it is a directory, and neither {} is in it", IN_DIRECTORY.join(" nor ")),
        )
    })
}

/// Names in a sentence, the first few where they are many.
fn quoted(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|n| format!("{n:?}")).collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
