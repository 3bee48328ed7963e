//! Standard output and standard error: colour where it is wanted, and a closed pipe ends quietly.

use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::ColorChoice;

/// Standard output could not be written (a full disk behind a redirection, say).
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub struct OutputFailed(pub io::Error);

/// Writes a whole text to standard output. A reader that went away is no error.
///
/// # Errors
/// [`OutputFailed`] for any other failure, such as a full disk behind a redirection.
pub fn print(text: &str) -> Result<(), OutputFailed> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(OutputFailed(error)),
        _ => Ok(()),
    }
}

/// Writes one line to standard error, as far as anybody listens.
pub fn note(line: &str) {
    // There is nowhere left to complain to.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Whether to colour what goes to standard output (`NO_COLOR` and `CLICOLOR_FORCE` as their authors
/// define them; the flag wins).
pub fn colours(choice: ColorChoice) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR") => false,
        ColorChoice::Auto if set("CLICOLOR_FORCE") => {
            std::env::var_os("CLICOLOR_FORCE").is_some_and(|v| v != "0")
        }
        ColorChoice::Auto => {
            io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
        }
    }
}

/// The value of `--color`, wherever it stands, for messages about the other flags.
pub fn colour_choice(words: impl Iterator<Item = OsString>) -> ColorChoice {
    let words: Vec<String> = words.map(|w| w.to_string_lossy().into_owned()).collect();
    let after = words.windows(2).find(|w| w[0] == "--color").map(|w| w[1].as_str());
    let joined = words.iter().find_map(|w| w.strip_prefix("--color="));
    after.or(joined).and_then(|w| w.parse().ok()).unwrap_or(ColorChoice::Auto)
}
