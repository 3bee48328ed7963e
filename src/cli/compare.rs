//! `gradscope compare`: several variants under the same data and seed, trained one after another.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use gradscope::plot::{self, Compared};
use gradscope::record::Outcome;
use gradscope::report::OutputDir;
use gradscope::report::compare::{self, Comparison, Variant};
use gradscope::text::number;
use gradscope::train::{Config, DataOptions};

use super::args::{CompareArgs, reproducible};
use super::findings::Findings;
use super::run::{How, Trained, status, train};
use super::signals::Signals;
use super::summary::aligned;
use super::variants::{self, Grid, Trial, common, file_names, product, trials};
use super::{exit, output, resolve, verdict};

/// Where the variants' own reports lie, relative to that of the comparison.
const VARIANTS: &str = "variants";

/// Everything is checked before the first variant is trained.
pub fn run(args: &CompareArgs, colours: bool) -> anyhow::Result<u8> {
    let findings = Findings::new(&args.findings)?;
    let trials = trials_of(args)?;
    let configs = trials.iter().map(config).collect::<anyhow::Result<Vec<_>>>()?;
    same_ground(&trials, &configs)?;
    let out = match &args.output.out {
        Some(out) => out.clone(),
        None => default_directory(&configs[0].model.name),
    };
    let mut directory = OutputDir::check(&out, args.output.force || args.output.out.is_none())?;
    let names = file_names(trials.iter().map(|t| t.label.as_str()));
    let signals = Signals::listen()?;
    match args.output.out {
        Some(_) => directory.create()?,
        None => directory.create_new()?,
    }
    let how = How { findings: &findings, signals: &signals, quiet: args.output.quiet };
    let mut done: Vec<(usize, Trained)> = Vec::new();
    for (index, (trial, config)) in trials.iter().zip(&configs).enumerate() {
        if !args.output.quiet {
            output::note(&format!("variant {} of {}: {}", index + 1, trials.len(), trial.label));
        }
        let own = directory.path().join(VARIANTS).join(&names[index]);
        let own = OutputDir::check(&own, args.output.force)?;
        let trained =
            train(config, None, own, false, &how).with_context(|| format!("variant {:?}", trial.label))?;
        let stopped = trained.outcome != Outcome::Finished;
        done.push((index, trained));
        if stopped {
            break;
        }
    }
    let comparison = write(args, &trials, &names, &done, &directory)?;
    if args.output.json {
        output::print(&comparison.to_json()?)?;
    } else {
        let mut text = shown(&comparison, colours);
        if !args.output.quiet {
            text += &format!("\nreport: {}\n", directory.path().join("report.html").display());
        }
        output::print(&text)?;
    }
    let outcome = done.last().map_or(Outcome::Finished, |(_, trained)| trained.outcome);
    Ok(match outcome {
        Outcome::Finished => {
            done.iter().map(|(_, trained)| findings.status(&trained.diagnosis)).max().unwrap_or(exit::DONE)
        }
        stopped => status(stopped),
    })
}

fn trials_of(args: &CompareArgs) -> anyhow::Result<Vec<Trial>> {
    let grids =
        args.vary.iter().map(|text| Grid::parse("--vary", text)).collect::<anyhow::Result<Vec<_>>>()?;
    let variants = if grids.is_empty() {
        args.variant.iter().map(|text| variants::Variant::parse(text)).collect::<anyhow::Result<Vec<_>>>()?
    } else {
        product("--vary", &grids)?.into_iter().map(variants::Variant::called_by_value).collect()
    };
    ensure!(
        variants.len() > 1,
        "compare needs two variants or more: give --variant \"LABEL: FLAGS\" for each (without flags for the \
         run as it is), or --vary \"FLAG=VALUE;VALUE\""
    );
    trials(&common(&["variant", "vary", "plot-batches"], &[]), variants)
}

fn config(trial: &Trial) -> anyhow::Result<Config> {
    resolve::config(&trial.args, trial.command.clone()).with_context(|| format!("variant {:?}", trial.label))
}

/// That all variants have the same data and seed: curves of different data say nothing side by side.
fn same_ground(trials: &[Trial], configs: &[Config]) -> anyhow::Result<()> {
    // The same rows, whatever their scale.
    let ground =
        |c: &Config| (c.source.to_string(), DataOptions { standardize: false, ..c.data.clone() }, c.seed);
    let first = ground(&configs[0]);
    for (trial, config) in trials.iter().zip(configs).skip(1) {
        let (source, options, seed) = ground(config);
        let (a, b) = (&trials[0].label, &trial.label);
        ensure!(
            source == first.0,
            "variant {a:?} has the data {}, variant {b:?} {source}: a comparison needs the same for all (give --data once)",
            first.0
        );
        ensure!(
            options == first.1,
            "variants {a:?} and {b:?} take other rows of {source}: a comparison needs the same for all"
        );
        ensure!(
            seed == first.2,
            "variant {a:?} has the seed {}, variant {b:?} {seed}: a comparison needs the same for all (`gradscope sweep` \
             runs several)",
            first.2
        );
    }
    Ok(())
}

fn write(
    args: &CompareArgs,
    trials: &[Trial],
    names: &[String],
    done: &[(usize, Trained)],
    directory: &OutputDir,
) -> anyhow::Result<Comparison> {
    let places: Vec<String> = names.iter().map(|name| format!("{VARIANTS}/{name}")).collect();
    let flagged: Vec<_> = done.iter().map(|(_, trained)| trained.diagnosis.flagged_layers()).collect();
    let compared: Vec<Compared> = done
        .iter()
        .zip(&flagged)
        .map(|((i, trained), flagged)| Compared {
            label: &trials[*i].label,
            file_name: &names[*i],
            record: &trained.record,
            flagged,
        })
        .collect();
    let variants: Vec<Variant> = done
        .iter()
        .map(|(i, trained)| Variant {
            label: &trials[*i].label,
            directory: &places[*i],
            record: &trained.record,
            diagnosis: &trained.diagnosis,
        })
        .collect();
    let comparison = Comparison::of(&variants, &reproducible(std::env::args_os()));
    let figures = plot::comparison(&compared, args.plot_batches);
    compare::write(directory, &comparison, &variants, &figures)?;
    Ok(comparison)
}

/// `reports/compare-<model>-<time>`, in UTC so that names sort.
fn default_directory(model: &str) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    PathBuf::from("reports").join(format!("compare-{model}-{now}"))
}

/// The sentence, the table, and where the report is.
fn shown(comparison: &Comparison, colours: bool) -> String {
    let (splits, score) = (comparison.splits(), &comparison.score);
    let mut rows = vec![vec!["variant".to_owned(), "verdict".into()]];
    rows[0].extend(splits.iter().map(|split| format!("{} {score}", split.name())));
    rows[0].extend(["train loss", "findings"].map(String::from));
    for v in &comparison.variants {
        let mut row = vec![v.label.clone(), verdict::word(v.verdict).into()];
        let cell = |value: Option<f64>| value.map_or_else(|| "-".into(), number);
        row.extend(splits.iter().map(|split| cell(v.score_on(*split))));
        row.extend([cell(v.train_loss), v.findings()]);
        rows.push(row);
    }
    let numbers = 2..3 + splits.len();
    format!("{}\n{}", verdict::bold(&comparison.sentence, colours), aligned(&rows, numbers))
}
