//! Trains what is not trained yet: a process a run, as many at a time as there are cores.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::case::{Case, Fault, Kind, Label};
use crate::draw::{Draw, Half};

/// A run of the corpus.
pub struct Run {
    pub id: String,
    pub kind: &'static Kind,
    pub half: Half,
    pub case: Case,
}

impl Run {
    /// The `index`-th run of a kind in a half.
    pub fn new(kind: &'static Kind, half: Half, index: u64) -> Self {
        let id = format!("{}-{}{index}", kind.name, &half.name()[..1]);
        let case = (kind.make)(&mut Draw::new(kind.name, half, index));
        Self { id, kind, half, case }
    }

    pub fn is_faulty(&self) -> bool {
        self.fault().is_some()
    }

    pub fn fault(&self) -> Option<&Fault> {
        match &self.case.label {
            Label::Fault(fault) => Some(fault),
            Label::Healthy => None,
        }
    }

    /// As a person would type it.
    pub fn command(&self) -> String {
        format!("gradscope {}", self.case.words(&self.id).join(" "))
    }

    /// Where its record is, once it is trained.
    pub fn record(&self, out: &Path) -> PathBuf {
        out.join("records").join(format!("{}.jsonl", self.id))
    }

    /// The words after `gradscope` of this run or of one like it, with the images in their place.
    pub fn words(&self, case: &Case, images: &Path) -> Vec<String> {
        let images = format!("idx:{}", images.display());
        let words = case.words(&self.id).into_iter();
        words.map(|word| if word.starts_with("idx:") { images.clone() } else { word }).collect()
    }

    /// Writes the files that it needs.
    pub fn write_files(&self, out: &Path) -> std::io::Result<()> {
        for (ending, text) in self.inputs() {
            if let Some(text) = text {
                fs::write(out.join("files").join(format!("{}.{ending}", self.id)), text)?;
            }
        }
        Ok(())
    }

    fn inputs(&self) -> [(&'static str, &Option<String>); 2] {
        [("toml", &self.case.model), ("csv", &self.case.table)]
    }

    /// Trains it, unless the same command has been trained here before.
    fn train(&self, program: &Path, images: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
        let files = out.join("files");
        let inputs = self.inputs();
        let stamp = inputs
            .iter()
            .fold(self.command(), |stamp, (_, text)| stamp + "\n" + text.as_deref().unwrap_or_default());
        let stamped = files.join(format!("{}.command", self.id));
        let record = self.record(out);
        if record.exists() && fs::read_to_string(&stamped).is_ok_and(|known| known == stamp) {
            return Ok(());
        }
        self.write_files(out)?;
        let report = out.join("reports").join(&self.id);
        let ran = Command::new(program)
            .args(self.words(&self.case, images))
            .args(["--threads", "1", "--quiet", "--force", "--out"])
            .arg(&report)
            .current_dir(out)
            .output()?;
        if !ran.status.success() {
            return Err(format!("{}: {}", self.command(), String::from_utf8_lossy(&ran.stderr)).into());
        }
        // Pages and pictures would fill gigabytes.
        fs::rename(report.join("record.jsonl"), record)?;
        fs::remove_dir_all(report)?;
        fs::write(stamped, stamp)?;
        Ok(())
    }
}

/// Calls `each` for every item, on all cores, and gives back the results in order.
pub fn on_all_cores<'a, T: Sync, R: Send>(items: &'a [T], each: impl Fn(&'a T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut done = Vec::new();
        while let Some((i, item)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, items.get(i)?)))
        {
            done.push((i, each(item)));
        }
        done
    };
    let mut all: Vec<(usize, R)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker that does not panic")).collect()
    });
    all.sort_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, result)| result).collect()
}

/// Trains all of them.
///
/// # Errors
/// The first run that could not be trained, in the program's own words.
pub fn train(runs: &[Run], program: &Path, images: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    for part in ["files", "records", "reports"] {
        fs::create_dir_all(out.join(part))?;
    }
    let failed = |run: &Run| run.train(program, images, out).err().map(|error| error.to_string());
    match on_all_cores(runs, failed).into_iter().flatten().next() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}
