//! Record, findings and plots → files: one file of code an output format.
//!
//! Every format of a run's report is a function from a [`RunReport`] to the files it wants written. A new
//! one is a module and a line in `write`, which puts the files of all formats into place together: all of
//! them or, on an error, none. [`mod@format`] holds what other programs read of a run, one file each.

pub mod command;
pub mod compare;
pub mod diff;
mod directory;
mod error;
pub mod format;
mod html;
mod plots;
mod run_report;
pub mod schema;
mod summary;
pub mod sweep;
pub mod tensorboard;
mod write;

pub use directory::{OutputDir, RECORD_FILE};
pub use error::ReportError;
pub use run_report::RunReport;
pub use summary::{
    ActivationSummary, DistributionSummary, EpochSummary, FILE_NAME as SUMMARY_FILE, LayerEpoch,
    LayerSummary, Listed, QUANTILES, RunOutcome, RunSummary, SCHEMA as SUMMARY_SCHEMA, Summary, SummaryError,
};
pub use write::Written;
