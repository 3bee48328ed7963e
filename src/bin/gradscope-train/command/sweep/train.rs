//! The part of a sweep that trains: everything is checked first, then what is missing is trained.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use gradscope::cli::args::SweepArgs;
use gradscope::cli::command::sweep::conclude;
use gradscope::cli::input::findings::Findings;
use gradscope::cli::output::Colors;
use gradscope::cli::output::conclusion::default_directory;
use gradscope::cli::output::{self, exit};
use gradscope::record::settings::Named;
use gradscope::report::OutputDir;
use gradscope::report::command::quoted;
use gradscope::report::sweep::{CELLS, Cell, CellOutcome, Sort, Sweep};
use gradscope::text::number;

use super::pool::{Attempt, Ended, Pool, Tasks, lock};
use crate::input::resolve;
use crate::input::variants::{Grid, Trial, common, file_names, product, trials};
use crate::session;
use crate::signals::Signals;

/// Flags of `sweep` that `run` does not have: with a value, and without.
const OWN: ([&str; 3], [&str; 1]) = (["grid", "jobs", "sort"], ["print-commands"]);

/// One run of the grid.
pub struct Planned {
    trial: Trial,
    /// Of its directory in `cells`.
    name: String,
}

/// `gradscope sweep --grid …`
pub fn run(args: &SweepArgs, colors: Colors) -> anyhow::Result<u8> {
    let findings = Findings::new(&args.flags.findings)?;
    let (plan, model) = plan(args)?;
    if args.print_commands {
        return print_commands(args, &plan);
    }
    let mut directory = match &args.out {
        Some(out) => OutputDir::check(out, args.force || holds_runs(out, &plan))?,
        // Whether it is there is seen when it is made.
        None => OutputDir::check(
            &default_directory(&model.map_or("sweep".into(), |m| format!("sweep-{m}"))),
            true,
        )?,
    };
    match args.out {
        Some(_) => directory.create()?,
        None => directory.create_new()?,
    }
    let cells = directory.path().join(CELLS);
    fs::create_dir_all(&cells).with_context(|| format!("cannot make {}", cells.display()))?;
    // Held until the process ends, however it ends.
    let Some(_lock) = lock(&cells) else {
        bail!("{} is being swept by another process: wait for it, or choose another --out", cells.display());
    };
    let signals = Signals::listen()?;
    // The directory is known as a sweep's from the beginning, however this one ends.
    Sweep::new(plan.iter().map(|planned| read(directory.path(), planned)).collect(), args.sort)
        .write(&directory)?;
    let attempts = train(args, &plan, directory.path(), &signals);
    let settled = plan.iter().zip(&attempts).map(|(planned, attempt)| match attempt {
        Some(Attempt { ended: Ended::Failed(error), .. }) => {
            Cell { outcome: CellOutcome::Failed, error: Some(error.clone()), ..planned.not_trained() }
        }
        _ => read(directory.path(), planned),
    });
    let status = conclude(args, settled.collect(), &directory, &findings, colors)?;
    Ok(signals.asked().map_or(status, session::status))
}

impl Planned {
    fn not_trained(&self) -> Cell {
        Cell::without_result(&self.name, self.trial.command.clone(), CellOutcome::Untrained, None)
    }
}

/// Reads a run of the plan from its directory, if that is of this run.
fn read(sweep: &Path, planned: &Planned) -> Cell {
    let found = Cell::read(sweep, &planned.name);
    let of_this = found.is_done_as(&planned.trial.command)
        || (found.outcome != CellOutcome::Finished && found.is_of(&planned.trial.command));
    if of_this { found } else { planned.not_trained() }
}

/// Every run, parsed and resolved as `run` would; and the model, where all have the same.
fn plan(args: &SweepArgs) -> anyhow::Result<(Vec<Planned>, Option<String>)> {
    let grids: Vec<Grid> = args.grid.iter().map(|g| Grid::parse("--grid", g)).collect::<Result<_, _>>()?;
    ensure!(
        args.model.is_some() || grids.iter().any(|g| g.flag() == "model"),
        "which model? add --model NAME, or several of them to the grid: --grid \"model=relu5;tanh5\""
    );
    let trials = trials(&common(&OWN.0, &OWN.1), product("--grid", &grids)?)?;
    let mut model: Option<String> = None;
    let mut several = false;
    for trial in &trials {
        let config = resolve::config(&trial.args, trial.command.clone())
            .with_context(|| format!("run {:?}", trial.label))?;
        several |= model.as_ref().is_some_and(|m| *m != config.model.name());
        model = Some(config.model.name().to_owned());
    }
    let names = file_names(trials.iter().map(|t| t.label.as_str()));
    let plan = trials.into_iter().zip(names).map(|(trial, name)| Planned { trial, name }).collect();
    Ok((plan, model.filter(|_| !several)))
}

/// Whether runs of this plan lie there already: then the directory is no stranger's, even if no table
/// has been written yet.
fn holds_runs(out: &Path, plan: &[Planned]) -> bool {
    plan.iter().any(|p| !Cell::read(out, &p.name).command.is_empty())
}

/// The words of the run, without the program.
fn words(sweep: &Path, planned: &Planned) -> Vec<OsString> {
    let command = planned.trial.command.iter().skip(1).map(OsString::from);
    let out = sweep.join(CELLS).join(&planned.name);
    command.chain(["--out".into(), out.into_os_string(), "--quiet".into()]).collect()
}

fn print_commands(args: &SweepArgs, plan: &[Planned]) -> anyhow::Result<u8> {
    let Some(out) = &args.out else {
        bail!("--print-commands needs --out DIR: the runs go to DIR/cells, where --collect DIR finds them");
    };
    OutputDir::check(out, args.force || holds_runs(out, plan))?;
    let program =
        std::env::args_os().next().map_or_else(|| "gradscope".into(), |p| p.to_string_lossy().into_owned());
    let line = |planned: &Planned| {
        let words = words(out, planned).into_iter().map(|w| w.to_string_lossy().into_owned());
        let words: Vec<String> = std::iter::once(program.clone()).chain(words).map(|w| quoted(&w)).collect();
        words.join(" ") + "\n"
    };
    output::print(&plan.iter().map(line).collect::<String>())?;
    Ok(exit::DONE)
}

/// The plan, as the pool sees it.
struct Work<'a> {
    plan: &'a [Planned],
    sweep: &'a Path,
    quiet: bool,
}

impl Work<'_> {
    fn note(&self, line: &str) {
        if !self.quiet {
            output::note(line);
        }
    }
}

impl Tasks for Work<'_> {
    fn task(&self, index: usize) -> (PathBuf, Vec<OsString>) {
        let planned = &self.plan[index];
        (self.sweep.join(CELLS).join(&planned.name), words(self.sweep, planned))
    }

    fn is_done(&self, index: usize) -> bool {
        let planned = &self.plan[index];
        Cell::read(self.sweep, &planned.name).is_done_as(&planned.trial.command)
    }

    fn waiting(&self, index: usize) {
        let label = &self.plan[index].trial.label;
        self.note(&format!("{label}: another process is training it; waiting for that one"));
    }
}

/// Trains what is not done, and says of each run of the plan how that went; `None` where nothing was
/// to do or a signal came first.
fn train(args: &SweepArgs, plan: &[Planned], sweep: &Path, signals: &Signals) -> Vec<Option<Attempt>> {
    let work = Work { plan, sweep, quiet: args.quiet };
    let all = plan.len();
    let todo: Vec<usize> = (0..all).filter(|i| !work.is_done(*i)).collect();
    let mut finished = all - todo.len();
    if finished > 0 {
        work.note(&format!("{finished} of {all} runs are done already"));
    }
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let jobs = args.jobs.unwrap_or(cores).min(todo.len() as u64).max(1);
    // Side by side, runs that each took all cores would only be in each other's way.
    let shared = args.flags.training.threads.is_none() && std::env::var_os("OMP_NUM_THREADS").is_none();
    let threads = shared.then(|| (cores / jobs).max(1));
    let mut attempts: Vec<Option<Attempt>> = plan.iter().map(|_| None).collect();
    Pool::new(signals, jobs as usize, threads).work(todo, &work, |i, attempt| {
        finished += 1;
        let fared = fared(sweep, &plan[i], &attempt);
        work.note(&format!("[{finished}/{all}] {}: {fared}", plan[i].trial.label));
        attempts[i] = Some(attempt);
    });
    attempts
}

/// How a run fared, in a few words: `unhealthy, accuracy 0.51, 0.4 s`.
fn fared(sweep: &Path, planned: &Planned, attempt: &Attempt) -> String {
    if let Ended::Failed(error) = &attempt.ended {
        return format!("failed: {error}");
    }
    let cell = read(sweep, planned);
    let time = format!("{} s", number(attempt.seconds));
    let Some(result) = cell.finished() else { return format!("{}, {time}", cell.outcome.name()) };
    let score = Sort::ALL.iter().find_map(|s| result.score(*s)).unwrap_or(f64::NAN);
    format!("{}, {} {}, {time}", result.verdict.name(), result.score_name, number(score))
}
