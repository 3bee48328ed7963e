//! `tools/libtorch.py`, as far as it goes without the network: a copy of it in a directory of its own,
//! with a pip that is not pip.

use std::process::{Command, Output};

use crate::support::Scratch;

/// Runs the script with this text in place of pip's program.
fn set_up(scratch: &Scratch, pip: &str, variable: Option<(&str, &str)>) -> Output {
    std::fs::create_dir_all(scratch.path().join("tools")).unwrap();
    std::fs::create_dir_all(scratch.path().join("python/pip")).unwrap();
    scratch.file("tools/libtorch.py", include_str!("../../tools/libtorch.py"));
    scratch.file("python/pip/__init__.py", "");
    scratch.file("python/pip/__main__.py", pip);
    let mut command = Command::new("python3");
    command
        .arg("tools/libtorch.py")
        .current_dir(scratch.path())
        .env("PYTHONPATH", scratch.path().join("python"));
    command.env_remove("LIBTORCH").env_remove("LIBTORCH_USE_PYTORCH").envs(variable);
    command.output().expect("python3 starts")
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|t| String::from_utf8_lossy(t).into_owned()).concat()
}

#[test]
fn a_libtorch_of_ones_own_is_used_and_nothing_is_fetched() {
    for variable in [("LIBTORCH", "/opt/libtorch"), ("LIBTORCH_USE_PYTORCH", "1")] {
        let scratch = Scratch::new();
        let ran = set_up(&scratch, "raise SystemExit('pip was called')", Some(variable));
        assert!(ran.status.success() && said(&ran).contains(variable.0), "{}", said(&ran));
        assert_eq!(scratch.list("."), ["python", "tools"]);
    }
}

#[test]
fn a_download_that_fails_or_is_not_the_pinned_file_leaves_no_libtorch_behind() {
    let fails = "import sys; sys.exit('ERROR: Could not find a version that satisfies the requirement')";
    let forges = "import sys, pathlib\n\
                  words = sys.argv\n\
                  at = [i for i, w in enumerate(words) if w in ('-d', '--dest')]\n\
                  folder = pathlib.Path(words[at[0] + 1]) if at else pathlib.Path('.')\n\
                  (folder / 'torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl').write_bytes(b'forged')\n";
    for pip in [fails, forges] {
        let scratch = Scratch::new();
        let ran = set_up(&scratch, pip, None);
        assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
        assert!(!said(&ran).contains("Traceback"), "{}", said(&ran));
        assert!(!scratch.path().join(".libtorch").exists());
    }
}
