//! `gradscope diff BASE NEW`: what is new, worse, better and fixed, and which layers moved.

use std::fmt::Write;

use anyhow::{bail, ensure};

use crate::cli::args::DiffArgs;
use crate::cli::command::check;
use crate::cli::input::findings::Findings;
use crate::cli::input::source;
use crate::cli::output;
use crate::cli::output::Colors;
use crate::cli::output::targets::Targets;
use crate::cli::output::verdict::bold;
use crate::diagnose::Finding;
use crate::report::OutputDir;
use crate::report::diff::{Changed, Diff};
use crate::report::format::Subject;
use crate::text::{fill, number};

/// Changes of layers that are printed; `--json` and the page have more.
const MAX_CHANGES: usize = 10;

/// Prints what is different; the exit status is about what is new or worse.
pub fn run(args: &DiffArgs, colors: Colors) -> anyhow::Result<u8> {
    let findings = Findings::new(&args.findings)?;
    let paths = [source::path(&args.base), source::path(&args.new)];
    let targets = Targets::open(&args.targets.output, &[&paths[0], &paths[1]])?;
    if let Some(format) = targets.of_a_single_run() {
        bail!("--output {format}: this format tells of one run and not of two; give it to `gradscope check`");
    }
    ensure!(
        !(args.json && targets.take_stdout()),
        "--json and an --output to - both want standard output: give one of them a file"
    );
    let directory = args.out.as_ref().map(|out| OutputDir::check(out, args.force)).transpose()?;
    let [base, new] = [
        source::read(&paths[0], &findings, &args.findings)?,
        source::read(&paths[1], &findings, &args.findings)?,
    ];
    let [base_name, new_name] = paths.each_ref().map(|p| p.display().to_string());
    let diff = Diff::new((&base, &base_name), (&new, &new_name), args.tolerance);
    targets.write(&Subject { summary: &new, source: &paths[1], known: &diff.known })?;
    if let Some(directory) = &directory {
        diff.write(directory)?;
    }
    if args.json {
        output::print(&diff.to_json()?)?;
    } else if !targets.take_stdout() {
        let mut text = told(&diff, colors);
        if let Some(directory) = &directory {
            text += &format!("\nreport: {}\n", directory.path().join("report.html").display());
        }
        output::print(&text)?;
    }
    Ok(findings.status_of(&diff.regressions()))
}

fn told(diff: &Diff, colors: Colors) -> String {
    let mut text = bold(&diff.sentence(), colors);
    if diff.base.verdict != diff.new.verdict {
        let _ = writeln!(text, "verdict: {} → {}", diff.base.verdict.name(), diff.new.verdict.name());
    }
    let plain = |word: &str, code: &str, f: &Finding| {
        format!("{} {}", colors.wrap(code, word), check::line(f, colors))
    };
    let changed = |word: &str, code: &str, c: &Changed| {
        let was = match c.base.severity == c.finding.severity {
            true => format!("was {}, is {}", number(c.base.value), number(c.finding.value)),
            false => format!("was {}", c.base.severity.name()),
        };
        format!("{} {} ({was})\n", colors.wrap(code, word), check::line(&c.finding, colors).trim_end())
    };
    text.extend(diff.appeared.iter().map(|f| plain("new", "1;31", f)));
    text.extend(diff.worse.iter().map(|c| changed("worse", "1;31", c)));
    text.extend(diff.better.iter().map(|c| changed("better", "32", c)));
    text.extend(diff.fixed.iter().map(|f| plain("fixed", "32", f)));
    for change in diff.layers.iter().take(MAX_CHANGES) {
        let words = change.in_words();
        let words = if words.is_empty() { words } else { format!(" ({words})") };
        let (base, new) = (number(change.base), number(change.new));
        text += &one_line(&format!("{}: {} {base} → {new}{words}", change.layer, change.quantity));
    }
    if diff.layers.len() > MAX_CHANGES {
        let _ = writeln!(
            text,
            "and {} more changes of layers, which --json and --out list",
            diff.layers.len() - MAX_CHANGES
        );
    }
    for r in &diff.reshaped {
        text += &one_line(&format!(
            "{}: of shape {:?} in the base, {:?} now; not compared",
            r.layer, r.base, r.new
        ));
    }
    for (what, names) in [
        ("only in the base", &diff.only_in_base),
        ("only in the new run", &diff.only_in_new),
        ("no longer measured", &diff.no_longer_measured),
    ] {
        if !names.is_empty() {
            text += &one_line(&format!("{what}: {}", names.join(", ")));
        }
    }
    text
}

/// A name with a line break must not pass for another line.
fn one_line(text: &str) -> String {
    fill(text, usize::MAX, "")
}
