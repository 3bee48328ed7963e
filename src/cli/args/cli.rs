//! The command line as a whole: its commands, and the flag that all have.

use clap::{ColorChoice, Parser, Subcommand};

use super::compare::CompareArgs;
use super::models::{GradcheckArgs, InitArgs, SummaryArgs};
use super::prescribe::PrescribeArgs;
use super::records::{CheckArgs, DiffArgs, ExportArgs, InspectArgs, MergeArgs, ReportArgs, SchemaArg};
use super::run::RunArgs;
use super::sweep::SweepArgs;

/// Tells which layers of a network are not learning, since when, why, and what fixes it.
#[derive(Debug, Parser)]
#[command(
    name = "gradscope",
    bin_name = "gradscope",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(after_help = "Exit status: 0 done, 1 a finding that --fail-on names, 2 wrong usage or input, \
3 the run failed, 130 interrupted, 143 terminated.")]
pub struct Cli {
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a model, record it, diagnose it, write a report
    Run(Box<RunArgs>),
    /// Train several variants under the same data and seed, and report them side by side
    Compare(Box<CompareArgs>),
    /// Train every combination of some flags' values, in a process each, and put them into one table
    Sweep(Box<SweepArgs>),
    /// Try the remedies of an unhealthy run, and say which one works
    Prescribe(Box<PrescribeArgs>),
    /// What the weights in checkpoints say, without a training: .safetensors, .pt, .pth, .npz
    Inspect(InspectArgs),
    /// Render the report of a record again, without training
    Report(ReportArgs),
    /// The findings of a record or summary, a line each, and the exit status
    Check(CheckArgs),
    /// What is new, worse, better or fixed between two runs, and which layers moved
    Diff(DiffArgs),
    /// Write a record in the form of another tool
    Export(ExportArgs),
    /// Make one record of those of several ranks or shards of a distributed run
    Merge(MergeArgs),
    /// What a rule measures, its threshold and source, its false alarms, its remedies
    Explain {
        /// Name of the rule (`gradscope rules` lists them)
        rule: String,
    },
    /// List the rules
    Rules {
        /// As JSON, with their limits
        #[arg(long)]
        json: bool,
        /// As a page of Markdown, with what `explain` says of each
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
    },
    /// The JSON Schema of a file
    Schema {
        /// Which file
        of: SchemaArg,
    },
    /// List the data sets
    Datasets {
        /// As JSON, with every default
        #[arg(long)]
        json: bool,
    },
    /// List the models with their defaults
    Models {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// The parameter table of a model: layers, shapes, parameters, sizes
    Summary(SummaryArgs),
    /// List the initialisers
    Inits {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One initial weight matrix and its distribution
    Init(InitArgs),
    /// Autograd against numerical differentiation, in float64
    Gradcheck(GradcheckArgs),
    /// What works here and what does not: versions, libtorch, devices, write access
    Doctor {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// A script that completes commands and flags in a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// A manual page, of gradscope or of one of its commands
    Man {
        /// The command [default: gradscope itself]
        command: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_negative_zero_nan_or_absurd_number_is_refused_for_every_flag() {
        let zero_too = [
            "lr",
            "clip-norm",
            "clip-value",
            "epochs",
            "patience",
            "threads",
            "capture-every",
            "samples",
            "hidden",
        ];
        let zero_is_fine = ["momentum", "weight-decay", "dropout", "noise", "lrelu-slope", "seed"];
        let parse = |flag: &str, value: &str| {
            Cli::try_parse_from(["gradscope", "run", "--model", "mlp", &format!("--{flag}"), value])
        };
        for flag in zero_too.iter().chain(&zero_is_fine) {
            for value in ["-1", "NaN", "1e300", "inf", "x", ""] {
                let message = parse(flag, value).expect_err(value).to_string();
                assert!(message.contains(&format!("--{flag}")), "--{flag} {value}: {message}");
                assert!(message.contains("should be") || value.is_empty(), "--{flag} {value}: {message}");
            }
            assert_eq!(parse(flag, "0").is_ok(), zero_is_fine.contains(flag), "--{flag} 0");
        }
    }
}
