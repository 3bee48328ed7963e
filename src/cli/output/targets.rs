//! `--output FORMAT=PATH`: where the verdict goes beside the report. Looked at before any work starts, so
//! that a bad path fails in a second and not after an hour.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};

use super::print;
use crate::report::format::{FORMATS, Format, Subject};
use crate::report::{OutputDir, ReportError};
use crate::text::similar;

/// The path that means standard output.
const STDOUT: &str = "-";

/// Formats, and where each goes.
pub struct Targets(Vec<Target>);

struct Target {
    format: &'static Format,
    destination: Destination,
}

enum Destination {
    Stdout,
    /// A file that is put into place whole.
    File(PathBuf),
    /// No file, but a pipe, a device, something inherited. Open from the beginning.
    Open(PathBuf, File),
}

impl Targets {
    /// Parses the words, each `FORMAT=PATH`, and looks at every path. None of the files may be one of `taken`, which are read or
    /// written otherwise.
    ///
    /// # Errors
    /// One sentence about a word that means nothing, or a path that cannot be written.
    pub fn open(words: &[OsString], taken: &[&Path]) -> anyhow::Result<Self> {
        let mut targets = Vec::new();
        let mut places: Vec<PathBuf> = taken.iter().map(|path| resolved(path)).collect();
        for word in words {
            let (format, path) = parse(word)?;
            if path == Path::new(STDOUT) {
                ensure!(!places.contains(&path), "--output: only one format can go to standard output");
                places.push(path);
                targets.push(Target { format, destination: Destination::Stdout });
                continue;
            }
            let resolved = resolved(&path);
            ensure!(
                !places.contains(&resolved),
                "--output {}: this file is already read or written here; choose another",
                word.display()
            );
            places.push(resolved);
            let destination = looked_at(path).with_context(|| format!("--output {}", word.display()))?;
            targets.push(Target { format, destination });
        }
        Ok(Self(targets))
    }

    /// Whether standard output is taken, so that nothing else may be printed there.
    pub fn take_stdout(&self) -> bool {
        self.0.iter().any(|t| matches!(t.destination, Destination::Stdout))
    }

    /// The name of a format that tells of one run as it is, if there is one among them.
    pub fn of_a_single_run(&self) -> Option<&'static str> {
        self.0.iter().map(|t| t.format).find(|f| !f.of_findings).map(|f| f.name)
    }

    /// Writes every format, each whole or not at all.
    pub fn write(&self, subject: &Subject) -> anyhow::Result<()> {
        for Target { format, destination } in &self.0 {
            let text = format.text(subject)?;
            match destination {
                Destination::Stdout => print(&text)?,
                Destination::File(path) => put(path, &text)?,
                Destination::Open(path, file) => {
                    let mut file = file;
                    file.write_all(text.as_bytes())
                        .map_err(|source| ReportError::Write { path: path.clone(), source })?;
                }
            }
        }
        Ok(())
    }
}

fn parse(word: &OsStr) -> anyhow::Result<(&'static Format, PathBuf)> {
    let names: Vec<&str> = FORMATS.iter().map(|f| f.name).collect();
    let known = names.join(", ");
    let Some((name, path)) = split(word) else {
        bail!(
            "--output {}: wants FORMAT=PATH, such as junit=report.xml; formats are {}",
            word.display(),
            known
        )
    };
    let format = Format::named(&name).ok_or_else(|| {
        let near = similar(&name, names).first().map(|n| format!(" (did you mean {n}?)"));
        anyhow!("--output: there is no format {name:?}{}; there are {}", near.unwrap_or_default(), known)
    })?;
    ensure!(!path.as_os_str().is_empty(), "--output {name}= names no file; - is standard output");
    Ok((format, path))
}

/// The name and the path, which need not be UTF-8.
fn split(word: &OsStr) -> Option<(String, PathBuf)> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let bytes = word.as_bytes();
        let at = bytes.iter().position(|b| *b == b'=')?;
        let name = String::from_utf8_lossy(&bytes[..at]).into_owned();
        Some((name, OsStr::from_bytes(&bytes[at + 1..]).into()))
    }
    #[cfg(not(unix))]
    {
        let (name, path) = word.to_str()?.split_once('=')?;
        Some((name.to_owned(), path.into()))
    }
}

/// The same for two names of one file, whether or not it is there.
fn resolved(path: &Path) -> PathBuf {
    let in_its_directory = fs::canonicalize(parent(path)).ok().zip(path.file_name());
    let absolute = in_its_directory.map(|(directory, name)| directory.join(name));
    fs::canonicalize(path).ok().or(absolute).unwrap_or_else(|| path.to_owned())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Finds out whether it can be written, and leaves nothing behind.
fn looked_at(path: PathBuf) -> anyhow::Result<Destination> {
    let cannot = |source| ReportError::Target { path: path.clone(), source };
    match fs::metadata(&path) {
        Ok(there) if there.is_dir() => bail!("{} is a directory: give the name of a file", path.display()),
        Ok(there) if !there.is_file() => {
            let file = File::options().write(true).open(&path).map_err(cannot)?;
            return Ok(Destination::Open(path, file));
        }
        Ok(there) if there.permissions().readonly() => {
            return Err(cannot(std::io::ErrorKind::PermissionDenied.into()).into());
        }
        _ => {}
    }
    // Made when it is written; until then it must be possible.
    match OutputDir::check(parent(&path), true) {
        Err(ReportError::NotADirectory { path }) => bail!("{} is a file and no directory", path.display()),
        checked => checked?,
    };
    Ok(Destination::File(path))
}

fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    // A link stays a link, and what it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |source| ReportError::Write { path: path.clone(), source };
    let directory = OutputDir::check(parent(&path), true)?;
    directory.create()?;
    // A path that ends in ".." is a directory, and has been refused.
    let name = path.file_name().unwrap_or_default();
    directory.put(name, |out| out.write_all(text.as_bytes())).map_err(failed)?;
    Ok(())
}
