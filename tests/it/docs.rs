//! What the pages show is what the program does: every command in a `console` block is run, page by page
//! from top to bottom, and prints what stands below it (`...` for lines that do not matter). Commands in
//! `sh` blocks train for minutes or need data or services of one's own: they are not run, but their flags
//! are read. `make update` puts into the pages what was printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ran, Scratch, assert_committed, fixture, updates};

/// A fenced block of a page.
struct Block {
    /// `console`, `sh`, …; a word after it names the file that the block is.
    info: Vec<String>,
    lines: Vec<String>,
    /// Line of the page after its fence, from 0.
    at: usize,
    indent: usize,
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(root.join("docs")).unwrap().map(|e| e.unwrap().path());
    let mut pages: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == "md")).collect();
    pages.extend(["README.md", "CONTRIBUTING.md"].map(|name| root.join(name)));
    pages.sort();
    pages
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                let info = info.split_whitespace().map(str::to_owned).collect();
                open = Some(Block { info, lines: Vec::new(), at: at + 1, indent });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.lines.push(line.get(block.indent..).unwrap_or_default().to_owned()),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    blocks
}

impl Block {
    fn is(&self, kind: &str) -> bool {
        self.info.first().is_some_and(|i| i == kind)
    }

    /// Commands, each with the lines that it is said to print.
    fn commands(&self) -> Vec<(String, Vec<String>)> {
        let mut commands: Vec<(String, Vec<String>)> = Vec::new();
        for line in &self.lines {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
                (None, Some((_, printed))) => printed.push(line.clone()),
                (None, None) => panic!("a console block begins with a command: {line}"),
            }
        }
        commands
    }
}

/// Whether lines are those that are shown, where `...` stands for any number of them.
fn as_shown(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((dots, rest)) if dots == "..." => (0..=printed.len()).any(|n| as_shown(rest, &printed[n..])),
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| first.trim_end() == line.trim_end() && as_shown(rest, others)),
    }
}

/// A directory as the pages assume it: the record of a dead network, and a report of the same on `main`.
fn directory() -> Scratch {
    let scratch = Scratch::new();
    fs::copy(fixture("records/relu5-dead.jsonl"), scratch.path().join("record.jsonl")).unwrap();
    scratch.gradscope("report record.jsonl --out main --quiet").expect(0);
    scratch
}

/// Runs a line of a shell; what it printed, in the order in which it did.
fn printed(scratch: &Scratch, line: &str) -> Vec<String> {
    let program = Path::new(env!("CARGO_BIN_EXE_gradscope"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let line = line.replace("cargo run -- ", "gradscope ");
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("exec 2>&1; {line}")]).current_dir(scratch.path());
    shell.env("PATH", path).env("NO_COLOR", "1").env_remove("LD_LIBRARY_PATH");
    String::from_utf8_lossy(&shell.output().unwrap().stdout).lines().map(str::to_owned).collect()
}

#[test]
fn commands_print_what_the_pages_show() {
    let write = updates();
    let mut run = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let scratch = directory();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        // From the end, so that what is written moves no block that is still to come.
        let mut written = Vec::new();
        for block in blocks(&text) {
            if let [_, name] = block.info.as_slice() {
                scratch.file(name, &(block.lines.join("\n") + "\n"));
            }
            if !block.is("console") {
                continue;
            }
            let mut now = Vec::new();
            for (command, shown) in block.commands() {
                let printed = printed(&scratch, &command);
                let holds = as_shown(&shown, &printed);
                let place = format!("{}, line {}", page.display(), block.at);
                assert!(holds || write, "{place}: {command}\nprints\n{}", printed.join("\n"));
                now.push(format!("$ {command}"));
                now.extend(if holds { shown } else { printed });
                run += 1;
            }
            let pad = " ".repeat(block.indent);
            let now = now.iter().map(|l| format!("{pad}{l}").trim_end().to_owned()).collect::<Vec<_>>();
            written.push((block.at..block.at + block.lines.len(), now));
        }
        if write {
            for (range, now) in written.into_iter().rev() {
                lines.splice(range, now);
            }
            fs::write(&page, lines.join("\n") + "\n").unwrap();
        }
    }
    assert!(run > 10, "only {run} commands were found");
}

#[test]
fn commands_that_are_not_run_have_flags_that_there_are() {
    let mut read = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for line in blocks(&text).iter().filter(|b| b.is("sh")).flat_map(|b| &b.lines) {
            let Some(command) = line.trim().strip_prefix("gradscope ") else { continue };
            // What comes before --help is read first, and refused where it is wrong.
            let command = command.split(" #").next().unwrap_or_default();
            let words =
                Command::new("bash").args(["-c", &format!("printf '%s\\n' {command}")]).output().unwrap();
            let words = Ran(words).expect(0).stdout();
            let words: Vec<&str> = words.lines().chain(["--help"]).collect();
            let ran = Scratch::new().gradscope_words(&words);
            assert_eq!(ran.status(), 0, "{}: {line}\n{}", page.display(), ran.stderr());
            read += 1;
        }
    }
    assert!(read > 20, "only {read} commands were found");
}

#[test]
fn links_between_pages_lead_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
        {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if target.contains("://") {
                continue;
            }
            let path = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(path.exists(), "{}: {target}", page.display());
            if !anchor.is_empty() && path.extension().is_some_and(|e| e == "md") {
                let there = fs::read_to_string(&path).unwrap();
                let heading = |line: &str| {
                    let plain = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                    plain.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect::<String>()
                };
                let found = there.lines().any(|l| l.starts_with('#') && heading(l) == anchor);
                assert!(found, "{}: {target} is no heading", page.display());
            }
        }
    }
}

#[test]
fn the_page_of_the_rules_is_what_explain_says() {
    let printed = Scratch::new().gradscope("rules --markdown").expect(0).stdout();
    assert_committed("docs/rules.md", &printed);
}
