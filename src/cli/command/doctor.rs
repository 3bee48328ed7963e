//! `gradscope doctor`: what works here and what does not, for a first look and for a report of a defect.

use std::env;
use std::path::Path;

use serde::Serialize;

use crate::cli::handover;
use crate::cli::handover::Training;
use crate::cli::output;
use crate::cli::output::{Listing, exit};
use crate::record;
use crate::report::{self, OutputDir};

/// The state of everything that gradscope needs.
#[derive(Serialize)]
struct Report {
    gradscope: &'static str,
    commit: &'static str,
    system: String,
    /// The formats that this version writes and reads.
    schemas: [&'static str; 3],
    cores: usize,
    /// The program that trains, where there is one.
    train: Option<String>,
    /// The version that it is linked with.
    libtorch: Option<String>,
    /// The devices that it finds, as `--device` spells them.
    devices: Vec<String>,
    /// The reason why it does not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Where `run` writes by default.
    reports: Access,
    /// Where files are staged.
    temporary: Access,
}

/// Whether a directory can be written into.
#[derive(Serialize)]
struct Access {
    path: String,
    writable: bool,
    /// The reason why it cannot.
    reason: Option<String>,
}

impl Access {
    fn to(path: &Path) -> Self {
        let checked = OutputDir::check(path, true);
        Self {
            path: path.display().to_string(),
            writable: checked.is_ok(),
            reason: checked.err().map(|e| e.to_string()),
        }
    }

    fn in_words(&self) -> String {
        self.reason.as_ref().map_or_else(|| format!("{} can be written into", self.path), Clone::clone)
    }
}

/// Prints it, in lines or as JSON.
pub fn run(form: Listing, training: Training) -> anyhow::Result<u8> {
    let report = Report {
        gradscope: env!("CARGO_PKG_VERSION"),
        commit: crate::COMMIT,
        system: format!("{} {}", env::consts::OS, env::consts::ARCH),
        schemas: [record::SCHEMA, report::SUMMARY_SCHEMA, report::diff::SCHEMA],
        cores: std::thread::available_parallelism().map_or(1, |n| n.get()),
        train: training.program.map(|path| path.display().to_string()),
        libtorch: training.libtorch,
        devices: training.devices,
        problem: training.problem,
        reports: Access::to(Path::new("reports")),
        temporary: Access::to(&env::temp_dir()),
    };
    if form == Listing::Json {
        output::print(&(serde_json::to_string_pretty(&report)? + "\n"))?;
    } else {
        output::print(&told(&report))?;
    }
    Ok(exit::DONE)
}

fn told(report: &Report) -> String {
    let training = match (&report.train, &report.libtorch, &report.problem) {
        (Some(program), Some(version), _) => format!("yes, with libtorch {version}, by {program}"),
        (Some(program), _, problem) => {
            format!(
                "no: {program}: {}",
                problem.as_deref().unwrap_or("it does not say which libtorch it has")
            )
        }
        (None, ..) => format!("no: {}; all commands that do not train work", handover::CURE),
    };
    let devices = if report.devices.is_empty() { "none".to_owned() } else { report.devices.join(", ") };
    let rows = [
        ("gradscope", format!("{}, commit {}", report.gradscope, report.commit)),
        ("system", format!("{}, cores: {}", report.system, report.cores)),
        ("files", report.schemas.join(", ")),
        ("training", training),
        ("devices", devices),
        ("reports", report.reports.in_words()),
        ("temporary", report.temporary.in_words()),
    ];
    rows.iter().map(|(name, what)| format!("{name:10} {what}\n")).collect()
}
