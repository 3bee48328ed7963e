//! Tells which commit gradscope is built from.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let core = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let commit = core.parent().and_then(commit).unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env=GRADSCOPE_COMMIT={commit}");
}

/// The commit that is checked out, read from git's files: no git is needed, and a repository
/// that merely surrounds these sources (as a vendored copy) is not taken for theirs.
fn commit(root: &Path) -> Option<String> {
    let dot_git = root.join(".git");
    // In a linked worktree `.git` is a file that names the directory with its HEAD, and the
    // branches are in the directory of the main one.
    let git = match fs::read_to_string(&dot_git) {
        Ok(file) => root.join(file.strip_prefix("gitdir:")?.trim()),
        Err(_) => dot_git,
    };
    let common = match fs::read_to_string(git.join("commondir")) {
        Ok(path) => git.join(path.trim()),
        Err(_) => git.clone(),
    };
    let head = watched(&git.join("HEAD"))?;
    let id = match head.trim().strip_prefix("ref: ") {
        None => head,
        Some(branch) => watched(&common.join(branch)).or_else(|| {
            // A fresh clone has its branches packed in one file; the next commit gives the
            // branch a file of its own, and this directory a new time.
            let mut directory = common.join(branch);
            while !directory.is_dir() && directory.pop() {}
            println!("cargo::rerun-if-changed={}", directory.display());
            let packed = watched(&common.join("packed-refs"))?;
            let line = packed.lines().find(|line| line.ends_with(&format!(" {branch}")))?;
            Some(line.to_owned())
        })?,
    };
    id.get(..10).map(str::to_owned)
}

/// Reads a file, and runs this script again when it changes. (Cargo takes a file that does not
/// exist for one that always changes, so only those that do are named.)
fn watched(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    println!("cargo::rerun-if-changed={}", path.display());
    Some(text)
}
