//! Errors, each in one printed chain, and the exit status that it means.

use std::error::Error;
use std::panic;

use super::terminal::OutputFailed;
use super::{exit, note};
use crate::record::RecordError;
use crate::report::ReportError;

/// Tells whether a cause of an error is a failure of the run itself, and none of what was typed.
type IsRunFailure<'a> = &'a dyn Fn(&(dyn Error + 'static)) -> bool;

/// Prints the chain of an error in one line and says its exit status. A name in it may hold anything: what
/// would end the line, or steer a terminal, is escaped.
pub fn report(error: &anyhow::Error, is_run_failure: IsRunFailure) -> u8 {
    let chain: String = chain(error).chars().map(visible).collect();
    note(&format!("error: {chain}"));
    status(error, is_run_failure)
}

fn visible(c: char) -> String {
    // Marks that turn the direction of what is read are such too.
    if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
        c.escape_default().to_string()
    } else {
        c.to_string()
    }
}

/// The error and what caused it; a cause that its effect already quotes is left out.
pub fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn status(error: &anyhow::Error, is_run_failure: IsRunFailure) -> u8 {
    let run_failed = error.chain().any(|cause| {
        let record =
            cause.downcast_ref::<RecordError>().is_some_and(|e| matches!(e, RecordError::Write { .. }));
        let report = cause.downcast_ref::<ReportError>().is_some_and(ReportError::is_run_failure);
        record || report || cause.is::<OutputFailed>() || is_run_failure(cause)
    });
    if run_failed { exit::RUN_FAILED } else { exit::USAGE }
}

/// A panic is a defect of gradscope, or an error that libtorch throws where it should return one: the
/// first line says it, its stack frames help nobody.
pub fn install_panic_hook() {
    panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("no message");
        let text = match libtorch_sentence(message) {
            Some(sentence) => format!("libtorch: {sentence}"),
            None => {
                let place =
                    info.location().map_or(String::new(), |l| format!(" ({}:{})", l.file(), l.line()));
                format!("{}{place}", message.lines().next().unwrap_or_default())
            }
        };
        note(&format!("error: the run failed: {text}"));
    }));
}

/// Returns the first sentence of libtorch, from the panic of a call of tch that returns no error: the message stands there
/// in its debug form, with thousands of characters of frames after its first line.
fn libtorch_sentence(message: &str) -> Option<&str> {
    let (_, said) = message.split_once("Torch(\"")?;
    let line = said.split("\\n").next().unwrap_or(said).lines().next().unwrap_or_default();
    Some(line.trim_end_matches("\")").trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_libtorch_says_the_first_sentence_is_kept() {
        // As tch writes its error in debug form.
        let message = "called `Result::unwrap()` on an `Err` value: \
                       Torch(\"not enough memory: 9 bytes.\\nframe #0: x\\nframe #1: y\")";
        assert_eq!(libtorch_sentence(message), Some("not enough memory: 9 bytes."));
        assert_eq!(libtorch_sentence("index out of bounds"), None);
    }
}
