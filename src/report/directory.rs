//! The directory that a report is written into.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::{ReportError, compare, diff, summary, sweep};
use crate::record::settings::Named;
use crate::record::{Compression, prefix};

/// The record's place in a report directory.
pub const RECORD_FILE: &str = "record.jsonl";
/// The place of the plots in a report directory.
pub(super) const PLOTS: &str = "plots";
/// Stands near the beginning of every plot that gradscope draws.
const PLOT_SIGNATURE: &str = "class=\"gs\"";
/// Bytes of a file that are enough to tell what wrote it.
const SIGNATURE_LENGTH: u64 = 4_096;

/// A file to be written.
pub(super) struct File {
    /// Relative to the report directory.
    pub(super) path: String,
    pub(super) content: String,
}

impl File {
    pub(super) fn new(path: impl Into<String>, content: String) -> Self {
        Self { path: path.into(), content }
    }
}

/// A directory that may be written into: either gradscope's own, or empty, or to be made.
///
/// Two steps, so that a bad path is an error before the work starts and nothing is left behind by a
/// request that fails for another reason: [`check`](Self::check) touches nothing,
/// [`create`](Self::create) makes the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputDir {
    path: PathBuf,
}

impl OutputDir {
    /// Looks whether this directory can be written into, and may be. `force` allows a directory with
    /// files that gradscope did not write; even then only its own files are replaced.
    ///
    /// # Errors
    /// [`ReportError`], always one of wrong usage.
    pub fn check(path: &Path, force: bool) -> Result<Self, ReportError> {
        if path.as_os_str().is_empty() {
            return Err(ReportError::NoPath);
        }
        let mut existing = path;
        while !existing.try_exists().map_err(|e| unusable(existing, e))? {
            existing = match existing.parent() {
                Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
                Some(parent) => parent,
                None => break,
            };
        }
        // A link to nowhere does not exist and yet nothing can be made in its place.
        if path.is_symlink() && !path.exists() {
            return Err(ReportError::NotADirectory { path: path.into() });
        }
        if !existing.is_dir() {
            return Err(ReportError::NotADirectory { path: existing.into() });
        }
        if existing == path && !force && !is_empty(path)? && !is_own(path) {
            return Err(ReportError::Foreign { path: path.into() });
        }
        // Permission bits do not tell (root, read-only mounts), so it is tried: a file without a name
        // or, where there is no such thing, one that is gone at once.
        tempfile::tempfile_in(existing).map_err(ReportError::not_writable(existing))?;
        Ok(Self { path: path.into() })
    }

    /// Makes the directory, if it is not there.
    ///
    /// # Errors
    /// [`ReportError::NotWritable`].
    pub fn create(&self) -> Result<(), ReportError> {
        fs::create_dir_all(&self.path).map_err(ReportError::not_writable(&self.path))
    }

    /// Makes a directory that was not there: this one, or the first of `<name>-2`, `<name>-3`, … that is
    /// free, so that runs started in the same second do not share one.
    ///
    /// # Errors
    /// [`ReportError::NotWritable`].
    pub fn create_new(&mut self) -> Result<(), ReportError> {
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent).map_err(ReportError::not_writable(parent))?;
        }
        let name = self.path.file_name().unwrap_or_default().to_owned();
        for number in 2u64.. {
            match fs::create_dir(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let mut next = name.clone();
                    next.push(format!("-{number}"));
                    self.path.set_file_name(next);
                }
                made => return made.map_err(ReportError::not_writable(&self.path)),
            }
        }
        Ok(())
    }

    /// Path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a record of this packing belongs.
    pub fn record(&self, packing: Compression) -> PathBuf {
        self.path.join(packing.file_name(RECORD_FILE))
    }

    /// Removes records of gradscope that are packed otherwise: of an earlier run.
    ///
    /// # Errors
    /// [`ReportError::Write`].
    pub fn keep_only(&self, packing: Compression) -> Result<(), ReportError> {
        for other in Compression::ALL.iter().copied().filter(|other| *other != packing) {
            let path = self.record(other);
            if is_of(&path, RECORD_FAMILY) {
                fs::remove_file(&path).map_err(ReportError::write(&path))?;
            }
        }
        Ok(())
    }

    /// Puts a whole report into place.
    ///
    /// Every file is first written, in full, under a temporary name; only when all of them are on the
    /// disk do they take their names, and plots of an earlier report that have no successor go. So a
    /// disk that fills leaves the earlier report as it was.
    pub(super) fn replace(&self, files: &[File]) -> Result<Vec<PathBuf>, ReportError> {
        self.create()?;
        let plots = self.path.join(PLOTS);
        fs::create_dir_all(&plots).map_err(ReportError::write(&plots))?;
        let staged: Result<Vec<(TempPath, PathBuf)>, ReportError> =
            files.iter().map(|file| self.stage(file)).collect();
        // Goes only if it is empty: nothing half-written stays behind, and no place for plots without one.
        let _ = fs::remove_dir(&plots);
        let staged = staged?;
        let mut written: Vec<PathBuf> = Vec::with_capacity(files.len());
        for (temporary, target) in staged {
            temporary.persist(&target).map_err(|e| ReportError::write(&target)(e.error))?;
            written.push(target);
        }
        for stale in earlier_plots(&plots).filter(|path| !written.contains(path)) {
            fs::remove_file(&stale).map_err(ReportError::write(&stale))?;
        }
        Ok(written)
    }

    /// Puts one more file into place, whole or not at all.
    ///
    /// # Errors
    /// The error of the system.
    pub fn put(
        &self,
        name: impl AsRef<Path>,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut temporary = temporary_file().tempfile_in(&self.path)?;
        write(&mut io::BufWriter::new(temporary.as_file_mut()))?;
        temporary.as_file().sync_all()?;
        temporary.persist(self.path.join(name))?;
        Ok(())
    }

    fn stage(&self, file: &File) -> Result<(TempPath, PathBuf), ReportError> {
        let target = self.path.join(&file.path);
        let path = self.write_beside(&target, &file.content).map_err(ReportError::write(&target))?;
        Ok((path, target))
    }

    /// Writes a content under a temporary name in the directory of its target.
    fn write_beside(&self, target: &Path, content: &str) -> io::Result<TempPath> {
        // Found out now, and not when half of the files are in place.
        if target.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let beside = target.parent().unwrap_or(&self.path);
        let mut temporary = temporary_file().tempfile_in(beside)?;
        temporary.as_file_mut().write_all(content.as_bytes())?;
        // Some file systems say only now that there was no room.
        temporary.as_file().sync_all()?;
        Ok(temporary.into_temp_path())
    }
}

/// Plots of this and of an earlier report; a picture that somebody else put there is none.
fn earlier_plots(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| is_plot(path))
}

fn is_plot(path: &Path) -> bool {
    let svg = path.extension().is_some_and(|e| e == "svg") && path.is_file();
    svg && prefix(path, SIGNATURE_LENGTH)
        .is_ok_and(|text| text.starts_with("<svg ") && text.contains(PLOT_SIGNATURE))
}

/// Readable by whoever may read other new files, unlike temporary files by default.
fn temporary_file() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gradscope-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// A file in the middle of a path is "not a directory" to the system; everything else is named as it
/// is.
fn unusable(path: &Path, error: io::Error) -> ReportError {
    match path.ancestors().find(|p| p.is_file()) {
        Some(file) if error.kind() == io::ErrorKind::NotADirectory => {
            ReportError::NotADirectory { path: file.into() }
        }
        _ => ReportError::not_writable(path)(error),
    }
}

fn is_empty(path: &Path) -> Result<bool, ReportError> {
    let mut entries = fs::read_dir(path).map_err(ReportError::not_writable(path))?;
    Ok(entries.next().is_none())
}

/// Files that tell that gradscope wrote what is here, with the family of their schema: the record of a
/// run, its summary where a record from elsewhere was rendered, and what stands over several runs.
const OWN: [(&str, &str); 4] = [
    (summary::FILE_NAME, "gradscope.summary/"),
    (compare::FILE_NAME, "gradscope.compare/"),
    (sweep::FILE_NAME, "gradscope.sweep/"),
    (diff::FILE_NAME, "gradscope.diff/"),
];

/// The family of a record's schema.
const RECORD_FAMILY: &str = "gradscope.record/";

fn is_own(path: &Path) -> bool {
    Compression::ALL.iter().any(|packing| is_of(&path.join(packing.file_name(RECORD_FILE)), RECORD_FAMILY))
        || OWN.iter().any(|(file, family)| is_of(&path.join(file), family))
}

/// Whether a file says that it is of this family of schemas.
fn is_of(path: &Path, family: &str) -> bool {
    prefix(path, SIGNATURE_LENGTH).is_ok_and(|text| text.contains(&format!("\"{family}")))
}
