//! The flags about where output goes.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::report::format::FORMATS;

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
    #[arg(long, value_name = "FORMAT=PATH", help = help())]
    pub output: Vec<OsString>,
}

fn help() -> String {
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    format!(
        "Write the verdict as one of {}, such as junit=report.xml; - is standard output, in place of what is \
         otherwise printed; may be repeated",
        names.join(", ")
    )
}
