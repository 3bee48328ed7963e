//! `gradscope sweep`: a grid of runs, each a process of its own, and one table of all.
//!
//! libtorch has one generator of random numbers a process, so runs side by side in one process would
//! not repeat. A run is done when its directory says so; nothing else is remembered, so a sweep that
//! was killed, grown, or trained by other means (`--print-commands`) goes on where it stands.

mod table;
#[cfg(feature = "train")]
mod train;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use gradscope::report::OutputDir;
use gradscope::report::sweep::{CELLS, Cell, Sort, Sweep, collect as cells_of};

use super::args::RunFlags;
use super::findings::Findings;
use super::{exit, number, output};

#[cfg(feature = "train")]
pub use train::run;

#[derive(Debug, Args)]
#[command(after_help = "Every run is a directory DIR/cells/NAME, named by its settings. A run that is done \
is not trained again: the same command goes on after an interruption, and a larger grid trains only what is \
new.\n\nOn many machines or through a queue:\n  gradscope sweep … --out DIR --print-commands | parallel\n  \
gradscope sweep … --out DIR --print-commands | xargs -d '\\n' -P4 -I{} sh -c '{}'\n  \
gradscope sweep --collect DIR\n\nExit status: 0 done, 1 a finding that --fail-on names, 2 wrong usage or \
input, 3 a run failed or is not there, 130 interrupted, 143 terminated.")]
pub struct SweepArgs {
    /// Model: a name (`gradscope models` lists them) or a file that ends in .toml; or in the grid
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub model: Option<String>,
    /// A flag of run and the values that it takes, such as "lr=0.01;0.1;1"; of a flag without a value,
    /// "standardize=on;off"; one --grid a flag
    #[arg(long, value_name = "FLAG=VALUE;VALUE;…", required_unless_present = "collect")]
    pub grid: Vec<String>,
    /// Runs at a time, which share the cores [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = number::threads, allow_negative_numbers = true)]
    pub jobs: Option<u64>,
    /// Score that the table is sorted by [default: test, where every run has one, else dev, else train]
    #[arg(long, value_name = "SCORE")]
    pub sort: Option<SortArg>,
    /// Print the command of every run for another program to execute, and do nothing
    #[arg(long, conflicts_with_all = ["jobs", "sort", "quiet", "json"])]
    pub print_commands: bool,
    /// Put the runs in DIR/cells into one table, without training
    #[arg(long, value_name = "DIR")]
    pub collect: Option<PathBuf>,

    #[command(flatten)]
    pub flags: RunFlags,

    /// Directory of the sweep [default: reports/sweep-<model>-<time>]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Write into a directory that holds other files
    #[arg(long, help_heading = "Output")]
    pub force: bool,
    /// No progress; print the table alone
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
    /// Print sweep.json on standard output instead of the table
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SortArg {
    Test,
    Dev,
    Train,
}

impl From<SortArg> for Sort {
    fn from(arg: SortArg) -> Self {
        match arg {
            SortArg::Test => Sort::Test,
            SortArg::Dev => Sort::Dev,
            SortArg::Train => Sort::Train,
        }
    }
}

/// `gradscope sweep --collect DIR`
pub fn collect(args: &SweepArgs, colours: bool) -> anyhow::Result<u8> {
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
    conclude(args, cells, &directory, &findings, colours)
}

/// The first flag of the command line that is about training, or about where output goes.
fn beside_collect(words: impl Iterator<Item = String>) -> Option<String> {
    const ALLOWED: [&str; 6] = ["collect", "sort", "fail-on", "quiet", "json", "color"];
    let flags =
        words.filter_map(|w| w.strip_prefix("--").map(|w| w.split('=').next().unwrap_or(w).to_owned()));
    flags.into_iter().find(|flag| !ALLOWED.contains(&flag.as_str()))
}

/// Writes and prints the table, and says the exit status that it means.
fn conclude(
    args: &SweepArgs,
    cells: Vec<Cell>,
    directory: &OutputDir,
    findings: &Findings,
    colours: bool,
) -> anyhow::Result<u8> {
    let sweep = Sweep::new(cells, args.sort.map(Sort::from));
    sweep.write(directory)?;
    show(&sweep, directory.path(), args, colours)?;
    let fails = |cell: &Cell| cell.result.as_ref().is_some_and(|r| findings.fails(&r.findings));
    Ok(match () {
        () if !sweep.is_complete() => exit::RUN_FAILED,
        () if sweep.cells.iter().any(fails) => exit::FINDING,
        () => exit::DONE,
    })
}

fn show(sweep: &Sweep, directory: &Path, args: &SweepArgs, colours: bool) -> anyhow::Result<()> {
    if args.json {
        output::print(&sweep.to_json()?)?;
        return Ok(());
    }
    let mut text = table::table(sweep, colours);
    if !args.quiet {
        text += &format!("\nreport: {}\n", directory.join("report.html").display());
    }
    output::print(&text)?;
    Ok(())
}
