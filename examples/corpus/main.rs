//! The corpus: runs labelled by what was put into them, healthy ones among them, and how often the
//! verdict says so.
//!
//! `cargo run --release --example corpus -- PROGRAM OUT [--quick | --prescribe | --calibrate]
//! [--half calibration|scoring|both] [--first N] [--only KIND,…] [--markdown FILE] [--json FILE]`: PROGRAM
//! is gradscope; OUT keeps records, and a run that is there already is not trained again. The page goes to
//! standard output, or to a file, in which the modes replace their own sections. With `--first` the runs of
//! every kind are others, of which nobody has seen the verdicts.

mod build;
mod calibrate;
mod case;
mod draw;
mod earlier;
mod faults;
mod healthy;
mod markdown;
mod ours;
mod page;
mod prescribe;
mod score;
mod train;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use gradscope::record::Record;

use case::Kind;
use draw::Half;
use score::{Scored, Summary, summary};
use train::{Run, on_all_cores, train};

/// Runs of a kind in each half.
const RUNS: u64 = 3;
/// Runs of the quick subset, at most.
const QUICK_RUNS: usize = 60;

/// What is to be done with the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Train and score them.
    Score,
    /// A part of them that takes a minute or two.
    Quick,
    /// Prescribe for the faulty ones.
    Prescribe,
    /// Move the limits that are guesses.
    Calibrate,
}

/// What is asked for.
struct Options {
    program: PathBuf,
    out: PathBuf,
    mode: Mode,
    halves: Vec<Half>,
    first: u64,
    only: Option<String>,
    markdown: Option<PathBuf>,
    json: Option<PathBuf>,
}

const USAGE: &str = "usage: corpus PROGRAM OUT [--quick] [--half calibration|scoring|both] [--first N] \
                     [--only KIND,…] [--markdown FILE] [--json FILE]";

fn options() -> Result<Options, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (program, out) = arguments.next().zip(arguments.next()).ok_or(USAGE)?;
    fs::create_dir_all(&out)?;
    let mut options = Options {
        program: fs::canonicalize(program)?,
        out: fs::canonicalize(out)?,
        mode: Mode::Score,
        halves: Half::BOTH.to_vec(),
        first: 0,
        only: None,
        markdown: None,
        json: None,
    };
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or(USAGE);
        match flag.as_str() {
            "--quick" => options.mode = Mode::Quick,
            "--prescribe" => options.mode = Mode::Prescribe,
            "--calibrate" => options.mode = Mode::Calibrate,
            "--half" => {
                let name = value()?;
                options.halves.retain(|half| name == "both" || name == half.name());
            }
            "--first" => options.first = value()?.parse()?,
            "--only" => options.only = Some(value()?),
            "--markdown" => options.markdown = Some(value()?.into()),
            "--json" => options.json = Some(value()?.into()),
            _ => return Err(USAGE.into()),
        }
    }
    if options.halves.is_empty() { Err(USAGE.into()) } else { Ok(options) }
}

/// The runs that are asked for, kind by kind.
fn runs(options: &Options) -> Vec<Run> {
    let wanted = |kind: &&'static Kind| {
        options.only.as_ref().is_none_or(|only| only.split(',').any(|o| o == kind.name))
    };
    let kinds: Vec<&Kind> = faults::kinds().chain(healthy::kinds()).filter(wanted).collect();
    if options.mode == Mode::Quick {
        let quick: Vec<_> = kinds.into_iter().filter(|kind| !kind.long).collect();
        // Evenly spaced over the table, so that every family has its share.
        let place = |i: usize| i * QUICK_RUNS / quick.len().max(QUICK_RUNS);
        let kept = (0..quick.len()).filter(|i| place(*i) != place(i + 1));
        return kept.map(|i| Run::new(quick[i], Half::Scoring, 0)).collect();
    }
    let first = options.first;
    let of = |kind| {
        options
            .halves
            .iter()
            .flat_map(move |half| (first..first + RUNS).map(move |i| Run::new(kind, *half, i)))
    };
    kinds.into_iter().flat_map(of).collect()
}

/// Asks all rules about a run's record.
fn read<'a>(run: &'a Run, out: &Path) -> Result<Scored<'a>, String> {
    let (record, _) = Record::read(&run.record(out)).map_err(|error| error.to_string())?;
    Ok(Scored::new(run, &record))
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let runs = runs(&options);
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/idx");
    match options.mode {
        Mode::Prescribe => {
            let tried = prescribe::prescribe(&runs, &options.program, &images, &options.out)?;
            return write(&options, &prescribe::section(&tried), page::part);
        }
        Mode::Calibrate => {
            train(&runs, &options.program, &images, &options.out)?;
            let section = calibrate::section(&runs, &options.program, &images, &options.out)?;
            return write(&options, &section, page::part);
        }
        Mode::Score | Mode::Quick => {}
    }
    train(&runs, &options.program, &images, &options.out)?;
    let scored = on_all_cores(&runs, |run| read(run, &options.out));
    let scored: Vec<Scored> = scored.into_iter().collect::<Result<_, _>>()?;
    let mut halves: Vec<(Half, Summary)> = Vec::new();
    for half in Half::BOTH {
        let here: Vec<&Scored> = scored.iter().filter(|s| s.run.half == half).collect();
        if !here.is_empty() {
            halves.push((half, summary(&here)));
        }
    }
    if let Some(file) = &options.json {
        let named: BTreeMap<&str, &Summary> = halves.iter().map(|(half, s)| (half.name(), s)).collect();
        fs::write(file, serde_json::to_string_pretty(&named)? + "\n")?;
    }
    if options.first > 0 {
        return write(&options, &markdown::fresh(&halves, &scored), page::part);
    }
    write(&options, &markdown::page(&halves, &scored), page::whole)
}

/// Puts a text into the page that is asked for, or prints it.
fn write(options: &Options, text: &str, into: fn(&str, &str) -> String) -> Result<(), Box<dyn Error>> {
    let Some(file) = &options.markdown else {
        print!("{text}");
        return Ok(());
    };
    let old = if file.exists() { fs::read_to_string(file)? } else { String::new() };
    Ok(fs::write(file, into(&old, text))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn all(quick: bool) -> Vec<Run> {
        let (program, out) = (PathBuf::new(), PathBuf::new());
        let halves = Half::BOTH.to_vec();
        runs(&Options {
            program,
            out,
            quick,
            prescribe: false,
            halves,
            first: 0,
            only: None,
            markdown: None,
            json: None,
        })
    }

    #[test]
    fn there_are_as_many_healthy_kinds_as_faults_and_enough_runs_of_both() {
        let (faults, healthy) = (faults::kinds().count(), healthy::kinds().count());
        assert!(faults >= 25 && healthy >= faults, "{faults} and {healthy}");
        let runs = all(false);
        assert!(runs.len() >= 600, "{}", runs.len());
        assert_eq!(runs.iter().map(|r| &r.id).collect::<BTreeSet<_>>().len(), runs.len());
        assert!(all(true).len() <= QUICK_RUNS);
    }

    #[test]
    fn the_halves_share_no_command() {
        let commands = |half| -> BTreeSet<String> {
            all(false).iter().filter(|r| r.half == half).map(|r| r.case.words("").join(" ")).collect()
        };
        assert!(commands(Half::Calibration).is_disjoint(&commands(Half::Scoring)));
    }

    #[test]
    fn the_same_run_is_drawn_again_alike() {
        for (a, b) in all(true).iter().zip(&all(true)) {
            assert_eq!(a.command(), b.command());
            assert_eq!(a.case.table, b.case.table);
        }
    }
}
