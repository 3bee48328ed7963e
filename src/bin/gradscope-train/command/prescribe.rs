//! `gradscope prescribe`: trains the remedies of an unhealthy run, and says which one works.

use anyhow::{Context, bail};
use gradscope::cli::args::PrescribeArgs;
use gradscope::cli::input::findings::Findings;
use gradscope::cli::output;
use gradscope::cli::output::Colors;
use gradscope::cli::output::conclusion::default_directory;
use gradscope::cli::output::exit;
use gradscope::diagnose::{Diagnosis, Severity, Verdict};
use gradscope::record::{Outcome, Record};
use gradscope::report::compare::Prescription;
use gradscope::report::{OutputDir, RECORD_FILE, command};

use crate::input::resolve;
use crate::input::variants::{Trial, Variant, common, file_name, trials};
use crate::session::{DirectoryName, RunContext, Trained, status, train};
use crate::side_by_side::{TrainedVariant, VARIANTS, show, write};
use crate::signals::Signals;

/// Runs that confirm: the run as it was and the remedy, under another seed.
const CONFIRMING: usize = 2;

/// A loss above this share of the earlier one is no lower: less is within what batches and rounding do.
const MAX_LOSS_SHARE: f64 = 0.98;

/// The label of the run without any remedy.
const AS_IT_IS: &str = "as it is";

/// Trains, judges, confirms, and writes all of it side by side.
pub fn run(args: &PrescribeArgs, colors: Colors) -> anyhow::Result<u8> {
    let common = common_words(args)?;
    let base = trial(&common, AS_IT_IS, &[])?;
    // What a record was diagnosed by is part of its command.
    let mut finding_args = args.flags.findings.clone();
    finding_args.fall_back_to(&base.args.flags.findings);
    let findings = Findings::new(&finding_args)?;
    let config = resolve::config(&base.args, base.command.clone())?;
    let out = &args.output.out;
    let place =
        out.clone().unwrap_or_else(|| default_directory(&format!("prescribe-{}", config.model.name())));
    let mut directory = OutputDir::check(&place, args.output.force || out.is_none())?;
    let signals = Signals::listen()?;
    match out {
        Some(_) => directory.create()?,
        None => directory.create_new()?,
    }
    let how = RunContext { findings: &findings, signals: &signals, quiet: args.output.quiet };
    let force = args.output.force;
    let mut trials = Trials { common, directory, how, force, sides: Vec::new(), flags: Vec::new() };
    let (prescription, stopped) = trials.run(args.budget as usize, config.training.seed)?;
    let Trials { directory, sides, .. } = trials;
    let comparison = write(&sides, &[], Some(prescription), None, &directory)?;
    show(&comparison, &directory, &args.output, colors)?;
    Ok(match stopped {
        Some(outcome) => status(outcome),
        // The gate looks at what there was to be cured.
        None => sides.first().map_or(exit::DONE, |side| findings.status(&side.trained.diagnosis)),
    })
}

/// The words of the run's command line, from the flags or from the record.
fn common_words(args: &PrescribeArgs) -> anyhow::Result<Vec<String>> {
    let Some(path) = &args.record else { return Ok(common(&["budget"], &[])) };
    let path = if path.is_dir() { path.join(RECORD_FILE) } else { path.clone() };
    let (record, _) = Record::read(&path)?;
    let words = record.header.command;
    if !command::is_run(&words) {
        bail!("{} is of a command that cannot be run: {}", path.display(), command::line(&words));
    }
    Ok(command::replaced(&words, &[]).split_off(2))
}

fn trial(common: &[String], label: &str, words: &[String]) -> anyhow::Result<Trial> {
    let base: Vec<String> =
        ["gradscope", "run"].into_iter().map(String::from).chain(common.iter().cloned()).collect();
    // What a remedy makes pointless goes with it.
    let kept = command::remedied(&base, words).len().saturating_sub(words.len());
    let common = &command::remedied(&base, words)[2..kept];
    let variant = Variant::new(label, words)?;
    trials(common, vec![variant])?.pop().context("a variant is a trial")
}

/// A run and its remedies.
struct Trials<'a> {
    common: Vec<String>,
    directory: OutputDir,
    how: RunContext<'a>,
    force: bool,
    /// The runs with the run's own seed: as it is, then the remedies.
    sides: Vec<TrainedVariant>,
    /// The flags of each.
    flags: Vec<Vec<String>>,
}

impl Trials<'_> {
    /// Gives what came of it, and why it stopped early, if so.
    fn run(&mut self, budget: usize, seed: i64) -> anyhow::Result<(Prescription, Option<Outcome>)> {
        let base = self.train(AS_IT_IS, &[], None)?;
        let stopped = base.trained.outcome;
        let mut candidates = remedies(&base.trained.diagnosis);
        self.sides.push(base);
        self.flags.push(Vec::new());
        if stopped != Outcome::Finished {
            return Ok((Prescription::Unfinished, Some(stopped)));
        }
        if self.sides[0].trained.diagnosis.verdict == Verdict::Healthy {
            return Ok((Prescription::Healthy, None));
        }
        if candidates.is_empty() {
            return Ok((Prescription::NoRemedy, None));
        }
        let budget_for_trials = budget.saturating_sub(CONFIRMING).max(1);
        let mut left = budget_for_trials;
        let mut next = 0;
        let mut paired = false;
        while left > 0 {
            if next == candidates.len() {
                // Pairs only where no single remedy is enough.
                if paired || self.best().is_some() {
                    break;
                }
                paired = true;
                candidates.extend(pairs(&candidates));
                continue;
            }
            let flags = candidates[next].clone();
            next += 1;
            let side = self.train(&flags.join(" "), &flags, None)?;
            let stopped = side.trained.outcome;
            self.sides.push(side);
            self.flags.push(flags);
            left -= 1;
            if stopped != Outcome::Finished {
                return Ok((Prescription::Unfinished, Some(stopped)));
            }
        }
        self.confirm(budget - (budget_for_trials - left), seed)
    }

    /// Trains the best once more under another seed, and the next best where it does not hold.
    fn confirm(&mut self, mut left: usize, seed: i64) -> anyhow::Result<(Prescription, Option<Outcome>)> {
        let other = if seed == i64::MAX { 0 } else { seed + 1 };
        let mut refuted: Vec<usize> = Vec::new();
        let mut base: Option<TrainedVariant> = None;
        while let Some(best) = self.helping().into_iter().find(|i| !refuted.contains(i)) {
            let needed = if base.is_some() { 1 } else { CONFIRMING };
            if left < needed {
                return Ok((Prescription::Unconfirmed { best, seed: other }, None));
            }
            left -= needed;
            if base.is_none() {
                base = Some(self.train(AS_IT_IS, &[], Some(other))?);
            }
            let flags = &self.flags[best];
            let again = self.train(&flags.join(" "), flags, Some(other))?;
            // It has just been put there.
            let Some(base) = &base else { break };
            for side in [base, &again] {
                if side.trained.outcome != Outcome::Finished {
                    return Ok((Prescription::Unfinished, Some(side.trained.outcome)));
                }
            }
            if helps(&base.trained, &again.trained) {
                let losses = [base, &again].map(|side| loss(&side.trained));
                return Ok((Prescription::Works { best, seed: other, losses }, None));
            }
            refuted.push(best);
        }
        Ok((Prescription::Nothing { refuted: !refuted.is_empty(), seed: other }, None))
    }

    fn train(&self, label: &str, flags: &[String], seed: Option<i64>) -> anyhow::Result<TrainedVariant> {
        let mut words = flags.to_vec();
        let mut name = file_name(label);
        if let Some(seed) = seed {
            words.extend(["--seed".to_owned(), seed.to_string()]);
            name = format!("{name}-seed-{seed}");
        }
        let trial = trial(&self.common, label, &words)?;
        let config = resolve::config(&trial.args, trial.command)?;
        if !self.how.quiet {
            let seed = seed.map_or(String::new(), |seed| format!(", with seed {seed}"));
            output::note(&format!("trying {label}{seed}"));
        }
        let own = OutputDir::check(&self.directory.path().join(VARIANTS).join(&name), self.force)?;
        let trained = train(&config, None, own, DirectoryName::Given, &self.how)
            .with_context(|| format!("remedy {label:?}"))?;
        Ok(TrainedVariant { label: label.into(), file_name: name, trained })
    }

    /// The remedies that help, best first: by verdict, then by the last training loss.
    fn helping(&self) -> Vec<usize> {
        let Some(base) = self.sides.first() else { return Vec::new() };
        let remedied = 1..self.sides.len();
        let mut helping: Vec<usize> =
            remedied.filter(|i| helps(&base.trained, &self.sides[*i].trained)).collect();
        helping.sort_by(|a, b| {
            let [a, b] = [a, b].map(|i| &self.sides[*i].trained);
            a.diagnosis.verdict.cmp(&b.diagnosis.verdict).then(loss(a).total_cmp(&loss(b)))
        });
        helping
    }

    fn best(&self) -> Option<usize> {
        self.helping().first().copied()
    }
}

/// Whether a remedy clears the roots of the run as it was and lowers its loss.
fn helps(base: &Trained, remedied: &Trained) -> bool {
    let mut roots = base.diagnosis.roots().filter(|f| f.severity > Severity::Info);
    let left: Vec<_> = remedied.diagnosis.findings.iter().filter(|f| f.severity > Severity::Info).collect();
    let cleared = roots.all(|root| left.iter().all(|finding| finding.rule != root.rule));
    let lower =
        loss(remedied) < MAX_LOSS_SHARE * loss(base) || (loss(base).is_nan() && loss(remedied).is_finite());
    cleared && lower && remedied.diagnosis.verdict < base.diagnosis.verdict
}

/// Training loss of the last epoch.
fn loss(trained: &Trained) -> f64 {
    trained.record.shown_epoch().map_or(f64::NAN, |e| e.train_loss).abs()
}

/// Flags of the remedies of all roots, in their order: the first of each root first.
fn remedies(diagnosis: &Diagnosis) -> Vec<Vec<String>> {
    let roots: Vec<_> = diagnosis.roots().filter(|f| f.severity > Severity::Info).collect();
    let most = roots.iter().map(|f| f.remedies.len()).max().unwrap_or(0);
    let mut flags: Vec<Vec<String>> = Vec::new();
    for rank in 0..most {
        for root in &roots {
            let Some(remedy) = root.remedies.get(rank) else { continue };
            let words: Vec<String> = remedy.flags().split_whitespace().map(str::to_owned).collect();
            if words.first().is_some_and(|w| w.starts_with("--")) && !flags.contains(&words) {
                flags.push(words);
            }
        }
    }
    flags
}

/// Remedies two by two, the promising ones first; two that set the same flag are no pair.
fn pairs(singles: &[Vec<String>]) -> Vec<Vec<String>> {
    let mut pairs: Vec<(usize, Vec<String>)> = Vec::new();
    for (i, a) in singles.iter().enumerate() {
        for (j, b) in singles.iter().enumerate().skip(i + 1) {
            if a.iter().filter(|word| word.starts_with("--")).all(|flag| !b.contains(flag)) {
                pairs.push((i + j, [a.as_slice(), b.as_slice()].concat()));
            }
        }
    }
    pairs.sort_by_key(|(rank, _)| *rank);
    pairs.into_iter().map(|(_, words)| words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_of_different_flags_the_promising_first() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let singles = ["--bias 0 --norm layer", "--bias 0", "--lr 1", "--act tanh"].map(words);
        let pairs: Vec<String> = pairs(&singles).iter().map(|p| p.join(" ")).collect();
        assert_eq!(
            pairs,
            [
                "--bias 0 --norm layer --lr 1",
                "--bias 0 --norm layer --act tanh",
                "--bias 0 --lr 1",
                "--bias 0 --act tanh",
                "--lr 1 --act tanh",
            ]
        );
    }
}
