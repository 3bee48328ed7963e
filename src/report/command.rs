//! Command lines to copy.

use crate::record::Activation;
use crate::record::settings::{Named, OptimizerKind};

/// The command of a run with other flags in place: what a remedy says, ready to be pasted. `None` for
/// what was not started by `gradscope run`, and for a remedy that is no flag.
///
/// Where the report goes is left out, so that trying a remedy does not overwrite the evidence.
pub fn with_flags(command: &[String], flags: &str) -> Option<String> {
    let changes: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
    (is_run(command) && changes.first()?.starts_with("--")).then(|| line(&remedied(command, &changes)))
}

/// Whether this is a command line of `gradscope run`.
pub fn is_run(command: &[String]) -> bool {
    command.get(1).is_some_and(|word| word == "run")
}

/// The words of `gradscope run …` with a remedy in place: flags that mean nothing beside it, and would be
/// refused, go.
pub fn remedied(command: &[String], changes: &[String]) -> Vec<String> {
    let mut pointless = Vec::new();
    let optimizer = value_of(changes, "--optimizer").and_then(OptimizerKind::from_name);
    if optimizer.is_some_and(|kind| !kind.takes_momentum()) {
        pointless.push("--momentum");
    }
    if value_of(changes, "--act").is_some_and(|act| act != Activation::Lrelu.name()) {
        pointless.push("--lrelu-slope");
    }
    replaced(&without(command, &pointless), changes)
}

/// The value of a flag among words.
fn value_of<'a>(words: &'a [String], flag: &str) -> Option<&'a str> {
    words.windows(2).find(|w| w[0] == flag).map(|w| w[1].as_str())
}

/// The words of `gradscope run …` with these flags and values in place of what it said of them.
pub fn replaced(command: &[String], changes: &[String]) -> Vec<String> {
    let changed = changes.iter().filter(|c| c.starts_with("--")).filter_map(|c| c.split('=').next());
    let names: Vec<&str> = changed.chain(["--out", "--force"]).collect();
    let mut words = vec!["gradscope".to_owned(), "run".to_owned()];
    words.extend(without(command, &names).into_iter().skip(2));
    words.extend(changes.iter().cloned());
    words
}

/// The words without these flags and their values.
pub fn without(command: &[String], names: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = command.iter().peekable();
    while let Some(word) = rest.next() {
        let name = word.split('=').next().unwrap_or(word);
        if !(word.starts_with("--") && names.contains(&name)) {
            words.push(word.clone());
        } else if !word.contains('=') {
            // Its value goes with it; a negative number begins with a single dash.
            rest.next_if(|value| !value.starts_with("--"));
        }
    }
    words
}

/// The command line as it was typed, near enough to be pasted.
pub fn line(command: &[String]) -> String {
    let program = command.first().map(|p| p.rsplit(['/', '\\']).next().unwrap_or(p));
    let words = command.iter().skip(1).map(|w| quoted(w));
    program.map(quoted).into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// A word for a POSIX shell.
pub fn quoted(word: &str) -> String {
    // Crates for this quote what needs none (`--lr=0.1`), and commands here are to be read as well.
    if !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c)) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_remedy_replaces_the_flag_that_it_changes() {
        let command = words("/usr/bin/gradscope run --model relu5 --bias -8 --lr=0.1 --out r --epochs 3");
        assert_eq!(
            with_flags(&command, "--bias 0 --lr 0.01").unwrap(),
            "gradscope run --model relu5 --epochs 3 --bias 0 --lr 0.01"
        );
        assert_eq!(
            with_flags(&command, "--standardize").unwrap(),
            "gradscope run --model relu5 --bias -8 --lr=0.1 --epochs 3 --standardize"
        );
    }

    #[test]
    fn a_flag_that_the_remedy_makes_pointless_goes() {
        let command = words("gradscope run --model mlp --momentum 0.9 --act lrelu --lrelu-slope 0.1");
        assert_eq!(
            with_flags(&command, "--optimizer adam --lr 0.001").unwrap(),
            "gradscope run --model mlp --act lrelu --lrelu-slope 0.1 --optimizer adam --lr 0.001"
        );
        assert_eq!(
            with_flags(&command, "--act relu --init kaiming-normal").unwrap(),
            "gradscope run --model mlp --momentum 0.9 --act relu --init kaiming-normal"
        );
        assert_eq!(
            with_flags(&command, "--optimizer adam --act relu").unwrap(),
            "gradscope run --model mlp --optimizer adam --act relu"
        );
    }

    #[test]
    fn only_what_run_trained_can_be_run_again() {
        assert_eq!(with_flags(&words("gradscope inspect model.pt"), "--bias 0"), None);
        assert_eq!(with_flags(&words("gradscope run --model mlp"), "remove the softmax"), None);
        assert_eq!(with_flags(&[], "--bias 0"), None);
    }

    #[test]
    fn a_shell_reads_every_word_as_it_was() {
        let command = ["/opt/x/gradscope", "run", "--data", "csv:my file.csv", "--hidden", "it's", ""];
        let command = command.map(str::to_owned);
        assert_eq!(line(&command), r"gradscope run --data 'csv:my file.csv' --hidden 'it'\''s' ''");
    }
}
