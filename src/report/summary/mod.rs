//! `summary.json`: the whole verdict with the numbers behind it, for machines.
//!
//! The names are a contract: scripts read them. Numbers that may not be finite are written through
//! `record::number`, so that a NaN is a string and never a `null`.

mod build;
mod document;
mod file;
mod reader;

pub(super) use build::findings_of;
pub use document::{
    ActivationSummary, DistributionSummary, EpochSummary, FILE_NAME, LayerEpoch, LayerSummary, Listed,
    QUANTILES, RunOutcome, RunSummary, SCHEMA, Summary,
};
pub(super) use file::files;
pub use reader::SummaryError;
