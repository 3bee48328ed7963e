//! What the tests of the program share: real processes, and their reports read back.
#![allow(dead_code)]

pub mod idx;
pub mod schemas;

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rawzip::{CompressionMethod, ZipArchiveWriter};
use serde_json::Value;

/// A directory of its own for one test, gone with it.
pub struct Scratch(tempfile::TempDir);

impl Drop for Scratch {
    /// Whatever was written is as the schemas say.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            schemas::hold(self.path());
        }
    }
}

impl Scratch {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs gradscope here, with words separated by blanks.
    pub fn gradscope(&self, words: &str) -> Ran {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.gradscope_words(&words)
    }

    /// Runs gradscope here, word by word.
    pub fn gradscope_words(&self, words: &[&str]) -> Ran {
        Ran(self.command().args(words).output().expect("gradscope starts"))
    }

    /// A command that is still to be run.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gradscope"));
        command.current_dir(self.path()).env_remove("LD_LIBRARY_PATH").env("NO_COLOR", "1");
        command
    }

    /// Writes a file here.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).expect("a file in the scratch directory");
        path
    }

    /// Reads a file written here.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The summary of the report in this directory.
    pub fn summary(&self, directory: &str) -> Value {
        serde_json::from_str(&self.read(&format!("{directory}/summary.json"))).expect("valid JSON")
    }

    /// Names of everything in a directory here, sorted.
    pub fn list(&self, directory: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path().join(directory)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// An archive of these files.
pub fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipArchiveWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let (mut entry, config) =
            writer.new_file(name).compression_method(CompressionMethod::STORE).start().unwrap();
        let mut data = config.wrap(&mut entry);
        data.write_all(content).unwrap();
        let (_, output) = data.finish().unwrap();
        entry.finish(output).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A process that has ended.
pub struct Ran(pub Output);

impl Ran {
    pub fn status(&self) -> i32 {
        self.0.status.code().expect("no signal ended it")
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// Demands this exit status, showing what was said otherwise.
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(self.status(), status, "stdout: {}\nstderr: {}", self.stdout(), self.stderr());
        self
    }
}

/// The name of the variable with which tests write committed files instead of comparing them: `make update`.
pub const UPDATE: &str = "GRADSCOPE_UPDATE";

/// Whether committed files are to be written.
pub fn updates() -> bool {
    std::env::var_os(UPDATE).is_some()
}

/// Demands that a committed file is what was generated, or writes it where [`updates`].
pub fn assert_committed(file: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if updates() {
        std::fs::write(&path, generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    // Not `assert_eq!`, which would print both.
    assert!(committed == generated, "{file} is stale: `make update` writes it again");
}

/// A file under `fixtures/`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A number of a summary, where NaN and infinities are strings.
pub fn number(value: &Value) -> f64 {
    match value {
        Value::String(name) if name == "NaN" => f64::NAN,
        Value::String(name) if name == "Infinity" => f64::INFINITY,
        Value::String(name) if name == "-Infinity" => f64::NEG_INFINITY,
        other => other.as_f64().unwrap_or_else(|| panic!("{other} is no number")),
    }
}
