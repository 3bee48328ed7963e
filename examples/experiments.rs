//! Runs the exercises of `experiments.toml` and writes a page that links what came of them.
//!
//! `cargo run --release --example experiments -- PROGRAM OUT IDX [NUMBER…]`: PROGRAM is gradscope, OUT a
//! directory, IDX one with MNIST or Fashion-MNIST files. Numbers choose some of the experiments.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use askama::Template;
use serde::Deserialize;

/// The list, beside this program.
const EXPERIMENTS: &str = include_str!("experiments.toml");

#[derive(Deserialize)]
struct Experiments {
    experiment: Vec<Experiment>,
}

#[derive(Deserialize)]
struct Experiment {
    title: String,
    commands: Vec<String>,
    look_for: String,
}

#[derive(Template)]
#[template(path = "experiments.html")]
struct Index {
    version: &'static str,
    chapters: Vec<Chapter>,
}

/// An experiment in the page.
struct Chapter {
    number: usize,
    title: String,
    look_for: String,
    runs: Vec<Run>,
}

/// A command and what it gave.
struct Run {
    command: String,
    output: String,
    /// Its page, relative to the index.
    report: Option<String>,
    /// What it drew.
    picture: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, out, idx, chosen @ ..] = arguments.as_slice() else {
        return Err("usage: experiments PROGRAM OUT IDX [NUMBER…]".into());
    };
    let chosen: Vec<usize> = chosen.iter().map(|n| n.parse()).collect::<Result<_, _>>()?;
    let (program, out) = (fs::canonicalize(program)?, PathBuf::from(out));
    let idx = fs::canonicalize(idx)?;
    fs::create_dir_all(&out)?;
    let list: Experiments = toml::from_str(EXPERIMENTS)?;
    let mut chapters = Vec::new();
    for (number, experiment) in (1..).zip(list.experiment) {
        if !chosen.is_empty() && !chosen.contains(&number) {
            continue;
        }
        let mut runs = Vec::new();
        for (part, command) in (1..).zip(&experiment.commands) {
            println!("{number}. {command}");
            let name = format!("{number:02}-{part}");
            let idx = idx.to_str().ok_or("the path of the images is not UTF-8")?;
            runs.push(run(&program, &out, &name, command, idx)?);
        }
        let Experiment { title, look_for, .. } = experiment;
        chapters.push(Chapter { number, title, look_for, runs });
    }
    let index = out.join("index.html");
    fs::write(&index, Index { version: env!("CARGO_PKG_VERSION"), chapters }.render()?)?;
    println!("The index: {}", fs::canonicalize(index)?.display());
    Ok(())
}

/// Runs one command with its output under `name`.
fn run(program: &Path, out: &Path, name: &str, command: &str, idx: &str) -> Result<Run, Box<dyn Error>> {
    let (report, picture) = (out.join(name), out.join(format!("{name}.svg")));
    let words = shlex::split(command).ok_or("a quote is not closed")?;
    let word = |word: &String| match word.as_str() {
        "PLOT" => picture.display().to_string(),
        other => other.replace("idx:IDX", &format!("idx:{idx}")),
    };
    let mut words: Vec<String> = words.iter().skip(1).map(word).collect();
    let has_report = ["run", "compare", "sweep"].contains(&words[0].as_str());
    if has_report {
        words.extend(["--out".into(), report.display().to_string(), "--force".into(), "--quiet".into()]);
    }
    let ran = Command::new(program).args(&words).env("NO_COLOR", "1").output()?;
    if !ran.status.success() {
        return Err(format!("{command}: {}", String::from_utf8_lossy(&ran.stderr)).into());
    }
    let drawn = words.iter().any(|w| w == "--plot");
    Ok(Run {
        command: command.into(),
        // A matrix of 10,000 numbers says less than its picture.
        output: if drawn { String::new() } else { String::from_utf8_lossy(&ran.stdout).into_owned() },
        report: has_report.then(|| format!("{name}/report.html")),
        picture: if drawn { Some(fs::read_to_string(picture)?) } else { None },
    })
}
