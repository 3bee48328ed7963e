//! The way from `gradscope` to `gradscope-train`: where it is looked for, and how it takes over.
//!
//! libtorch takes a quarter of a second and a hundred megabytes to load, so only the commands that need
//! it are in a program that is linked with it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The commands that `gradscope-train` has.
pub const COMMANDS: [&str; 10] =
    ["run", "compare", "sweep", "prescribe", "models", "datasets", "summary", "inits", "init", "gradcheck"];

/// The program that has them.
const PROGRAM: &str = "gradscope-train";

/// The cure for a missing one.
pub const CURE: &str = "gradscope-train is neither beside gradscope, nor in ../lib/gradscope, nor on PATH; \
                        `make install` and the release archive with libtorch lay it out";

/// The state of training on a machine.
#[derive(Default)]
pub struct Training {
    /// The program that trains.
    pub program: Option<PathBuf>,
    /// The version of its libtorch.
    pub libtorch: Option<String>,
    /// The devices that it can train on, as `--device` spells them.
    pub devices: Vec<String>,
    /// The reason why the program that is there does not start.
    pub problem: Option<String>,
}

/// Returns the command that these words hand over, if they do.
pub fn handed_over(words: &[OsString]) -> Option<&'static str> {
    let (_, command) = subcommand(words)?;
    let collects = command == "sweep"
        && words.iter().filter_map(|w| w.to_str()).any(|w| w == "--collect" || w.starts_with("--collect="));
    COMMANDS.into_iter().find(|name| *name == command && !collects)
}

/// Returns the position of the subcommand in the words of a command line, and the subcommand.
pub fn subcommand(words: &[OsString]) -> Option<(usize, &str)> {
    let mut at = 1;
    while words.get(at)?.to_str()?.starts_with('-') {
        at += if words[at] == "--color" { 2 } else { 1 };
    }
    Some((at, words[at].to_str()?))
}

/// Returns the path of `gradscope-train`: beside this program, in `lib/gradscope` of its prefix, or on `PATH`.
pub fn find() -> Option<PathBuf> {
    let name = format!("{PROGRAM}{}", env::consts::EXE_SUFFIX);
    let own = env::current_exe().and_then(|path| path.canonicalize()).unwrap_or_default();
    let beside = own.parent().map(Path::to_owned);
    let prefix = beside.as_ref().and_then(|bin| Some(bin.parent()?.join("lib").join("gradscope")));
    let path = env::var_os("PATH").unwrap_or_default();
    // A relative entry would run whatever lies in the directory where one happens to be.
    let on_path = env::split_paths(&path).filter(|directory| directory.is_absolute());
    let directories = beside.into_iter().chain(prefix).chain(on_path);
    directories.map(|directory| directory.join(&name)).find(|file| is_program(file))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

/// Lets `gradscope-train` do what these words say. On Unix it takes the place of this process, so that
/// signals, streams and the exit status are its own; elsewhere its exit status is passed on.
///
/// # Errors
/// One sentence where there is no such program, or where it cannot be started.
pub fn hand_over(command: &str, words: &[OsString]) -> anyhow::Result<u8> {
    let Some(program) = find() else {
        bail!("gradscope {command} needs gradscope-train, the program that is built with libtorch: {CURE}");
    };
    start(&program, words).with_context(|| format!("cannot start {}", program.display()))
}

#[cfg(unix)]
fn start(program: &Path, words: &[OsString]) -> std::io::Result<u8> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    // Its name stays the one that was typed: `sweep --print-commands` prints it.
    if let Some(name) = words.first() {
        command.arg0(name);
    }
    Err(command.args(words.iter().skip(1)).exec())
}

#[cfg(not(unix))]
fn start(program: &Path, words: &[OsString]) -> std::io::Result<u8> {
    let status = Command::new(program).args(words.iter().skip(1)).status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(super::output::exit::RUN_FAILED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn only_commands_that_train_are_handed_over() {
        let of = |text: &str| handed_over(&text.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of("gradscope run --model relu5"), Some("run"));
        assert_eq!(of("gradscope --color never sweep --grid lr=1"), Some("sweep"));
        assert_eq!(of("gradscope --color=never models"), Some("models"));
        for none in
            ["gradscope", "gradscope --version", "gradscope check run", "gradscope sweep --collect run"]
        {
            assert_eq!(of(none), None, "{none}");
        }
        let cli = crate::cli::args::Cli::command();
        assert!(COMMANDS.iter().all(|name| cli.find_subcommand(name).is_some()));
    }
}
