//! Fails with one sentence where torch-sys would not find the libtorch it is pointed at.

use std::{env, path::Path};

fn main() {
    for name in ["LIBTORCH", "LIBTORCH_LIB", "LIBTORCH_USE_PYTORCH"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        return;
    }
    // Pointed nowhere, torch-sys looks in the system and has a sentence of its own.
    let Some(home) = env::var_os("LIBTORCH_LIB").or_else(|| env::var_os("LIBTORCH")) else {
        return;
    };
    let lib = Path::new(&home).join("lib");
    println!("cargo::rerun-if-changed={}", lib.display());
    if !lib.is_dir() {
        println!(
            "cargo::error=there is none in {}: run `make libtorch` to fetch it, or set LIBTORCH \
             to the directory of one, or build without the training commands \
             (--no-default-features)",
            Path::new(&home).display()
        );
    }
}
