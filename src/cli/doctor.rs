//! `gradscope doctor`: what works here and what does not, for a first look and for a report of a defect.

use std::env;
use std::path::Path;

use gradscope::record;
use gradscope::report::{self, OutputDir};
use serde::Serialize;

use super::{exit, output};

/// What there is.
#[derive(Serialize)]
struct Report {
    gradscope: &'static str,
    commit: &'static str,
    system: String,
    /// What this version writes, and reads.
    schemas: [&'static str; 3],
    cores: usize,
    /// `None` in the build without it. One that is linked was found, or nothing would have started.
    libtorch: Option<&'static str>,
    /// As `--device` spells them.
    devices: Vec<String>,
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
    /// Why not.
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
pub fn run(json: bool) -> anyhow::Result<u8> {
    let report = Report {
        gradscope: env!("CARGO_PKG_VERSION"),
        commit: env!("GRADSCOPE_COMMIT"),
        system: format!("{} {}", env::consts::OS, env::consts::ARCH),
        schemas: [record::SCHEMA, report::SUMMARY_SCHEMA, report::diff::SCHEMA],
        cores: std::thread::available_parallelism().map_or(1, |n| n.get()),
        libtorch: libtorch(),
        devices: devices(),
        reports: Access::to(Path::new("reports")),
        temporary: Access::to(&env::temp_dir()),
    };
    if json {
        output::print(&(serde_json::to_string_pretty(&report)? + "\n"))?;
    } else {
        output::print(&told(&report))?;
    }
    Ok(exit::DONE)
}

fn told(report: &Report) -> String {
    let training = match report.libtorch {
        Some(version) => format!("yes, with libtorch {version}"),
        None => {
            "no: built without libtorch (`make build` gives the build that trains); report, check, diff, \
                 merge and export work"
                .to_owned()
        }
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

#[cfg(feature = "train")]
fn libtorch() -> Option<&'static str> {
    Some(gradscope::train::libtorch_version())
}

#[cfg(not(feature = "train"))]
fn libtorch() -> Option<&'static str> {
    None
}

#[cfg(feature = "train")]
fn devices() -> Vec<String> {
    gradscope::train::devices()
}

#[cfg(not(feature = "train"))]
fn devices() -> Vec<String> {
    Vec::new()
}
