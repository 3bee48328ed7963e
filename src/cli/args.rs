//! What stands on the command line: mirrors the flags and touches nothing.

mod compare;
mod flags;
mod prescribe;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand};

use super::number;

pub use compare::CompareArgs;
#[cfg(feature = "train")]
pub use flags::{CellArg, LengthArgs, LossArg, NormArg, PackingArg, TaskArg};
pub use flags::{DataArgs, NetworkArgs, RunFlags};
pub use prescribe::PrescribeArgs;

/// Tells which layers of a network are not learning, since when, why, and what fixes it.
#[derive(Debug, Parser)]
#[command(name = "gradscope", version, max_term_width = 100, disable_help_subcommand = true)]
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
    Sweep(Box<super::sweep::SweepArgs>),
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

#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The records of all ranks, in any order
    #[arg(required = true, value_name = "RECORD")]
    pub records: Vec<PathBuf>,
    /// Where the one record goes; compressed where the name ends in .zst
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct GradcheckArgs {
    /// Model: a name (`gradscope models` lists them) or a file that ends in .toml
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub model: String,
    /// Rows that the loss is taken over
    #[arg(long, value_name = "N", default_value = "8", value_parser = number::rows, allow_negative_numbers = true)]
    pub rows: u64,
    /// Parameters of a layer beyond which only so many are checked, chosen at random
    #[arg(long, value_name = "N", default_value = "200", value_parser = number::steps, allow_negative_numbers = true)]
    pub coordinates: u64,
    /// Seed of data, parameters and choice
    #[arg(long, value_name = "N", default_value = "0", value_parser = number::seed, allow_negative_numbers = true)]
    pub seed: i64,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
}

#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// Model: a name (`gradscope models` lists them) or a file that ends in .toml
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub model: String,
    /// Rows of the batch whose memory is estimated [default: the model's, or 1]
    #[arg(long, value_name = "N", value_parser = number::steps, allow_negative_numbers = true)]
    pub batch_size: Option<u64>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Initialiser of the weight (`gradscope inits` lists them)
    #[arg(long, value_name = "SCHEME", allow_hyphen_values = true)]
    pub scheme: String,
    /// Inputs of a unit: columns of the matrix
    #[arg(long, value_name = "N", value_parser = number::units, allow_negative_numbers = true)]
    pub fan_in: u64,
    /// Units: rows of the matrix
    #[arg(long, value_name = "M", value_parser = number::units, allow_negative_numbers = true)]
    pub fan_out: u64,
    /// Seed of the draw
    #[arg(long, value_name = "N", default_value = "0", value_parser = number::seed, allow_negative_numbers = true)]
    pub seed: i64,
    /// Initialiser of the bias: a number or a scheme
    #[arg(long, value_name = "NUMBER|SCHEME", default_value = "default", allow_hyphen_values = true)]
    pub bias: String,
    /// Print weight and bias as JSON
    #[arg(long)]
    pub json: bool,
    /// Draw a density histogram of the weights into this file
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Model: a name (`gradscope models` lists them), a file that ends in .toml, or a TorchScript program
    #[arg(
        long,
        value_name = "NAME|FILE.toml|FILE.pt",
        required_unless_present_any = ["resume", "show_config"]
    )]
    pub model: Option<String>,
    /// Go on with the run in this report directory, which --save-model has kept; its record gives all
    /// other flags, and --epochs and --patience may be given anew
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "DataArgs", "NetworkArgs", "TrainingArgs", "out", "force"])]
    pub resume: Option<PathBuf>,

    /// Print every flag that is set, here or in gradscope.toml, with where, and do nothing
    #[arg(long, conflicts_with = "resume")]
    pub show_config: bool,

    #[command(flatten)]
    pub flags: RunFlags,
    /// Let --fail-on look only at findings that this record, summary.json or report directory lacks, or
    /// has as milder or of fewer layers
    #[arg(long, value_name = "FILE", help_heading = "Findings")]
    pub baseline: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub targets: TargetArgs,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Findings")]
pub struct FindingArgs {
    /// End with status 1 on these findings: rules, families, warning, error, any
    #[arg(long, value_name = "WHAT,…")]
    pub fail_on: Option<String>,
    /// Rules not to evaluate
    #[arg(long, value_name = "RULE,…", value_delimiter = ',')]
    pub off: Vec<String>,
    /// Change a threshold: RULE.PARAM=VALUE (`gradscope explain RULE` names them)
    #[arg(long, value_name = "RULE.PARAM=VALUE")]
    pub set: Vec<String>,
}

#[cfg(feature = "train")]
impl FindingArgs {
    /// Takes over what was left out.
    pub fn fall_back_to(&mut self, earlier: &FindingArgs) {
        self.fail_on = self.fail_on.take().or_else(|| earlier.fail_on.clone());
        for (own, earlier) in [(&mut self.off, &earlier.off), (&mut self.set, &earlier.set)] {
            if own.is_empty() {
                own.clone_from(earlier);
            }
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Directory of the report [default: reports/<model>-<time>; for a record: its own]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write into a directory that holds other files
    #[arg(long)]
    pub force: bool,
    /// No progress; print the verdict alone
    #[arg(long, short)]
    pub quiet: bool,
    /// Print summary.json on standard output instead of the verdict
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct TargetArgs {
    /// Write the verdict as junit, github, markdown, gitlab, csv, vega or json, such as
    /// junit=report.xml; - is standard output, in place of what is otherwise printed; may be repeated
    #[arg(long, value_name = "FORMAT=PATH")]
    pub output: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A record (record.jsonl, or compressed as .zst or .gz), or the report directory that holds one
    pub record: PathBuf,
    #[command(flatten)]
    pub findings: FindingArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub targets: TargetArgs,
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Checkpoints: .safetensors (or the index of several), .pt and .pth of torch.save, .npz, .npy, or a
    /// directory with a model in it; several of one run, in the order of training, tell what changed
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub findings: FindingArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub targets: TargetArgs,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A record (record.jsonl), a summary.json, or a report directory
    #[arg(value_name = "RECORD|summary.json")]
    pub file: PathBuf,
    #[command(flatten)]
    pub findings: FindingArgs,
    /// Only tell of, and fail on, findings that this record, summary.json or report directory lacks, or
    /// has as milder or of fewer layers
    #[arg(long, value_name = "FILE", help_heading = "Findings")]
    pub baseline: Option<PathBuf>,
    #[command(flatten)]
    pub targets: TargetArgs,
}

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// What to compare with: a record, a summary.json, or a report directory
    pub base: PathBuf,
    /// What to compare: a record, a summary.json, or a report directory
    pub new: PathBuf,
    /// Relative change from which a number of a layer or finding is told
    #[arg(long, value_name = "SHARE", default_value_t = gradscope::report::diff::TOLERANCE, value_parser = number::probability, allow_negative_numbers = true)]
    pub tolerance: f64,
    #[command(flatten)]
    pub findings: FindingArgs,
    /// Write a page and diff.json into this directory
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Write into a directory that holds other files
    #[arg(long, requires = "out", help_heading = "Output")]
    pub force: bool,
    /// Print diff.json on standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    #[command(flatten)]
    pub targets: TargetArgs,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// A record (record.jsonl), or the report directory that holds one
    pub record: PathBuf,
    /// Write an event file with scalars and histograms into this directory, for `tensorboard --logdir DIR`
    #[arg(long, value_name = "DIR", required = true)]
    pub tensorboard: PathBuf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum SchemaArg {
    /// summary.json
    Summary,
    /// Every line of record.jsonl
    Record,
    /// A model file, which is TOML
    Model,
}

/// The command line as a record keeps it: what repeats the run, without where its output goes.
pub fn reproducible(words: impl Iterator<Item = OsString>) -> Vec<String> {
    let mut kept = vec!["gradscope".to_owned()];
    let mut words = words.skip(1).map(|w| w.to_string_lossy().into_owned());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--out" | "--output" | "--baseline" | "--color" => {
                words.next();
            }
            "--force" | "--quiet" | "-q" | "--json" | "--show-config" => {}
            _ if ["--out=", "--output=", "--baseline=", "--color="]
                .iter()
                .any(|flag| word.starts_with(flag)) => {}
            _ => kept.push(word),
        }
    }
    kept
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

    #[cfg(feature = "train")]
    #[test]
    fn the_help_names_every_data_set_and_its_split() {
        let mut command = Cli::command();
        let run = command.find_subcommand_mut("run").unwrap();
        let help = |id: &str| run.get_arguments().find(|a| a.get_id() == id).unwrap().get_help().unwrap();
        let (data, split) = (help("data").to_string(), help("split").to_string());
        for kind in gradscope::train::data_kinds() {
            assert!(data.contains(kind.form), "{}: {data}", kind.form);
            let [a, b, c] = kind.split;
            assert!(split.contains(&format!("{a},{b},{c}")), "{}: {split}", kind.name);
        }
    }

    #[test]
    fn the_kept_command_repeats_the_run_wherever_its_output_went() {
        let words = "/x/gradscope --color never run --model relu5 --bias -8 --out=a --out b --output=csv=c --baseline e --output json=d --force -q --lr 1";
        let kept = reproducible(words.split(' ').map(OsString::from));
        assert_eq!(kept.join(" "), "gradscope run --model relu5 --bias -8 --lr 1");
    }
}
