//! The archive that torch.save writes since PyTorch 1.6.

use super::super::CheckpointError;
use super::super::archive::Archive;
use super::super::content::Content;
use super::super::place::Source;
use super::machine;
use super::tensors::content;
/// Longest pickle beside the numbers, which are not in it.
pub const LONGEST_PICKLE: u64 = 256 << 20;
/// Longest of the small files that say how the archive was written.
const LONGEST_NOTE: u64 = 1 << 16;

/// Reads an archive of torch.save.
pub fn read(source: &Source) -> Result<Content, CheckpointError> {
    let archive = Archive::open(source)?;
    let path = &source.path;
    let invalid = CheckpointError::in_file(path);
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
    content(&heap, value, &|key| archive.get(&format!("{root}data/{key}")).cloned()).map_err(invalid)
}

/// The kind of an archive, by the names of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Weights as torch.save writes them.
    Weights,
    /// A program of TorchScript.
    Program,
    /// One of torch.export.
    Exported,
    /// None of these.
    Other,
}

impl Holds {
    /// Tells the kind of this archive.
    pub fn detect(archive: &Archive) -> Self {
        let root = root(archive);
        let prefix = root.as_deref().unwrap_or_default();
        let names: Vec<&str> = archive.names().map(|n| n.strip_prefix(prefix).unwrap_or(n)).collect();
        let exported = ["serialized_exported_program.json", "models/model.json", "archive_format"];
        if names.iter().any(|name| exported.iter().any(|end| name.ends_with(end))) {
            Self::Exported
        } else if names.iter().any(|name| name.ends_with("constants.pkl") || name.starts_with("code/")) {
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
    match Holds::detect(archive) {
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
