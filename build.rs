//! Tells the binaries where libtorch is at run time, and which commit they are built from.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let commit = commit(&root).unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env=GRADSCOPE_COMMIT={commit}");

    // torch-sys hands the directory on under its `links` name, to direct dependents only.
    let lib = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from);
    let version = match &lib {
        None => "none".into(),
        Some(lib) => libtorch_version(lib).unwrap_or_else(|| "unknown".into()),
    };
    println!("cargo::rustc-env=GRADSCOPE_LIBTORCH={version}");
    if let Some(lib) = lib {
        rpath(&lib);
    }
}

/// Lets every binary, test, example and benchmark find libtorch without `LD_LIBRARY_PATH`:
/// beside the installed program first, then where this build found it. A release must not
/// carry the latter, or it would seem to work wherever it was built: `GRADSCOPE_RELEASE=1`.
fn rpath(lib: &Path) {
    println!("cargo::rerun-if-env-changed=GRADSCOPE_RELEASE");
    let origin = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => "$ORIGIN",
        Ok("macos") => "@loader_path",
        _ => return,
    };
    if origin == "$ORIGIN" {
        // RUNPATH, whatever the linker's default: LD_LIBRARY_PATH may still override it. That it
        // is not inherited is no matter: libtorch's libraries find each other by their own.
        println!("cargo::rustc-link-arg=-Wl,--enable-new-dtags");
    }
    println!("cargo::rustc-link-arg=-Wl,-rpath,{origin}/../lib/gradscope");
    if env::var_os("GRADSCOPE_RELEASE").is_none() {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
}

fn libtorch_version(lib: &Path) -> Option<String> {
    let file = lib.parent()?.join("build-version");
    let version = fs::read_to_string(&file).ok()?;
    println!("cargo::rerun-if-changed={}", file.display());
    Some(version.trim().to_owned())
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
