//! Tells what a file is, and reads it with the reader of its format.

use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::content::Content;
use super::place::Source;
use super::{CheckpointError, numpy, safetensors, torch};

/// Bytes that tell what a file is.
pub const BEGINNING: u64 = 16;
/// The files of a model directory, the first that is there.
const IN_DIRECTORY: [&str; 2] = ["model.safetensors.index.json", "model.safetensors"];

/// Looks into a file, or a directory with a model in it.
pub fn open(path: &Path) -> Result<Content, CheckpointError> {
    let invalid = CheckpointError::in_file(path);
    let source = Source::open(file_of(path)?)?;
    let beginning =
        source.bytes(0, BEGINNING.min(source.length) as usize).map_err(CheckpointError::read(path))?;
    let extension = source.path.extension().unwrap_or_default().to_ascii_lowercase();
    let extension = extension.to_string_lossy();
    let content = if beginning.is_empty() {
        return Err(invalid("it is empty".into()));
    } else if beginning.starts_with(numpy::MAGIC) {
        numpy::read_array(&source)?
    } else if Archive::is_one(&beginning) {
        if extension == "npz" { numpy::read_archive(&source)? } else { torch::read(&source)? }
    } else if torch::is_legacy(&beginning) {
        torch::read_legacy(&source)?
    } else if extension == "json" {
        safetensors::read_index(&source)?
    } else if extension == "safetensors" || beginning.get(8) == Some(&b'{') {
        safetensors::read(&source)?
    } else if matches!(&*extension, "pt" | "pth" | "bin" | "ckpt" | "npz") {
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
