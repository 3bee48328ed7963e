//! `gradscope run`: train, record, diagnose, report.

use gradscope::cli::args::{RunArgs, reproducible};
use gradscope::cli::input::findings::Findings;
use gradscope::cli::input::source;
use gradscope::cli::output;
use gradscope::cli::output::Colors;
use gradscope::cli::output::conclusion::{OutputRequest, conclude, default_directory, open_targets};
use gradscope::cli::output::exit;
use gradscope::record::Outcome;
use gradscope::report::OutputDir;

use crate::input::config_file;
use crate::input::resolve;
use crate::input::resume;
use crate::session::{DirectoryName, RunContext, status, train};
use crate::signals::Signals;

/// Everything is checked before anything is written; then the record grows while training goes.
pub fn run(args: &RunArgs, colors: Colors) -> anyhow::Result<u8> {
    if args.show_config {
        output::print(&config_file::shown()?)?;
        return Ok(exit::DONE);
    }
    let mut finding_args = args.flags.findings.clone();
    let (config, earlier) = match &args.resume {
        None => (resolve::config(args, reproducible(config_file::words()))?, None),
        Some(directory) => {
            let (config, earlier) = resume::config(directory, &args.flags.length)?;
            finding_args.fall_back_to(&earlier.findings);
            (config, Some(earlier))
        }
    };
    let findings = Findings::new(&finding_args)?;
    let given = args.output.out.as_ref().or(args.resume.as_ref());
    let directory = match given {
        Some(out) => OutputDir::check(out, args.output.force)?,
        // Whether it is there is seen when it is made.
        None => OutputDir::check(&default_directory(config.model.name()), true)?,
    };
    let targets = open_targets(&args.targets, &args.output, &[&directory.record(config.packing)])?;
    let baseline = source::baseline(args.baseline.as_ref(), &findings)?;
    let signals = Signals::listen()?;
    let name = if given.is_some() { DirectoryName::Given } else { DirectoryName::MadeUp };
    let how = RunContext { findings: &findings, signals: &signals, quiet: args.output.quiet };
    let trained = train(&config, earlier.as_ref(), directory, name, &how)?;
    let record = trained.directory.record(config.packing);
    let baseline = baseline.as_ref();
    let wanted = OutputRequest {
        args: &args.output,
        targets: &targets,
        directory: &trained.directory,
        baseline,
        colors,
    };
    let new = conclude(&trained.record, &trained.diagnosis, &trained.summary, &record, &wanted)?;
    Ok(match trained.outcome {
        Outcome::Finished => findings.status_of(&new),
        stopped => status(stopped),
    })
}
