//! `gradscope compare`: several variants under the same data and seed, trained one after another.

use std::path::Path;

use anyhow::{Context, ensure};
use gradscope::cli::args::CompareArgs;
use gradscope::cli::input::findings::Findings;
use gradscope::cli::output;
use gradscope::cli::output::Colors;
use gradscope::cli::output::conclusion::default_directory;
use gradscope::cli::output::exit;
use gradscope::record::Outcome;
use gradscope::report::OutputDir;
use gradscope::train::{Config, DataOptions, check};

use crate::input::resolve;
use crate::input::variants::{Grid, Trial, Variant, common, file_names, product, trials};
use crate::session::{DirectoryName, RunContext, status, train};
use crate::side_by_side::{TrainedVariant, VARIANTS, show, write};
use crate::signals::Signals;

/// Everything is checked before the first variant is trained.
pub fn run(args: &CompareArgs, colors: Colors) -> anyhow::Result<u8> {
    let findings = Findings::new(&args.flags.findings)?;
    let trials = trials_of(args)?;
    let configs = trials.iter().map(config).collect::<anyhow::Result<Vec<_>>>()?;
    same_ground(&trials, &configs)?;
    let out = match &args.output.out {
        Some(out) => out.clone(),
        None => default_directory(&format!("compare-{}", configs[0].model.name())),
    };
    let mut directory = OutputDir::check(&out, args.output.force || args.output.out.is_none())?;
    let names = file_names(trials.iter().map(|t| t.label.as_str()));
    let own = |directory: &Path, name: &str| {
        OutputDir::check(&directory.join(VARIANTS).join(name), args.output.force)
    };
    for ((trial, config), name) in trials.iter().zip(&configs).zip(&names) {
        own(&out, name)?;
        check(config).with_context(|| format!("variant {:?}", trial.label))?;
    }
    let signals = Signals::listen()?;
    match args.output.out {
        Some(_) => directory.create()?,
        None => directory.create_new()?,
    }
    let how = RunContext { findings: &findings, signals: &signals, quiet: args.output.quiet };
    let labels: Vec<&str> = trials.iter().map(|t| t.label.as_str()).collect();
    let mut sides: Vec<TrainedVariant> = Vec::new();
    let mut failure = None;
    for ((trial, config), name) in trials.iter().zip(&configs).zip(names) {
        // Written anew for every variant: whatever happens to the next, those that are done are told of.
        write(&sides, &labels[sides.len()..], None, args.plot_batches, &directory)?;
        if !args.output.quiet {
            output::note(&format!("variant {} of {}: {}", sides.len() + 1, trials.len(), trial.label));
        }
        match train(config, None, own(directory.path(), &name)?, DirectoryName::Given, &how) {
            Ok(trained) => {
                sides.push(TrainedVariant { label: trial.label.clone(), file_name: name, trained })
            }
            Err(error) => failure = Some(error.context(format!("variant {:?}", trial.label))),
        }
        if failure.is_some() || sides.last().is_some_and(|side| side.trained.outcome != Outcome::Finished) {
            break;
        }
    }
    let comparison = write(&sides, &labels[sides.len()..], None, args.plot_batches, &directory)?;
    if let Some(error) = failure {
        return Err(error);
    }
    show(&comparison, &directory, &args.output, colors)?;
    let outcome = sides.last().map_or(Outcome::Finished, |side| side.trained.outcome);
    let worst = sides.iter().map(|side| findings.status(&side.trained.diagnosis)).max();
    Ok(match outcome {
        Outcome::Finished => worst.unwrap_or(exit::DONE),
        stopped => status(stopped),
    })
}

fn trials_of(args: &CompareArgs) -> anyhow::Result<Vec<Trial>> {
    let grids =
        args.vary.iter().map(|text| Grid::parse("--vary", text)).collect::<anyhow::Result<Vec<_>>>()?;
    let variants = if grids.is_empty() {
        args.variant.iter().map(|text| Variant::parse(text)).collect::<anyhow::Result<Vec<_>>>()?
    } else {
        product("--vary", &grids)?.into_iter().map(Variant::called_by_value).collect()
    };
    ensure!(
        variants.len() > 1,
        "compare needs two variants or more: give --variant \"LABEL: FLAGS\" for each (without flags for the \
         run as it is), or --vary \"FLAG=VALUE;VALUE\""
    );
    ensure!(
        args.model.is_some() || variants.iter().all(|v| v.sets("model")),
        "which model? add --model NAME, or vary it: --vary \"model=relu5;tanh5\""
    );
    trials(&common(&["variant", "vary", "plot-batches"], &[]), variants)
}

fn config(trial: &Trial) -> anyhow::Result<Config> {
    resolve::config(&trial.args, trial.command.clone()).with_context(|| format!("variant {:?}", trial.label))
}

/// That all variants have the same data and seed: curves of different data say nothing side by side.
fn same_ground(trials: &[Trial], configs: &[Config]) -> anyhow::Result<()> {
    // The same rows, whatever their scale.
    let ground = |c: &Config| {
        (c.source.to_string(), DataOptions { standardize: false, ..c.data.clone() }, c.training.seed)
    };
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
