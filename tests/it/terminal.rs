//! Terminals, pipes, paths and homes as they come: colour only where it is wanted, and nothing else in
//! the way.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Ran, Scratch, fixture};

const DEAD: &str = "records/relu5-dead.jsonl";

/// A scratch directory with the record of a dead network.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    fs::copy(fixture(DEAD), scratch.path().join("dead.jsonl")).unwrap();
    scratch
}

/// `gradscope check` with these variables, none of those that are about colour being set before.
fn coloured(scratch: &Scratch, words: &str, variables: &[(&str, &str)]) -> bool {
    let mut command = scratch.command();
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"] {
        command.env_remove(name);
    }
    let ran = command.args(words.split(' ')).envs(variables.iter().copied()).output().unwrap();
    Ran(ran).expect(0).stdout().contains('\x1b')
}

#[test]
fn colour_is_for_terminals_unless_it_is_asked_for() {
    let scratch = scratch();
    let check = |words: &str, variables: &[(&str, &str)]| coloured(&scratch, words, variables);
    assert!(!check("check dead.jsonl", &[]), "no terminal");
    assert!(check("check dead.jsonl --color always", &[]));
    assert!(check("check dead.jsonl --color always", &[("NO_COLOR", "1")]), "the flag wins");
    assert!(check("check dead.jsonl", &[("CLICOLOR_FORCE", "1")]));
    assert!(!check("check dead.jsonl", &[("CLICOLOR_FORCE", "0")]));
    assert!(!check("check dead.jsonl", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!check("check dead.jsonl --color never", &[("CLICOLOR_FORCE", "1")]));
    assert!(check("report dead.jsonl --out r", &[("CLICOLOR_FORCE", "1")]));
    assert!(!check("check dead.jsonl --output github=- --color always", &[]), "a format has no colours");
}

/// What is seen on a terminal of so many columns, by util-linux's `script`.
fn on_a_terminal(scratch: &Scratch, columns: u32, words: &str) -> Option<String> {
    let program = env!("CARGO_BIN_EXE_gradscope");
    let line = format!("stty cols {columns} rows 50; {program} {words}");
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(scratch.path()).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env_remove("COLUMNS").env("TERM", "xterm");
    let Ok(ran) = command.output() else {
        assert!(std::env::var_os("GRADSCOPE_REQUIRE_ALL").is_none(), "no script of util-linux");
        return None;
    };
    assert!(ran.status.success(), "{ran:?}");
    Some(String::from_utf8(ran.stdout).unwrap())
}

/// Without colours.
fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn a_verdict_fits_onto_the_terminal_and_has_colours_there() {
    let scratch = scratch();
    for columns in [20, 60] {
        let Some(seen) = on_a_terminal(&scratch, columns, "report dead.jsonl --out r --quiet") else {
            return;
        };
        assert!(seen.contains("\x1b["), "colours on a terminal");
        // Commands to copy, and names with what holds them together, stay in one piece.
        let prose = plain(&seen);
        let long: Vec<&str> = prose
            .lines()
            .map(str::trim_end)
            .filter(|l| l.chars().count() > columns as usize && l.trim().contains(' '))
            .filter(|l| !l.contains("--") && !l.contains(" · "))
            .collect();
        assert!(long.is_empty(), "{columns} columns: {long:#?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let scratch = scratch();
    for words in ["check dead.jsonl", "report dead.jsonl --out r --json", "schema record", "rules"] {
        let mut child = scratch
            .command()
            .args(words.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "{words}");
    }
}

#[test]
fn neither_a_home_nor_a_locale_is_needed() {
    let scratch = scratch();
    let usual = scratch.gradscope("check dead.jsonl").expect(0).stdout();
    let home = scratch.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o500)).unwrap();
    let run = |change: fn(&mut Command, &Path)| {
        let mut command = scratch.command();
        change(&mut command, &home);
        Ran(command.args(["check", "dead.jsonl"]).output().unwrap()).expect(0).stdout()
    };
    assert_eq!(run(|c, home| _ = c.env("HOME", home)), usual, "a read-only home");
    assert_eq!(run(|c, _| _ = c.env_remove("HOME")), usual, "no home");
    assert_eq!(run(|c, _| _ = c.env("LC_ALL", "C")), usual, "the plainest locale");
    assert_eq!(run(|c, _| _ = c.env_clear()), usual, "nothing at all");
    assert!(scratch.list("home").is_empty());
}

#[test]
fn any_path_is_a_path() {
    let scratch = Scratch::new();
    for name in
        [&b"a name with spaces"[..], b"two\nlines", b"not utf-8 \xff\xfe", b"-", b"--out", b"*?'\"$(x)"]
    {
        let directory = scratch.path().join(OsStr::from_bytes(name));
        fs::create_dir(&directory).unwrap();
        let record = directory.join(OsStr::from_bytes(b"r\xc3\xa9cord \xff.jsonl"));
        fs::copy(fixture(DEAD), &record).unwrap();
        let out = directory.join("out");
        let mut target = OsStr::new("junit=").to_owned();
        target.push(directory.join("report.xml"));
        let mut command = scratch.command();
        command.arg("report").arg(&record).arg("--out").arg(&out).arg("--output").arg(target);
        let said = Ran(command.output().unwrap()).expect(0).stdout();
        assert!(said.contains("report:"), "{said}");
        for file in ["out/report.html", "out/summary.json", "out/record.jsonl", "report.xml"] {
            assert!(directory.join(file).is_file(), "{} {file}", directory.display());
        }
        Ran(scratch.command().arg("check").arg(&out).output().unwrap()).expect(0);
    }
}
