//! What the sources themselves promise.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules that were looked at for this, word by word; each says why it is sound.
const AUDITED: [&str; 2] = ["src/stats/kernel.rs", "src/train/measure/memory.rs"];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            found.push(entry);
        }
    }
}

#[test]
fn nothing_is_unsafe_outside_the_two_audited_modules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("build.rs")];
    for directory in ["src", "core", "examples", "benches", "tools"] {
        sources(&root.join(directory), &mut found);
    }
    let mut audited = Vec::new();
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let mut code = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
        // Of the lint's name, only what switches it off.
        let allows = text.contains("allow(unsafe_code)") || text.contains("expect(unsafe_code)");
        if allows || code.any(|word| word == "unsafe") {
            audited.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
        }
    }
    audited.sort();
    assert_eq!(audited, AUDITED);
    // The compiler looks as well.
    for (file, lint) in [
        ("src/lib.rs", "unsafe_code)]"),
        ("src/core.rs", "unsafe_code)]"),
        ("src/main.rs", "#![forbid(unsafe_code)]"),
        ("src/bin/gradscope-train/main.rs", "#![forbid(unsafe_code)]"),
    ] {
        assert!(fs::read_to_string(root.join(file)).unwrap().contains(lint), "{file}");
    }
}
