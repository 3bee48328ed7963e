//! The verdict on a terminal: what, where, since when, why, and what to type next.

use std::fmt::Write;

use super::Colors;
use super::terminal::columns;
use crate::diagnose::{Diagnosis, Finding, Verdict};
use crate::record::Record;
use crate::report::command::with_flags;
use crate::text::fill;

/// Paragraphs, each in lines, in bold where there are colors.
pub fn bold(paragraph: &str, colors: Colors) -> String {
    lines(paragraph, "").iter().map(|line| colors.bold(line) + "\n").collect()
}

/// The verdict as a glyph and a word.
pub fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "✓ healthy",
        Verdict::Warning => "! warning",
        Verdict::Unhealthy => "✕ unhealthy",
    }
}

/// A good verdict on weights alone: less than health.
const ONLY_WEIGHTS: &str = "✓ nothing wrong with the weights alone";

/// The whole verdict, ending in a line break.
pub fn verdict(diagnosis: &Diagnosis, record: &Record, colors: Colors) -> String {
    let word = match diagnosis.verdict {
        Verdict::Healthy if record.header.has_weights_alone() => ONLY_WEIGHTS,
        verdict => word(verdict),
    };
    let mut text = format!("{}\n", colors.verdict(diagnosis.verdict, word));
    text += &bold(&diagnosis.headline, colors);
    for (index, finding) in diagnosis.findings.iter().enumerate().filter(|(_, f)| f.root) {
        text.push('\n');
        root(&mut text, colors, finding, record);
        consequences(&mut text, colors, diagnosis, index);
    }
    let notes = diagnosis.findings.iter().filter(|f| !f.root && f.caused_by.is_none());
    for finding in notes {
        let place = finding.layer.as_ref().map_or(String::new(), |l| format!(" {l}"));
        let line = format!("{}{place}: {}", finding.rule, finding.message);
        text.push('\n');
        for line in lines(&line, "  ") {
            let _ = writeln!(text, "{}", colors.severity(finding.severity, &line));
        }
    }
    text
}

fn root(text: &mut String, colors: Colors, finding: &Finding, record: &Record) {
    let since = match record.header.has_weights_alone() {
        true => record.file_of(finding.first_epoch).to_owned(),
        false => format!("since {}", finding.since()),
    };
    let title = format!("{} ({})", finding.rule, finding.severity.name());
    let layers = places(&finding.layers);
    let _ = writeln!(
        text,
        "{}{} · {since} · {}",
        colors.severity(finding.severity, &title),
        if layers.is_empty() { String::new() } else { format!(" · {layers}") },
        colors.dim(&format!("gradscope explain {}", finding.rule)),
    );
    // The headline is made of the first sentences of the roots' messages.
    let more = finding.message.split_once(". ").map_or("", |(_, more)| more);
    text.push_str(&if more.is_empty() { String::new() } else { fill(more, columns(), "  ") });
    if let Some(remedy) = finding.remedies.first() {
        let flags = remedy.flags();
        let whole = with_flags(&record.header.command, &flags).unwrap_or(flags);
        let _ = writeln!(text, "  try:  {}", colors.bold(&whole));
        for line in lines(&remedy.why, "        ") {
            let _ = writeln!(text, "{}", colors.dim(&line));
        }
    }
    for remedy in finding.remedies.iter().skip(1) {
        let _ = writeln!(text, "  or:   {}", colors.bold(&remedy.flags()));
        for line in lines(&remedy.why, "        ") {
            let _ = writeln!(text, "{}", colors.dim(&line));
        }
    }
}

fn consequences(text: &mut String, colors: Colors, diagnosis: &Diagnosis, root: usize) {
    let mut rules: Vec<(&str, Vec<String>)> = Vec::new();
    for finding in diagnosis.findings.iter().filter(|f| f.caused_by == Some(root)) {
        match rules.iter_mut().find(|(rule, _)| *rule == finding.rule) {
            Some((_, layers)) => layers.extend(finding.layers.iter().cloned()),
            None => rules.push((&finding.rule, finding.layers.clone())),
        }
    }
    if !rules.is_empty() {
        let rules = rules.iter().map(|(rule, layers)| match places(layers) {
            layers if layers.is_empty() => (*rule).to_owned(),
            layers => format!("{rule} ({layers})"),
        });
        let rules: Vec<String> = rules.collect();
        for line in lines(&format!("follows from it: {}", rules.join(", ")), "  ") {
            let _ = writeln!(text, "{}", colors.dim(&line));
        }
    }
}

/// Names of layers, shortened where they are many.
fn places(layers: &[String]) -> String {
    match layers {
        [a, b, .., z] if layers.len() > 4 => format!("{a}, {b} … {z}: {} layers", layers.len()),
        few => few.join(", "),
    }
}

/// A paragraph in lines, each after the indent.
fn lines(paragraph: &str, indent: &str) -> Vec<String> {
    fill(paragraph, columns(), indent).lines().map(String::from).collect()
}
