//! What `make install` lays out, as far as it goes without a release build (`make test-dist` has one), and
//! the container file.

use std::fs;
#[cfg(all(target_os = "linux", feature = "train"))]
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ran, Scratch, fixture};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The tree of a prefix, and then elsewhere.
fn installed(scratch: &Scratch, libraries: Option<&Path>) {
    let mut command = Command::new(root().join("tools/install.sh"));
    let built = Path::new(env!("CARGO_BIN_EXE_gradscope")).parent().unwrap();
    command.arg(built).arg(scratch.path().join("stage/usr")).args(libraries);
    Ran(command.output().unwrap()).expect(0);
    // And over what is there.
    Ran(command.output().unwrap()).expect(0);
    fs::rename(scratch.path().join("stage/usr"), scratch.path().join("moved")).unwrap();
}

#[test]
fn program_pages_and_completions_are_laid_out_and_may_be_moved() {
    let scratch = Scratch::new();
    installed(&scratch, None);
    let program = scratch.path().join("moved/bin/gradscope");
    let ran = Command::new(program).arg("check").arg(fixture("records/relu5-dead.jsonl")).output().unwrap();
    assert!(String::from_utf8_lossy(&Ran(ran).expect(0).0.stdout).contains("dead-layer fc1"));
    // A page a command, each of its own.
    let pages = scratch.list("moved/share/man/man1");
    for command in ["", "-run", "-check", "-diff", "-completions"] {
        let page = format!("gradscope{command}.1");
        assert!(pages.contains(&page), "{page}: {pages:?}");
        assert!(
            scratch
                .read(&format!("moved/share/man/man1/{page}"))
                .contains(&format!(".TH gradscope{command} 1"))
        );
    }
    let commands = scratch.gradscope("--help").expect(0).stdout();
    let (_, commands) = commands.split_once("Commands:\n").unwrap();
    let commands =
        commands.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    assert_eq!(pages.len(), 1 + commands.count(), "{pages:?}");
    for file in [
        "bash-completion/completions/gradscope",
        "zsh/site-functions/_gradscope",
        "fish/vendor_completions.d/gradscope.fish",
        "gradscope/gradscope.ps1",
    ] {
        assert!(scratch.read(&format!("moved/share/{file}")).contains("fail-on"), "{file}");
    }
    assert!(scratch.read("moved/share/doc/gradscope/LICENSE").contains("Permission"));
}

#[cfg(all(target_os = "linux", feature = "train"))]
#[test]
fn libtorch_and_the_cpp_runtime_are_laid_out_beside_the_program_that_trains() {
    let scratch = Scratch::new();
    // As cargo has it for the build; with an installed PyTorch instead of it there is none.
    let Some(libtorch) = std::env::var_os("LIBTORCH") else { return };
    // Links in place of 430 MB: they are laid out as what they are, and lead to libraries that load.
    fs::create_dir(scratch.path().join("lib")).unwrap();
    for library in fs::read_dir(Path::new(&libtorch).join("lib")).unwrap().map(|e| e.unwrap()) {
        symlink(library.path(), scratch.path().join("lib").join(library.file_name())).unwrap();
    }
    scratch.file("lib/notes.txt", "no library");
    installed(&scratch, Some(&scratch.path().join("lib")));
    let laid_out = scratch.list("moved/lib/gradscope");
    for name in ["gradscope-train", "libc10.so", "libtorch_cpu.so", "libgcc_s.so.1", "libstdc++.so.6"] {
        assert!(laid_out.iter().any(|n| n == name), "{name}: {laid_out:?}");
    }
    assert!(!laid_out.contains(&"notes.txt".to_owned()));
    // The other finds it there.
    let doctor = Command::new(scratch.path().join("moved/bin/gradscope")).arg("doctor").output().unwrap();
    let doctor = Ran(doctor).expect(0).stdout();
    assert!(
        doctor.contains("yes, with libtorch") && doctor.contains("lib/gradscope/gradscope-train"),
        "{doctor}"
    );
    let runtime = fs::symlink_metadata(scratch.path().join("moved/lib/gradscope/libstdc++.so.6")).unwrap();
    assert!(runtime.is_file() && runtime.len() > 100_000, "the file itself and no link to this machine's");
}

#[test]
fn the_container_file_copies_what_there_is_and_its_commands_parse() {
    let text = fs::read_to_string(root().join("Containerfile")).unwrap().replace("\\\n", " ");
    let ignored = fs::read_to_string(root().join(".containerignore")).unwrap();
    let (mut copied, mut run) = (0, 0);
    for line in text.lines() {
        let (instruction, rest) = line.split_once(' ').unwrap_or((line, ""));
        match instruction {
            "COPY" if !rest.starts_with("--from=") => {
                let words: Vec<&str> = rest.split_whitespace().collect();
                for source in &words[..words.len() - 1] {
                    assert!(root().join(source).exists(), "{source}");
                    assert!(ignored.lines().any(|l| l == format!("!{source}")), "{source} is ignored");
                    copied += 1;
                }
            }
            "RUN" => {
                let ran = Command::new("sh").args(["-n", "-c", rest]).output().unwrap();
                Ran(ran).expect(0);
                // A target that is gone would only be noticed where there is a container engine.
                if let Some(target) = rest.strip_prefix("make ") {
                    let dry =
                        Command::new("make").arg("-n").args(target.split(' ')).current_dir(root()).output();
                    Ran(dry.unwrap()).expect(0);
                }
                run += 1;
            }
            "FROM" | "COPY" | "ENV" | "WORKDIR" | "ENTRYPOINT" | "#" | "" => {}
            _ if line.starts_with('#') => {}
            other => panic!("{other} is no instruction that is expected here"),
        }
    }
    assert!(copied > 8 && run == 3, "{copied} copied, {run} run");
}

/// What cargo needs to build is what the container file copies: a copy of it has a complete manifest.
#[test]
fn what_the_container_file_copies_is_enough_for_cargo() {
    let text = fs::read_to_string(root().join("Containerfile")).unwrap();
    let scratch = Scratch::new();
    for line in text.lines().filter_map(|l| l.strip_prefix("COPY ")).filter(|l| !l.starts_with("--from=")) {
        for source in line.split_whitespace().rev().skip(1) {
            let mut copy = Command::new("cp");
            copy.args(["-r", "--parents", source]).arg(scratch.path()).current_dir(root());
            Ran(copy.output().unwrap()).expect(0);
        }
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--no-deps", "--format-version=1"]);
    let ran = Ran(cargo.current_dir(scratch.path()).output().unwrap()).expect(0);
    let metadata: serde_json::Value = serde_json::from_str(&ran.stdout()).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let targets: Vec<_> = packages.iter().flat_map(|p| p["targets"].as_array().unwrap()).collect();
    for name in ["gradscope", "gradscope-train"] {
        assert!(targets.iter().any(|t| t["name"] == name && t["kind"][0] == "bin"), "{targets:?}");
    }
    // And what its sources include.
    let found = included(&root().join("src"));
    assert!(found.iter().any(|file| file.ends_with("docs/schemas/model.json")), "{found:?}");
    for file in found {
        let file = file.canonicalize().unwrap().strip_prefix(root()).unwrap().to_owned();
        assert!(scratch.path().join(&file).is_file(), "{} is not copied", file.display());
    }
}

/// The files that `include_str!` names in the sources of a directory.
fn included(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(included(&entry.path()));
        } else if entry.path().extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(entry.path()).unwrap();
            let names = text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
            found.extend(names.map(|name| directory.join(name)));
        }
    }
    found
}
