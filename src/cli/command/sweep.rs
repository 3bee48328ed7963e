//! `gradscope sweep`: a grid of runs, each a process of its own, and one table of all.
//!
//! libtorch has one generator of random numbers a process, so runs side by side in one process would
//! not repeat. A run is done when its directory says so; nothing else is remembered, so a sweep that
//! was killed, grown, or trained by other means (`--print-commands`) goes on where it stands.

use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::cli::args::SweepArgs;
use crate::cli::input::findings::Findings;
use crate::cli::output::exit;
use crate::cli::output::sweep_table::table;
use crate::cli::output::{self, Colors};
use crate::report::OutputDir;
use crate::report::sweep::{CELLS, Cell, Sweep, collect as cells_of};

/// `gradscope sweep --collect DIR`
pub fn collect(args: &SweepArgs, colors: Colors) -> anyhow::Result<u8> {
    if let Some(flag) = beside_collect(std::env::args_os().map(|w| w.to_string_lossy().into_owned())) {
        bail!(
            "--{flag} says nothing beside --collect, which trains nothing and writes into the sweep's directory"
        );
    }
    let findings = Findings::new(&args.flags.findings)?;
    // Dispatched by its being there.
    let path = args.collect.clone().unwrap_or_default();
    let form = "--collect wants the directory of a sweep, with its runs in cells/NAME";
    let cells =
        cells_of(&path).with_context(|| format!("cannot list {}: {form}", path.join(CELLS).display()))?;
    ensure!(
        cells.iter().any(|c| c.result.is_some()),
        "{} holds no run with a summary: {form}",
        path.join(CELLS).display()
    );
    // It holds runs of gradscope, so it is no stranger's.
    let directory = OutputDir::check(&path, true)?;
    conclude(args, cells, &directory, &findings, colors)
}

/// The first flag of the command line that is about training, or about where output goes.
fn beside_collect(words: impl Iterator<Item = String>) -> Option<String> {
    const ALLOWED: [&str; 6] = ["collect", "sort", "fail-on", "quiet", "json", "color"];
    let flags =
        words.filter_map(|w| w.strip_prefix("--").map(|w| w.split('=').next().unwrap_or(w).to_owned()));
    flags.into_iter().find(|flag| !ALLOWED.contains(&flag.as_str()))
}

/// Writes and prints the table, and says the exit status that it means.
pub fn conclude(
    args: &SweepArgs,
    cells: Vec<Cell>,
    directory: &OutputDir,
    findings: &Findings,
    colors: Colors,
) -> anyhow::Result<u8> {
    let sweep = Sweep::new(cells, args.sort);
    sweep.write(directory)?;
    show(&sweep, directory.path(), args, colors)?;
    if !sweep.is_complete() {
        return Ok(exit::RUN_FAILED);
    }
    let mut results = sweep.cells.iter().filter_map(|cell| cell.result.as_ref());
    Ok(if results.any(|result| findings.fails(&result.findings)) { exit::FINDING } else { exit::DONE })
}

fn show(sweep: &Sweep, directory: &Path, args: &SweepArgs, colors: Colors) -> anyhow::Result<()> {
    if args.json {
        output::print(&sweep.to_json()?)?;
        return Ok(());
    }
    let mut text = table(sweep, colors);
    if !args.quiet {
        text += &format!("\nreport: {}\n", directory.join("report.html").display());
    }
    output::print(&text)?;
    Ok(())
}
