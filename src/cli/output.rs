//! Standard output and standard error: colour where it is wanted, and a closed pipe ends quietly.

use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::ColorChoice;

/// Writes a whole text to standard output. A reader that went away is no error.
///
/// # Errors
/// Any other failure, such as a full disk behind a redirection.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
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
        ColorChoice::Auto
            if std::env::var_os("CLICOLOR_FORCE").is_some_and(|v| !v.is_empty() && v != "0") =>
        {
            true
        }
        ColorChoice::Auto => {
            io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
        }
    }
}
