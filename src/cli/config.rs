//! `gradscope.toml`: flags of `run` that a directory has in common, below those of the command line.
//!
//! The file becomes words in front of those that were typed, so that a flag means the same in both, is
//! checked in one place, and stands in the record that a run keeps of its command.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, anyhow, bail, ensure};
use clap::{Arg, ArgAction, CommandFactory};
use gradscope::text::similar;
use toml::de::{DeTable, DeValue};

use super::args::Cli;
use super::output;

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
const NOT_OF_A_FILE: [&str; 4] = ["help", "resume", "show-config", "force"];

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
        _ => fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?,
    };
    let settings = settings(&text, &path)?;
    let mut words = typed.clone();
    let mut cli = Cli::command();
    cli.build();
    let known = |flag: &str| {
        cli.find_subcommand(command).is_some_and(|c| c.get_arguments().any(|a| a.get_long() == Some(flag)))
    };
    let new = settings.iter().filter(|s| known(&s.flag) && !is_typed(&typed, &s.flag));
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
    let mut at = 1;
    while words.get(at)?.to_str()?.starts_with("--") {
        at += if words[at] == "--color" { 2 } else { 1 };
    }
    COMMANDS.iter().find(|c| words[at] == **c).map(|c| (at, *c))
}

/// Whether a word is this flag, with its value or without.
fn is_flag(word: &OsString, flag: &str) -> bool {
    let word = word.to_string_lossy();
    word == flag || word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='))
}

fn is_typed(words: &[OsString], flag: &str) -> bool {
    let short = if flag == "quiet" { "-q" } else { "--quiet" };
    words.iter().any(|w| is_flag(w, &format!("--{flag}")) || (flag == "quiet" && w == short))
}

impl Setting {
    fn words(&self) -> Vec<String> {
        let with = |value: &String| format!("--{}={value}", self.flag);
        if self.values.is_empty() {
            vec![format!("--{}", self.flag)]
        } else {
            self.values.iter().map(with).collect()
        }
    }
}

/// What the file says, in the order of its lines.
fn settings(text: &str, path: &Path) -> anyhow::Result<Vec<Setting>> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        anyhow!("{}, line {line}: {}", path.display(), error.message())
    })?;
    let mut cli = Cli::command();
    cli.build();
    let run = cli.find_subcommand("run").context("run is a command")?;
    let flags: Vec<&Arg> = run
        .get_arguments()
        .filter(|a| a.get_long().is_some_and(|long| !NOT_OF_A_FILE.contains(&long)))
        .collect();
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

/// Where a flag stands, if that is the file.
fn origin(flag: &str) -> Option<String> {
    let typed: Vec<OsString> = env::args_os().collect();
    let path = path();
    WORDS.get()?;
    let settings = settings(&fs::read_to_string(&path).ok()?, &path).ok()?;
    let setting = settings.iter().find(|s| s.flag == flag && !is_typed(&typed, flag))?;
    Some(format!("{}, line {}", path.display(), setting.line))
}

/// Says where the flag stands that an error of the command line is about, if it is in the file.
pub fn note(error: &clap::Error) {
    use clap::error::{ContextKind, ContextValue};
    let Some(ContextValue::String(arg)) = error.get(ContextKind::InvalidArg) else { return };
    let flag = arg.trim_start_matches("--").split([' ', '=']).next().unwrap_or_default();
    if let Some(place) = origin(flag) {
        output::note(&format!("--{flag} stands in {place}"));
    }
}

/// What is set, flag by flag, with where it stands: again such a file.
pub fn shown() -> String {
    let words: Vec<String> = words().map(|w| w.to_string_lossy().into_owned()).collect();
    let mut text = String::new();
    let mut rest = words.iter().skip_while(|w| *w != "run").skip(1).peekable();
    while let Some(word) = rest.next() {
        let Some(flag) = word.strip_prefix("--") else { continue };
        let (flag, joined) = flag.split_once('=').map_or((flag, None), |(f, v)| (f, Some(v.to_owned())));
        let value = joined.or_else(|| rest.next_if(|next| !next.starts_with("--")).cloned());
        if flag == "show-config" {
            continue;
        }
        let value = match value {
            None => "true".to_owned(),
            Some(v) if v.parse::<i64>().is_ok() || v.parse::<f64>().is_ok_and(f64::is_finite) => v,
            Some(v) => toml::Value::String(v).to_string(),
        };
        let from = origin(flag).unwrap_or_else(|| "command line".to_owned());
        text += &format!("{flag} = {value}  # {from}\n");
    }
    text
}
