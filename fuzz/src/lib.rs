//! What the fuzz targets share: readers take paths, so what is to be read lies in a directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gradscope::checkpoint;

/// The fixtures that inputs are mixed with.
pub const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures");

/// A directory that lasts as long as the process.
pub fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| tempfile::tempdir().expect("a temporary directory").keep())
}

/// A file of this name with these bytes.
pub fn file(name: &str, data: &[u8]) -> PathBuf {
    let path = directory().join(name);
    fs::write(&path, data).expect("a file in the temporary directory");
    path
}

/// Measures these bytes as a checkpoint; what is read must also be fit for a verdict.
pub fn inspect(name: &str, data: &[u8]) {
    if let Ok((record, _)) = checkpoint::record(&[file(name, data)], Vec::new()) {
        gradscope::diagnose::diagnose(&record, &Default::default());
    }
}
