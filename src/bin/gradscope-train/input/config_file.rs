//! `gradscope.toml`: flags of `run` that a directory has in common, below those of the command line.
//!
//! The file becomes words in front of those that were typed, so that a flag means the same in both, is
//! checked in one place, and stands in the record that a run keeps of its command.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, anyhow, bail, ensure};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, CommandFactory};
use gradscope::cli::args::Cli;
use gradscope::cli::handover;
use gradscope::cli::output;
use gradscope::text::similar;
use toml::de::{DeTable, DeValue};

/// The file's name, in the working directory.
const FILE: &str = "gradscope.toml";
/// Names another file; empty: none is read.
pub const VARIABLE: &str = "GRADSCOPE_CONFIG";
/// Bytes of it, at most: every flag fits into a thousandth.
const LARGEST: u64 = 1 << 20;
/// The commands that it is for.
const COMMANDS: [&str; 3] = ["run", "compare", "sweep"];
/// Flags beside which it says nothing: what is run has been said elsewhere.
const INSTEAD: [&str; 4] = ["--resume", "--collect", "--help", "-h"];
/// Flags of `run` that are about one call of it.
const NOT_OF_A_FILE: [&str; 5] = ["help", "resume", "show-config", "force", "color"];

/// A flag that the file says, with its line.
struct Setting {
    flag: String,
    /// None where the flag takes none.
    values: Vec<String>,
    line: usize,
}

/// The words of the command line with those of the file, once they are known.
static WORDS: OnceLock<Vec<OsString>> = OnceLock::new();

/// The words of the command line with those of the file.
pub fn words() -> impl Iterator<Item = OsString> {
    WORDS.get().cloned().unwrap_or_else(|| env::args_os().collect()).into_iter()
}

/// Reads the file, if there is one and the command is one that it is for.
///
/// # Errors
/// One sentence with the file and the line.
pub fn read() -> anyhow::Result<()> {
    let typed: Vec<OsString> = env::args_os().collect();
    let path = path();
    let Some((at, command)) = subcommand(&typed) else { return Ok(()) };
    if path.as_os_str().is_empty() || typed.iter().any(|word| INSTEAD.iter().any(|flag| is_flag(word, flag)))
    {
        return Ok(());
    }
    let text = match fs::metadata(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound && env::var_os(VARIABLE).is_none() => return Ok(()),
        Ok(file) if file.len() > LARGEST => {
            bail!("{} has {} bytes: no settings are so long", path.display(), file.len())
        }
        Ok(file) if !file.is_file() => bail!("{} is no file of settings", path.display()),
        _ => fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?,
    };
    let settings = settings(&text, &path)?;
    let mut words = typed.clone();
    let cli = built();
    let known: Vec<&str> = cli
        .find_subcommand(command)
        .into_iter()
        .flat_map(|c| c.get_arguments())
        .filter_map(Arg::get_long)
        .collect();
    let new = settings.iter().filter(|s| known.contains(&s.flag.as_str()) && !is_typed(&typed, &s.flag));
    let new: Vec<OsString> = new.flat_map(|s| s.words()).map(OsString::from).collect();
    words.splice(at + 1..at + 1, new);
    // Read once, at the beginning.
    let _ = WORDS.set(words);
    Ok(())
}

fn path() -> PathBuf {
    env::var_os(VARIABLE).map_or_else(|| FILE.into(), PathBuf::from)
}

/// Where in the words the command stands, if the file is for it.
fn subcommand(words: &[OsString]) -> Option<(usize, &'static str)> {
    let (at, command) = handover::subcommand(words)?;
    COMMANDS.into_iter().find(|name| *name == command).map(|name| (at, name))
}

/// Whether a word is this flag, with its value or without.
fn is_flag(word: &OsString, flag: &str) -> bool {
    let word = word.to_string_lossy();
    word == flag || word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='))
}

fn is_typed(words: &[OsString], flag: &str) -> bool {
    words.iter().any(|w| is_flag(w, &format!("--{flag}")) || (flag == "quiet" && w == "-q"))
}

impl Setting {
    /// As they would be typed.
    fn words(&self) -> Vec<String> {
        let flag = format!("--{}", self.flag);
        if self.values.is_empty() {
            return vec![flag];
        }
        let words = self.values.iter().map(|value| match value.starts_with('-') {
            true => vec![format!("{flag}={value}")],
            false => vec![flag.clone(), value.clone()],
        });
        words.flatten().collect()
    }

    fn place(&self) -> String {
        format!("{}, line {}", path().display(), self.line)
    }
}

/// Parses the file into settings, in the order of its lines.
fn settings(text: &str, path: &Path) -> anyhow::Result<Vec<Setting>> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        anyhow!("{}, line {line}: {}", path.display(), error.message())
    })?;
    let cli = built();
    let flags = flags(&cli)?;
    let mut settings = Vec::new();
    for (key, value) in table.get_ref() {
        let (name, line) = (key.get_ref().as_ref(), line_of(text, key.span().start));
        let place = || format!("{}, line {line}", path.display());
        let Some(arg) = flags.iter().find(|a| a.get_long() == Some(name)) else {
            let near = similar(name, flags.iter().filter_map(|a| a.get_long()));
            let near = near.first().map(|n| format!(": did you mean {n}?"));
            bail!("{}: {name:?} is no flag of run that a file may set{}", place(), near.unwrap_or_default());
        };
        let takes_value = arg.get_action().takes_values();
        let values = match value.get_ref() {
            DeValue::Boolean(false) if !takes_value => continue,
            DeValue::Boolean(true) if !takes_value => Vec::new(),
            _ if !takes_value => bail!("{}: {name} is true or false", place()),
            DeValue::Array(list) => {
                let all = list.iter().map(|v| scalar(v.get_ref())).collect::<Option<Vec<_>>>();
                let all =
                    all.with_context(|| format!("{}: {name} is a list of numbers or texts", place()))?;
                ensure!(!all.is_empty(), "{}: {name} is an empty list; leave it out", place());
                if matches!(arg.get_action(), ArgAction::Append) && arg.get_value_delimiter().is_none() {
                    all
                } else {
                    vec![all.join(",")]
                }
            }
            single => {
                vec![scalar(single).with_context(|| format!("{}: {name} is a number or a text", place()))?]
            }
        };
        settings.push(Setting { flag: name.to_owned(), values, line });
    }
    settings.sort_by_key(|s| s.line);
    Ok(settings)
}

fn scalar(value: &DeValue) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(n) if n.radix() == 10 => Some(n.as_str().to_owned()),
        DeValue::Float(x) => Some(x.as_str().to_owned()),
        _ => None,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count()
}

/// Returns the settings of the file that the command line does not override.
fn from_file() -> Vec<Setting> {
    let (typed, path) = (env::args_os().collect::<Vec<_>>(), path());
    // Nothing was taken from it, or it has been read without complaint before.
    let text = WORDS.get().and_then(|_| fs::read_to_string(&path).ok());
    let settings = text.and_then(|text| settings(&text, &path).ok()).unwrap_or_default();
    settings.into_iter().filter(|s| !is_typed(&typed, &s.flag)).collect()
}

/// Says where the flags stand that an error is about, if that is the file.
pub fn note(error: &str) {
    let first = error.lines().next().unwrap_or_default();
    let words: Vec<&str> = first.split(|c: char| !(c.is_alphanumeric() || c == '-')).collect();
    for setting in from_file() {
        let flag = words.iter().any(|word| word.strip_prefix("--") == Some(&setting.flag));
        // Of some flags the value says enough.
        if flag || setting.values.iter().any(|value| first.contains(&format!("{value:?}"))) {
            output::note(&format!("--{} stands in {}", setting.flag, setting.place()));
        }
    }
}

/// Returns every flag that is set, with where it stands: again such a file.
///
/// # Errors
/// Where the command line cannot be parsed.
pub fn shown() -> anyhow::Result<String> {
    let matches = Cli::command().try_get_matches_from(words())?;
    let (_, run) = matches.subcommand().context("a command was parsed")?;
    let (cli, from_file) = (built(), from_file());
    let mut text = String::new();
    for arg in flags(&cli)? {
        let (id, flag) = (arg.get_id().as_str(), arg.get_long().unwrap_or_default());
        if run.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let values: Vec<String> = run.get_raw(id).into_iter().flatten().map(toml_of).collect();
        let value = match values.as_slice() {
            _ if !arg.get_action().takes_values() => "true".to_owned(),
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let from = from_file.iter().find(|s| s.flag == flag);
        text += &format!("{flag} = {value}  # {}\n", from.map_or("command line".into(), Setting::place));
    }
    Ok(text)
}

/// A word as a number where TOML writes it so, and as a text otherwise.
fn toml_of(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let number = DeValue::parse(&word).is_ok_and(|value| scalar(value.get_ref()).as_deref() == Some(&word));
    if number { word.into_owned() } else { toml::Value::String(word.into_owned()).to_string() }
}

/// The command line with the flags that all commands have.
fn built() -> clap::Command {
    let mut cli = Cli::command();
    cli.build();
    cli
}

/// The flags of `run` that a file may set.
fn flags(cli: &clap::Command) -> anyhow::Result<Vec<&Arg>> {
    let run = cli.find_subcommand("run").context("run is a command")?;
    let arguments = run.get_arguments();
    Ok(arguments.filter(|a| a.get_long().is_some_and(|long| !NOT_OF_A_FILE.contains(&long))).collect())
}
