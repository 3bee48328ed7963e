//! Tells the binaries where libtorch is at run time, and which it is.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
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
/// beside `gradscope-train` first, where it is installed, then where this build found it. A release must not
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
    println!("cargo::rustc-link-arg=-Wl,-rpath,{origin}");
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
