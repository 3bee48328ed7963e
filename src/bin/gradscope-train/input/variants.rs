//! Several runs from one command line: the flags that all of them share, and those that each changes.
//!
//! `compare` and `sweep` are made of this. Every trial becomes the command line that `gradscope run`
//! would be given, and is parsed as such: there is one meaning of a flag, and one message about it.

use std::collections::HashSet;
use std::ffi::OsString;

use anyhow::{Context, bail, ensure};
use clap::{CommandFactory, Parser};
use gradscope::cli::args::{Cli, Command, RunArgs, reproducible};
use gradscope::report::command;
use gradscope::text::similar;

/// Trials of one command, at most: beyond, a typing error is likelier than an intention.
const MAX_TRIALS: usize = 10_000;
/// Flags of `run` that say where output goes or what to make of findings: the same for all trials.
const NOT_OF_A_TRIAL: [&str; 13] = [
    "out",
    "output",
    "baseline",
    "force",
    "quiet",
    "json",
    "open",
    "color",
    "fail-on",
    "off",
    "set",
    "resume",
    "show-config",
];

/// Flags whose values tell what they are values of.
const TELLING: [&str; 4] = ["model", "init", "act", "optimizer"];

/// One of several runs.
pub struct Trial {
    /// The label that people gave it.
    pub label: String,
    /// The whole command line of `gradscope run`, word by word.
    pub command: Vec<String>,
    /// The same, parsed.
    pub args: RunArgs,
}

/// The changes that make a trial of the common ground.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    label: String,
    /// Flags and their values; no value where the flag takes none.
    settings: Vec<(String, Option<String>)>,
    /// Flags without a value that are not to stand there, even if the common ground has them.
    off: Vec<String>,
}

impl Variant {
    /// From `LABEL: FLAGS`, with flags as a shell would read them. No flags: the runs' common ground.
    ///
    /// # Errors
    /// One sentence that says what is no variant, and what would be.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let form = "a variant is written \"LABEL: --FLAG VALUE …\"";
        let Some((label, flags)) = text.split_once(':') else { bail!("--variant {text:?}: {form}") };
        let label = label.trim();
        ensure!(!label.is_empty() && !label.starts_with("--"), "--variant {text:?} has no label: {form}");
        let words =
            shlex::split(flags).with_context(|| format!("--variant {text:?}: a quote is not closed"))?;
        Self::new(label, &words).with_context(|| format!("--variant {text:?}"))
    }

    /// Of these flags and values.
    ///
    /// # Errors
    /// One sentence about a word that is no flag, or no flag of a trial.
    pub fn new(label: &str, words: &[String]) -> anyhow::Result<Self> {
        let mut settings: Vec<(String, Option<String>)> = Vec::new();
        for word in words {
            match (word.strip_prefix("--"), settings.last_mut()) {
                (Some(flag), _) => {
                    let (flag, value) = flag.split_once('=').map_or((flag, None), |(f, v)| (f, Some(v)));
                    settings.push((flag.into(), value.map(str::to_owned)));
                }
                (None, Some((flag, value @ None))) if takes_value(flag) => *value = Some(word.clone()),
                (None, _) => bail!("{word:?} is no flag: a variant is written \"LABEL: --FLAG VALUE …\""),
            }
        }
        settings.iter().try_for_each(|(flag, _)| check_flag(flag))?;
        // A label goes to terminals: nothing in it may steer one.
        let label = label.chars().filter(|c| !c.is_control()).collect();
        Ok(Self { label, settings, off: Vec::new() })
    }
}

/// A flag and the values that it is to take.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    flag: String,
    values: Vec<String>,
}

impl Grid {
    /// From `FLAG=VALUE;VALUE;…` as it stands behind `option`. Of a flag without a value: `on` and `off`.
    ///
    /// # Errors
    /// One sentence that says what is wrong with it.
    pub fn parse(option: &str, text: &str) -> anyhow::Result<Self> {
        let context = || format!("{option} {text:?}");
        let form = "it is written FLAG=VALUE;VALUE;…, such as \"lr=0.01;0.1\"";
        let Some((flag, values)) = text.split_once('=') else { bail!("{}: {form}", context()) };
        let flag = flag.trim().trim_start_matches("--");
        check_flag(flag).with_context(context)?;
        let values: Vec<String> = values.split(';').map(|v| v.trim().to_owned()).collect();
        ensure!(values.iter().all(|v| !v.is_empty()), "{}: a value is empty; {form}", context());
        let mut seen = HashSet::new();
        if let Some(twice) = values.iter().find(|v| !seen.insert(v.as_str())) {
            bail!("{}: {twice} stands there twice", context());
        }
        if !takes_value(flag) && values.iter().any(|v| v != "on" && v != "off") {
            bail!("{}: --{flag} takes no value: its values here are on and off", context());
        }
        Ok(Self { flag: flag.into(), values })
    }

    /// The flag, without its dashes.
    pub fn flag(&self) -> &str {
        &self.flag
    }
}

/// Every combination of the grids' values, the last varying fastest.
///
/// # Errors
/// Where a flag has two grids, or where the trials would be too many.
pub fn product(option: &str, grids: &[Grid]) -> anyhow::Result<Vec<Variant>> {
    let mut flags = HashSet::new();
    if let Some(twice) = grids.iter().find(|g| !flags.insert(&g.flag)) {
        bail!("{option}: {} is varied twice; put all its values into one", twice.flag);
    }
    let trials = grids.iter().map(|g| g.values.len()).try_fold(1usize, usize::checked_mul);
    ensure!(
        trials.is_some_and(|n| n <= MAX_TRIALS),
        "{option}: more than {MAX_TRIALS} runs; vary fewer values"
    );
    let mut variants = vec![Variant { label: String::new(), settings: Vec::new(), off: Vec::new() }];
    for grid in grids {
        let extended =
            variants.iter().flat_map(|v| grid.values.iter().map(|value| v.with(&grid.flag, value)));
        variants = extended.collect();
    }
    Ok(variants)
}

impl Variant {
    /// Whether it gives this flag a value.
    pub fn sets(&self, flag: &str) -> bool {
        self.settings.iter().any(|(name, _)| name == flag)
    }

    /// The same called by its value alone, where that says enough: `xavier-uniform`, but `lr=0.1`.
    pub fn called_by_value(mut self) -> Self {
        if let [(flag, Some(value))] = self.settings.as_slice()
            && TELLING.contains(&flag.as_str())
        {
            self.label.clone_from(value);
        }
        self
    }

    fn with(&self, flag: &str, value: &str) -> Self {
        let mut next = self.clone();
        let pair = format!("{flag}={value}");
        next.label = if self.label.is_empty() { pair } else { format!("{} {pair}", self.label) };
        match (takes_value(flag), value) {
            (true, _) => next.settings.push((flag.into(), Some(value.into()))),
            (false, "on") => next.settings.push((flag.into(), None)),
            (false, _) => next.off.push(flag.into()),
        }
        next
    }
}

/// The words of the command line that all trials share: this one without the flags of `own` (those
/// that take a value, and those that take none).
pub fn common(own_with_value: &[&str], own: &[&str]) -> Vec<String> {
    common_of(super::config_file::words(), own_with_value, own)
}

fn common_of(words: impl Iterator<Item = OsString>, own_with_value: &[&str], own: &[&str]) -> Vec<String> {
    // The first two are the program and the subcommand.
    let mut words = reproducible(words).into_iter().skip(2);
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        let (flag, joined) = word.split_once('=').map_or((word.as_str(), false), |(flag, _)| (flag, true));
        let is = |names: &[&str]| flag.strip_prefix("--").is_some_and(|f| names.contains(&f));
        if is(own_with_value) {
            if !joined {
                words.next();
            }
        } else if !is(own) {
            kept.push(word);
        }
    }
    kept
}

/// The runs that these variants of the common words are.
///
/// # Errors
/// One sentence that names the variant and what is wrong with it.
pub fn trials(common: &[String], variants: Vec<Variant>) -> anyhow::Result<Vec<Trial>> {
    let mut labels = HashSet::new();
    if let Some(twice) = variants.iter().find(|v| !labels.insert(&v.label)) {
        bail!("two variants are called {:?}: give each a label of its own", twice.label);
    }
    variants.iter().map(|v| trial(common, v)).collect()
}

fn trial(common: &[String], variant: &Variant) -> anyhow::Result<Trial> {
    let mut base = vec!["gradscope".to_owned(), "run".to_owned()];
    let off: Vec<String> = variant.off.iter().map(|flag| format!("--{flag}")).collect();
    base.extend(common.iter().filter(|word| !off.contains(word)).cloned());
    let words = variant.settings.iter();
    let words = words.flat_map(|(flag, value)| [Some(format!("--{flag}")), value.clone()]);
    let changes: Vec<String> = words.flatten().collect();
    let command = command::replaced(&base, &changes);
    let parsed = Cli::try_parse_from(&command).map_err(|error| {
        let said = error.to_string();
        let line = said.lines().next().unwrap_or_default();
        anyhow::anyhow!("variant {:?}: {}", variant.label, line.trim_start_matches("error: "))
    })?;
    let Command::Run(args) = parsed.command else { bail!("variant {:?} is no run", variant.label) };
    Ok(Trial { label: variant.label.clone(), command, args: *args })
}

/// A name for a trial's files, of characters that every file system and shell takes as they are.
pub fn file_name(label: &str) -> String {
    let name = label.replace(|c: char| !(c.is_ascii_alphanumeric() || "=.,+-_".contains(c)), "-");
    let name: String = name.chars().take(80).collect();
    let name = name.trim_matches(['-', '.']).to_owned();
    if name.is_empty() { "variant".into() } else { name }
}

/// Names for the files of all of these labels, no two alike even where case does not count.
pub fn file_names<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    labels
        .map(|label| {
            let name = file_name(label);
            let numbered = (2..).map(|n| format!("{name}-{n}"));
            let free = std::iter::once(name.clone()).chain(numbered).find(|n| taken.insert(n.to_lowercase()));
            // There is always a next number.
            free.unwrap_or(name)
        })
        .collect()
}

/// The flags of `run`, with whether each takes a value.
fn flags() -> Vec<(String, bool)> {
    let command = Cli::command();
    let run = command.find_subcommand("run");
    let arguments = run.into_iter().flat_map(clap::Command::get_arguments);
    arguments.filter_map(|a| Some((a.get_long()?.to_owned(), a.get_action().takes_values()))).collect()
}

fn takes_value(flag: &str) -> bool {
    flags().iter().any(|(name, takes)| name == flag && *takes)
}

/// That a trial may have this flag.
fn check_flag(flag: &str) -> anyhow::Result<()> {
    ensure!(
        !NOT_OF_A_TRIAL.contains(&flag),
        "--{flag} is for all runs together: it belongs beside, not inside"
    );
    let flags = flags();
    if flags.iter().any(|(name, _)| name == flag) {
        return Ok(());
    }
    let names = flags.iter().map(|(name, _)| name.as_str()).filter(|n| !NOT_OF_A_TRIAL.contains(n));
    match similar(flag, names).first() {
        Some(meant) => bail!("run has no flag --{flag}; did you mean --{meant}?"),
        None => bail!("run has no flag --{flag} (`gradscope run --help` lists them)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn grid(text: &str) -> Grid {
        Grid::parse("--grid", text).unwrap()
    }

    #[test]
    fn a_variant_is_the_common_flags_with_its_own_in_place() {
        let variant = Variant::parse("He, no bias: --init kaiming-normal --bias 0 --hidden '4,4'").unwrap();
        let trial = trial(&words("--model relu5 --bias -8 --epochs 3"), &variant).unwrap();
        assert_eq!(trial.label, "He, no bias");
        assert_eq!(
            trial.command.join(" "),
            "gradscope run --model relu5 --epochs 3 --init kaiming-normal --bias 0 --hidden 4,4"
        );
        assert_eq!(trial.args.flags.network.bias.as_deref(), Some("0"));
        let none = Variant::parse("as it is:").unwrap();
        assert!(none.settings.is_empty());
    }

    #[test]
    fn a_grid_is_every_combination_the_last_flag_fastest() {
        let grids = [grid("hidden=64;64,64"), grid("--lr=0.01; 1"), grid("standardize=on;off")];
        let all = product("--grid", &grids).unwrap();
        assert_eq!(all.len(), 8);
        assert_eq!(all[0].label, "hidden=64 lr=0.01 standardize=on");
        assert_eq!(all[1].label, "hidden=64 lr=0.01 standardize=off");
        let commands: Vec<String> =
            trials(&words("--model mlp --lr 3"), all).unwrap().iter().map(|t| t.command.join(" ")).collect();
        assert_eq!(commands[0], "gradscope run --model mlp --hidden 64 --lr 0.01 --standardize");
        assert_eq!(commands[7], "gradscope run --model mlp --hidden 64,64 --lr 1");
    }

    #[test]
    fn what_is_no_variant_or_grid_is_said_in_one_sentence() {
        let variant = |text: &str| format!("{:#}", Variant::parse(text).unwrap_err());
        let grid = |text: &str| format!("{:#}", Grid::parse("--grid", text).unwrap_err());
        insta::assert_snapshot!(
            [
                variant("init zeros"),
                variant("--init: zeros"),
                variant("A: zeros"),
                variant("A: --init zeros ones"),
                variant("A: --inti zeros"),
                variant("A: --out x"),
                variant("A: --init 'zeros"),
                grid("lr"),
                grid("learning_rate=1"),
                grid("lr=1;;2"),
                grid("lr=1;1"),
                grid("=1"),
                grid("standardize=true"),
                grid("force=on;off"),
                format!(
                    "{:#}",
                    product("--grid", &[super::tests::grid("lr=1;2"), super::tests::grid("lr=3")])
                        .unwrap_err()
                ),
                format!(
                    "{:#}",
                    trials(&[], vec![Variant::parse("A: --lr x").unwrap()]).map(|_| ()).unwrap_err()
                ),
                format!(
                    "{:#}",
                    trials(
                        &[],
                        vec![Variant::parse("A: --lr 1").unwrap(), Variant::parse("A: --lr 2").unwrap()]
                    )
                    .map(|_| ())
                    .unwrap_err()
                ),
            ]
            .join("\n")
        );
    }

    #[test]
    fn the_common_words_are_those_that_are_not_the_commands_own() {
        let all = words(
            "x/gradscope --color never compare --model relu5 --variant A: --vary=lr=1;2 --bias -8 --out o --plot-batches 9 -q",
        );
        let common =
            common_of(all.into_iter().map(OsString::from), &["variant", "vary", "plot-batches"], &[]);
        assert_eq!(common.join(" "), "--model relu5 --bias -8");
    }

    #[test]
    fn file_names_are_plain_and_differ() {
        let names = file_names(["He: a/b", "he- a b", "../..", "", "lr=0.1 hidden=4,4"].into_iter());
        assert_eq!(names, ["He--a-b", "he--a-b-2", "variant", "variant-2", "lr=0.1-hidden=4,4"]);
    }
}
