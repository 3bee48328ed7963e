//! How far the limits that are guesses can be moved before a verdict of the calibration half changes, and
//! from which scale on inputs and targets really do harm.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use gradscope::diagnose::{Diagnosis, Settings, Severity, Source, Verdict, diagnose, rules};
use gradscope::record::Record;

use crate::build::{Table, hidden, init_of};
use crate::case::{Case, Kind, kind};
use crate::draw::{Draw, Half};
use crate::train::{Run, on_all_cores, train};

/// What a guess is multiplied by.
const FACTORS: [f64; 8] = [0.01, 0.1, 0.2, 0.5, 2.0, 5.0, 10.0, 100.0];
/// Kinds named in a line, at most.
const NAMED: usize = 4;
/// Scales of inputs, and of targets.
const DOSES: [f64; 13] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0];
/// Seeds of a dose.
const SEEDS: u64 = 5;
/// Share of the progress at scale 1 below which a run is harmed.
const UNHARMED: f64 = 0.9;

/// The section of the page.
///
/// # Errors
/// The first run that could not be trained or read.
pub fn section(runs: &[Run], program: &Path, images: &Path, out: &Path) -> Result<String, Box<dyn Error>> {
    let mut text = String::from(
        "## Guessed limits\n\nWritten by `make corpus-calibrate`, on the calibration half. A limit of the rules \
         that began as a guess is multiplied by each of these factors, everything else left as it is. \
         Cells: runs whose verdict or roots change (faulty runs whose root is right, and healthy runs that \
         are alarmed, where these numbers change).\n\n",
    );
    sweep(&mut text, runs, out)?;
    doses(&mut text, program, images, out)?;
    Ok(text)
}

/// What is compared: the verdict and the names of its roots.
#[derive(PartialEq)]
struct Said {
    verdict: Verdict,
    roots: BTreeSet<String>,
}

impl Said {
    fn of(diagnosis: &Diagnosis) -> Self {
        let roots = diagnosis.roots().filter(|f| f.severity > Severity::Info).map(|f| f.rule.clone());
        Self { verdict: diagnosis.verdict, roots: roots.collect() }
    }

    fn is_right(&self, run: &Run) -> bool {
        run.fault().is_some_and(|f| f.faults().all(|roots| roots.iter().any(|r| self.roots.contains(*r))))
    }
}

fn sweep(text: &mut String, runs: &[Run], out: &Path) -> Result<(), Box<dyn Error>> {
    let read =
        |run: &Run| Record::read(&run.record(out)).map(|(record, _)| record).map_err(|e| e.to_string());
    let records = on_all_cores(runs, read).into_iter().collect::<Result<Vec<Record>, _>>()?;
    let pairs: Vec<(&Run, &Record)> = runs.iter().zip(&records).collect();
    let ask = |settings: &Settings| on_all_cores(&pairs, |(_, r)| Said::of(&diagnose(r, settings)));
    let count = |said: &[Said]| {
        let right = pairs.iter().zip(said).filter(|((run, _), s)| s.is_right(run)).count();
        let alarmed =
            |((run, _), s): &(&(&Run, &Record), &Said)| !run.is_faulty() && s.verdict > Verdict::Healthy;
        (right, pairs.iter().zip(said).filter(alarmed).count())
    };
    let usual = ask(&Settings::default());
    let (right, alarmed) = count(&usual);
    writeln!(text, "At the defaults {right} roots are right and {alarmed} healthy runs are alarmed.\n")?;
    let factors = FACTORS.map(|f| format!(" × {f} |")).concat();
    writeln!(
        text,
        "| limit | default |{factors} kinds that change first |\n|{}",
        " --- |".repeat(FACTORS.len() + 3)
    )?;
    for rule in rules() {
        for param in rule.params.iter().filter(|p| p.source != Source::Calibrated) {
            write!(text, "| `{}.{}` | {} |", rule.name, param.name, param.default)?;
            let mut first: Vec<(f64, BTreeSet<&str>)> = Vec::new();
            for factor in FACTORS {
                let mut settings = Settings::default();
                let moved = param.default * factor;
                let moved = if param.whole { moved.round().max(1.0) } else { moved };
                settings.set(&format!("{}.{}={moved}", rule.name, param.name))?;
                let said = ask(&settings);
                let changed = pairs.iter().zip(usual.iter().zip(&said)).filter(|(_, (a, b))| a != b);
                let kinds: Vec<&str> = changed.map(|((run, _), _)| run.kind.name).collect();
                write!(text, " {}", kinds.len())?;
                if count(&said) != (right, alarmed) {
                    let (right, alarmed) = count(&said);
                    write!(text, " ({right}, {alarmed})")?;
                }
                write!(text, " |")?;
                if !kinds.is_empty() {
                    first.push((factor, kinds.into_iter().collect()));
                }
            }
            let below = first.iter().rfind(|(factor, _)| *factor < 1.0);
            let above = first.iter().find(|(factor, _)| *factor > 1.0);
            let named = below.into_iter().chain(above).map(|(factor, kinds)| {
                let names: Vec<&str> = kinds.iter().copied().take(NAMED).collect();
                let more = if kinds.len() > NAMED { " …" } else { "" };
                format!("× {factor}: {}{more}", names.join(", "))
            });
            let named = named.collect::<Vec<_>>().join("; ");
            writeln!(text, " {} |", if named.is_empty() { "none" } else { &named })?;
        }
    }
    text.push('\n');
    Ok(())
}

/// A network for a table; what is done to the table is up to the dose.
fn dosed(d: &mut Draw, table: &Table) -> Case {
    let width = d.width(16, 32);
    Case::of("mlp")
        .with("hidden", hidden(2, width))
        .with("act", "relu")
        .with("init", init_of("relu"))
        .with("bias", 0)
        .with("seed", d.seed)
        .with("epochs", 30)
        .regression(table.regression(d))
}

/// What is scaled, and the table for a scale.
type Scaled = (&'static Kind, fn(f64) -> Table);

static INPUTS: Kind = kind("dose-inputs", "inputs on a scale", |d| dosed(d, &Table::default()));
static TARGETS: Kind = kind("dose-targets", "targets on a scale", |d| dosed(d, &Table::default()));

fn doses(text: &mut String, program: &Path, images: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    text.push_str(
        "From which scale on inputs and targets do harm: regression on a table, everything else as it should \
         be. Harmed: less than 0.9 of the progress (from the loss of guessing) that the same seed makes at \
         scale 1, of 5 seeds.\n\n| scale | inputs, SGD 0.05 | inputs, Adam 0.003 | targets, SGD 0.05 | \
         targets, Adam 0.003 |\n| --- | --- | --- | --- | --- |\n",
    );
    let scaled: [Scaled; 2] = [
        (&INPUTS, |scale| Table { scale, ..Table::default() }),
        (&TARGETS, |target_scale| Table { target_scale, ..Table::default() }),
    ];
    let optimizers = [("sgd", 0.05), ("adam", 0.003)];
    let columns = scaled.iter().flat_map(|s| optimizers.map(|o| (s, o)));
    let mut harmed = vec![Vec::new(); DOSES.len()];
    for ((kind, table), (optimizer, lr)) in columns {
        let run = |(dose, seed): (f64, u64)| {
            let mut draw = Draw::new(kind.name, Half::Calibration, seed);
            let case = dosed(&mut draw, &table(dose)).step(optimizer, lr);
            let id = format!("{}-{optimizer}-{dose}-{seed}", kind.name);
            Run { id, kind, half: Half::Calibration, case }
        };
        let all = DOSES.iter().flat_map(|dose| (0..SEEDS).map(|seed| (*dose, seed)));
        let runs: Vec<Run> = all.map(run).collect();
        train(&runs, program, images, out)?;
        let progress = runs.iter().map(|run| {
            let (record, _) = Record::read(&run.record(out))?;
            let last = record.epochs.last().map_or(f64::NAN, |e| e.train_loss);
            Ok(1.0 - last / record.header.data.baseline_loss)
        });
        let progress = progress.collect::<Result<Vec<f64>, Box<dyn Error>>>()?;
        let seeds = SEEDS as usize;
        let at_one = DOSES.iter().position(|d| *d == 1.0).ok_or("no dose of 1")? * seeds;
        for (i, row) in harmed.iter_mut().enumerate() {
            let here = (0..seeds).map(|s| (progress[i * seeds + s], progress[at_one + s]));
            // What is no number is harmed as well.
            row.push(seeds - here.filter(|(p, one)| *p >= UNHARMED * one).count());
        }
    }
    for (dose, row) in DOSES.iter().zip(&harmed) {
        write!(text, "| {dose} |")?;
        for count in row {
            write!(text, " {count} of {SEEDS} |")?;
        }
        text.push('\n');
    }
    text.push('\n');
    Ok(())
}
