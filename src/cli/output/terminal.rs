//! Standard output and standard error: color where it is wanted, and a closed pipe ends quietly.

use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::ColorChoice;

use crate::diagnose::{Severity, Verdict};

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

/// Returns the colors for standard output (`NO_COLOR` and `CLICOLOR_FORCE` as their authors define them;
/// the flag wins).
pub fn colors(choice: ColorChoice) -> Colors {
    let is_set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let on = match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if is_set("NO_COLOR") => false,
        ColorChoice::Auto if is_set("CLICOLOR_FORCE") => {
            std::env::var_os("CLICOLOR_FORCE").is_some_and(|v| v != "0")
        }
        ColorChoice::Auto => {
            io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
        }
    };
    if on { Colors::On } else { Colors::Off }
}

/// The value of `--color`, wherever it stands, for messages about the other flags.
pub fn color_choice(words: impl Iterator<Item = OsString>) -> ColorChoice {
    let words: Vec<String> = words.map(|w| w.to_string_lossy().into_owned()).collect();
    let after = words.windows(2).find(|w| w[0] == "--color").map(|w| w[1].as_str());
    let joined = words.iter().find_map(|w| w.strip_prefix("--color="));
    after.or(joined).and_then(|w| w.parse().ok()).unwrap_or(ColorChoice::Auto)
}

/// Whether words on the terminal are colored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Colors {
    On,
    Off,
}

impl Colors {
    /// Returns the text in the color of an escape code, such as `1;31`.
    pub fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Colors::On => format!("\x1b[{code}m{text}\x1b[0m"),
            Colors::Off => text.to_owned(),
        }
    }

    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub fn verdict(self, verdict: Verdict, word: &str) -> String {
        match verdict {
            Verdict::Healthy => self.wrap("1;32", word),
            Verdict::Warning => self.severity(Severity::Warning, word),
            Verdict::Unhealthy => self.severity(Severity::Error, word),
        }
    }

    pub fn severity(self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Info => "36",
        };
        self.wrap(code, text)
    }
}

/// Columns of a line where the terminal does not say, or has more.
const MAX_COLUMNS: usize = 96;
/// Columns below which wrapping only makes it worse.
const MIN_COLUMNS: usize = 20;

/// Columns of the terminal, or of what stands for one.
pub fn columns() -> usize {
    if io::stdout().is_terminal() {
        textwrap::termwidth().clamp(MIN_COLUMNS, MAX_COLUMNS)
    } else {
        MAX_COLUMNS
    }
}
