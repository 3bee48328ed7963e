//! The command line: one declaration a flag, and nothing is read or computed.
//!
//! A new flag of `run` is a field with its help in the file of its group here (`data.rs`, `network.rs`,
//! `training.rs`, …), the line in `gradscope-train`'s `input/resolve.rs` that takes it over into
//! `train::Config`, and the code that it is for. Completions, manual pages, `gradscope.toml`, `compare`,
//! `sweep` and `prescribe` know it by then. A flag with a fixed set of values has the type that the
//! record keeps, and `value::one_of` as its parser.

#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags,
    reason = "doc comments of flags are the texts of --help"
)]

mod cli;
mod compare;
mod data;
mod findings;
mod models;
mod network;
pub mod number;
mod output;
mod prescribe;
mod records;
mod reproducible;
mod run;
mod sweep;
mod training;
mod value;

pub use cli::{Cli, Command};
pub use compare::CompareArgs;
pub use data::DataArgs;
pub use findings::FindingArgs;
pub use models::{GradcheckArgs, InitArgs, SummaryArgs};
pub use network::NetworkArgs;
pub use output::{OutputArgs, TargetArgs};
pub use prescribe::PrescribeArgs;
pub use records::{CheckArgs, DiffArgs, ExportArgs, InspectArgs, MergeArgs, ReportArgs, SchemaArg};
pub use reproducible::reproducible;
pub use run::{RunArgs, RunFlags};
pub use sweep::SweepArgs;
pub use training::{LengthArgs, TrainingArgs};
