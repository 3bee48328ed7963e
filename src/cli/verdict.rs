//! The verdict on a terminal: what, where, since when, why, and what to type next.

use std::fmt::Write;

use gradscope::diagnose::{Diagnosis, Finding, Severity, Verdict};

/// Columns of a line, for wrapping.
const WIDTH: usize = 96;

/// Colours, or none.
struct Paint(bool);

impl Paint {
    fn wrap(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn severity(&self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Info => "36",
        };
        self.wrap(code, text)
    }
}

/// The whole verdict, ending in a line break.
pub fn verdict(diagnosis: &Diagnosis, command: &[String], colours: bool) -> String {
    let paint = Paint(colours);
    let glyph = match diagnosis.verdict {
        Verdict::Healthy => paint.wrap("1;32", "✓ healthy"),
        Verdict::Warning => paint.severity(Severity::Warning, "! warning"),
        Verdict::Unhealthy => paint.severity(Severity::Error, "✕ unhealthy"),
    };
    let mut text = format!("{glyph}\n");
    for line in wrapped(&diagnosis.headline, "") {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", paint.bold(&line));
    }
    for (index, finding) in diagnosis.findings.iter().enumerate().filter(|(_, f)| f.root) {
        text.push('\n');
        root(&mut text, &paint, finding, command);
        consequences(&mut text, &paint, diagnosis, index);
    }
    let notes = diagnosis.findings.iter().filter(|f| !f.root && f.caused_by.is_none());
    for finding in notes {
        let place = finding.layer.as_ref().map_or(String::new(), |l| format!(" {l}"));
        let line = format!("{}{place}: {}", finding.rule, finding.message);
        text.push('\n');
        for line in wrapped(&line, "  ") {
            let _ = writeln!(text, "{}", paint.severity(finding.severity, &line));
        }
    }
    text
}

fn root(text: &mut String, paint: &Paint, finding: &Finding, command: &[String]) {
    let since = match finding.first_step {
        Some(step) => format!("since step {step}"),
        None => format!("since epoch {}", finding.first_epoch),
    };
    let title = format!("{} ({})", finding.rule, finding.severity.name());
    let layers = places(&finding.layers);
    let _ = writeln!(
        text,
        "{}{} · {since} · {}",
        paint.severity(finding.severity, &title),
        if layers.is_empty() { String::new() } else { format!(" · {layers}") },
        paint.dim(&format!("gradscope explain {}", finding.rule)),
    );
    for line in wrapped(&finding.message, "  ") {
        let _ = writeln!(text, "{line}");
    }
    if let Some(remedy) = finding.remedies.first() {
        let _ = writeln!(text, "  try:  {}", paint.bold(&with_flag(command, &remedy.flag)));
        for line in wrapped(&remedy.why, "        ") {
            let _ = writeln!(text, "{}", paint.dim(&line));
        }
    }
    for remedy in finding.remedies.iter().skip(1) {
        let _ = writeln!(text, "  or:   {}  {}", paint.bold(&remedy.flag), paint.dim(&remedy.why));
    }
}

fn consequences(text: &mut String, paint: &Paint, diagnosis: &Diagnosis, root: usize) {
    let explained = |f: &&Finding| f.caused_by == Some(root);
    let rules: Vec<String> = diagnosis
        .findings
        .iter()
        .filter(explained)
        .map(|f| match places(&f.layers) {
            layers if layers.is_empty() => f.rule.clone(),
            layers => format!("{} ({layers})", f.rule),
        })
        .collect();
    if !rules.is_empty() {
        for line in wrapped(&format!("follows from it: {}", rules.join(", ")), "  ") {
            let _ = writeln!(text, "{}", paint.dim(&line));
        }
    }
}

/// Names of layers, shortened where they are many.
fn places(layers: &[String]) -> String {
    match layers {
        [] => String::new(),
        [one] => one.clone(),
        [a, b] => format!("{a}, {b}"),
        [a, .., z] => format!("{a} … {z} ({} layers)", layers.len()),
    }
}

/// The command of the run with a remedy's flags: those that are set already are replaced.
pub fn with_flag(command: &[String], flags: &str) -> String {
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let replaced = |word: &str| flags.contains(&word) && word.starts_with("--");
    let mut words = Vec::new();
    let mut skip = false;
    for word in command {
        if std::mem::take(&mut skip) || replaced(word.split('=').next().unwrap_or(word)) {
            skip = replaced(word);
            continue;
        }
        words.push(quoted(word));
    }
    words.extend(flags.iter().map(|f| (*f).to_owned()));
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    // Only a NUL cannot be quoted, and no argument holds one.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), |w| w.into_owned())
}

/// The text in lines of at most [`WIDTH`] characters, each indented.
fn wrapped(text: &str, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = indent.to_owned();
    for word in text.split_whitespace() {
        if line.len() > indent.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
        }
        if line.len() > indent.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_replaces_the_flag_that_it_changes() {
        let command =
            ["gradscope", "run", "--model", "relu5", "--bias", "-8", "--lr=1", "--data", "csv:my file.csv"];
        let command = command.map(String::from);
        assert_eq!(
            with_flag(&command, "--bias 0"),
            "gradscope run --model relu5 --lr=1 --data 'csv:my file.csv' --bias 0"
        );
        assert_eq!(
            with_flag(&command, "--lr 0.1"),
            "gradscope run --model relu5 --bias -8 --data 'csv:my file.csv' --lr 0.1"
        );
    }
}
