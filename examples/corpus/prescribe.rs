//! How often `gradscope prescribe` finds what cures a run: against a twin of it in which the fault alone is
//! undone by hand.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use gradscope::record::Record;
use serde_json::Value;

use crate::train::{Run, on_all_cores};

/// Times the epochs of the corpus: a fault shows at once, a cure takes until the twin has learned.
const LONGER: u64 = 5;
/// Loss over guessing that a twin must come below: one that learns nothing either is no measure.
const TWIN_LEARNED: f64 = 0.8;
/// Share of the twin's way from the loss of guessing that counts as a cure.
const CURED: f64 = 0.9;

/// A faulty run, its twin, and what was prescribed.
pub struct Tried<'a> {
    run: &'a Run,
    /// Final training loss of the twin over that of guessing.
    twin: f64,
    /// `works`, `nothing`, …
    outcome: String,
    flags: String,
    /// The same share with what was prescribed; infinite where nothing was.
    cured: f64,
    /// Loss with the other seed, as it was and with what was prescribed.
    confirmed: Option<(f64, f64)>,
}

impl Tried<'_> {
    /// Whether there is something to cure, and to measure a cure by.
    fn counts(&self) -> bool {
        self.twin < TWIN_LEARNED && self.outcome != "healthy"
    }

    /// The way that the prescription came, over that of the twin.
    fn progress(&self) -> f64 {
        (1.0 - self.cured) / (1.0 - self.twin)
    }

    fn is_cured(&self) -> bool {
        self.progress() >= CURED
    }

    /// Whether an improvement is claimed that the second seed contradicts.
    fn is_unfounded(&self) -> bool {
        let better = |(before, after): (f64, f64)| after < before || before.is_nan() && after.is_finite();
        self.outcome == "works" && !self.confirmed.is_some_and(better)
    }
}

/// Trains the twins of all faulty runs that have one, and prescribes for the runs.
///
/// # Errors
/// The first that could not be trained.
pub fn prescribe<'a>(
    runs: &'a [Run],
    program: &Path,
    images: &Path,
    out: &Path,
) -> Result<Vec<Tried<'a>>, Box<dyn Error>> {
    for part in ["files", "prescribed"] {
        fs::create_dir_all(out.join(part))?;
    }
    let runs: Vec<&Run> = runs.iter().filter(|run| run.case.twin().is_some()).collect();
    let one = |run: &&'a Run| tried(run, program, images, out).map_err(|error| error.to_string());
    Ok(on_all_cores(&runs, one).into_iter().collect::<Result<Vec<_>, _>>()?)
}

fn tried<'a>(run: &'a Run, program: &Path, images: &Path, out: &Path) -> Result<Tried<'a>, Box<dyn Error>> {
    let directory = out.join("prescribed").join(&run.id);
    let call = |words: Vec<String>| -> Result<Vec<u8>, Box<dyn Error>> {
        let ran = Command::new(program)
            .args(&words)
            .args(["--threads", "1", "--quiet", "--force", "--out"])
            .arg(&directory)
            .current_dir(out)
            .output()?;
        match ran.status.success() {
            true => Ok(ran.stdout),
            false => {
                let said = String::from_utf8_lossy(&ran.stderr);
                Err(format!("gradscope {}: {said}", words.join(" ")).into())
            }
        }
    };
    run.write_files(out)?;
    let twin = run.case.twin().ok_or("it has no twin")?.longer(LONGER);
    call(run.words(&twin, images))?;
    let (record, _) = Record::read(&directory.join("record.jsonl"))?;
    let chance = record.header.data.baseline_loss;
    let twin = share(record.epochs.last().map_or(f64::NAN, |e| e.train_loss) / chance);

    let mut words = run.words(&run.case.clone().longer(LONGER), images);
    words[0] = "prescribe".into();
    words.push("--json".into());
    let said: Value = serde_json::from_slice(&call(words)?)?;
    fs::remove_dir_all(&directory)?;
    let prescription = &said["prescription"];
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let variants = said["variants"].as_array().into_iter().flatten();
    let flags = prescription["flags"].as_str().unwrap_or_default().to_owned();
    let found = variants.into_iter().find(|v| v["label"] == flags.as_str());
    let works = prescription["outcome"] == "works";
    Ok(Tried {
        run,
        twin,
        outcome: prescription["outcome"].as_str().unwrap_or("none").into(),
        cured: found.filter(|_| works).map_or(f64::INFINITY, |v| share(number(&v["train_loss"]) / chance)),
        confirmed: works.then(|| {
            (number(&prescription["confirmed_loss_before"]), number(&prescription["confirmed_loss_after"]))
        }),
        flags,
    })
}

fn share(loss: f64) -> f64 {
    if loss.is_finite() { loss } else { f64::INFINITY }
}

/// The table, as a part of the page.
pub fn section(tried: &[Tried]) -> String {
    let counted: Vec<&Tried> = tried.iter().filter(|t| t.counts()).collect();
    let cured = counted.iter().filter(|t| t.is_cured()).count();
    let unfounded = tried.iter().filter(|t| t.is_unfounded()).count();
    let percent =
        |hits: usize, of: usize| format!("{:.1}% ({hits}/{of})", 100.0 * hits as f64 / of.max(1) as f64);
    let mut text = format!(
        "## Prescriptions\n\n`gradscope prescribe` for the faulty runs of the scoring half whose fault a flag \
         undoes, with {LONGER} times the epochs of the corpus, beside a twin in which the fault alone is undone \
         by hand (`make corpus-prescribe`). Progress: the way from the loss of guessing to the final training \
         loss, over the twin's. Of {} runs {} count: their twin learns (loss below {TWIN_LEARNED} of guessing), and they \
         themselves do not in so many epochs. Of these\n\n| | aim | |\n| --- | --- | --- |\n",
        tried.len(),
        counted.len(),
    );
    let rows = [
        (
            format!("the prescription reaches {CURED} of the twin's progress"),
            "≥ 85%",
            percent(cured, counted.len()),
        ),
        (
            "an improvement is reported that the second seed does not confirm".into(),
            "0",
            unfounded.to_string(),
        ),
    ];
    for (what, aim, count) in rows {
        writeln!(text, "| {what} | {aim} | {count} |").expect("a string takes everything");
    }
    text.push_str(
        "\n| kind | cured | progress over the twin's, each run | prescribed |\n| --- | --- | --- | --- |\n",
    );
    let mut names: Vec<&str> = counted.iter().map(|t| t.run.kind.name).collect();
    names.dedup();
    for name in names {
        let here: Vec<&&Tried> = counted.iter().filter(|t| t.run.kind.name == name).collect();
        let progress = here.iter().map(|t| match t.progress() {
            p if p.is_finite() => format!("{p:.2}"),
            _ => format!("none ({})", t.outcome),
        });
        let mut flags: Vec<String> =
            here.iter().filter(|t| !t.flags.is_empty()).map(|t| format!("`{}`", t.flags)).collect();
        flags.sort();
        flags.dedup();
        let hits = here.iter().filter(|t| t.is_cured()).count();
        let progress = progress.collect::<Vec<_>>().join(", ");
        writeln!(text, "| {name} | {hits}/{} | {progress} | {} |", here.len(), flags.join(", "))
            .expect("a string takes everything");
    }
    text
}
