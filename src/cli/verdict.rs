//! The verdict on a terminal: what, where, since when, why, and what to type next.

use std::fmt::Write;
use std::io::{self, IsTerminal};

use gradscope::diagnose::{Diagnosis, Finding, Severity, Verdict};
use gradscope::record::Record;
use gradscope::report::command::with_flags;
use gradscope::text::fill;

/// Columns of a line where the terminal does not say, or has more.
const WIDTH: usize = 96;
/// Columns below which wrapping only makes it worse.
const NARROWEST: usize = 20;

/// Columns of the terminal, or of what stands for one.
pub fn columns() -> usize {
    if io::stdout().is_terminal() { textwrap::termwidth().clamp(NARROWEST, WIDTH) } else { WIDTH }
}

/// Colours, or none.
pub struct Paint(pub bool);

impl Paint {
    /// In this colour.
    pub fn wrap(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn verdict(&self, verdict: Verdict, word: &str) -> String {
        match verdict {
            Verdict::Healthy => self.wrap("1;32", word),
            Verdict::Warning => self.severity(Severity::Warning, word),
            Verdict::Unhealthy => self.severity(Severity::Error, word),
        }
    }

    pub fn severity(&self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Info => "36",
        };
        self.wrap(code, text)
    }
}

/// Paragraphs, each in lines, in bold where there are colours.
pub fn bold(paragraph: &str, colours: bool) -> String {
    lines(paragraph, "").iter().map(|line| Paint(colours).bold(line) + "\n").collect()
}

/// The verdict as a glyph and a word.
pub fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "✓ healthy",
        Verdict::Warning => "! warning",
        Verdict::Unhealthy => "✕ unhealthy",
    }
}

/// What a good verdict on weights alone is: less than health.
const ONLY_WEIGHTS: &str = "✓ nothing wrong with the weights alone";

/// The whole verdict, ending in a line break.
pub fn verdict(diagnosis: &Diagnosis, record: &Record, colours: bool) -> String {
    let paint = Paint(colours);
    let word = match diagnosis.verdict {
        Verdict::Healthy if record.header.has_weights_alone() => ONLY_WEIGHTS,
        verdict => word(verdict),
    };
    let mut text = format!("{}\n", paint.verdict(diagnosis.verdict, word));
    text += &bold(&diagnosis.headline, colours);
    for (index, finding) in diagnosis.findings.iter().enumerate().filter(|(_, f)| f.root) {
        text.push('\n');
        root(&mut text, &paint, finding, record);
        consequences(&mut text, &paint, diagnosis, index);
    }
    let notes = diagnosis.findings.iter().filter(|f| !f.root && f.caused_by.is_none());
    for finding in notes {
        let place = finding.layer.as_ref().map_or(String::new(), |l| format!(" {l}"));
        let line = format!("{}{place}: {}", finding.rule, finding.message);
        text.push('\n');
        for line in lines(&line, "  ") {
            let _ = writeln!(text, "{}", paint.severity(finding.severity, &line));
        }
    }
    text
}

fn root(text: &mut String, paint: &Paint, finding: &Finding, record: &Record) {
    let since = match record.header.has_weights_alone() {
        true => record.file_of(finding.first_epoch).to_owned(),
        false => format!("since {}", finding.since()),
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
    // The headline is made of the first sentences of the roots' messages.
    let more = finding.message.split_once(". ").map_or("", |(_, more)| more);
    text.push_str(&if more.is_empty() { String::new() } else { fill(more, columns(), "  ") });
    if let Some(remedy) = finding.remedies.first() {
        let flags = remedy.flags();
        let whole = with_flags(&record.header.command, &flags).unwrap_or(flags);
        let _ = writeln!(text, "  try:  {}", paint.bold(&whole));
        for line in lines(&remedy.why, "        ") {
            let _ = writeln!(text, "{}", paint.dim(&line));
        }
    }
    for remedy in finding.remedies.iter().skip(1) {
        let _ = writeln!(text, "  or:   {}", paint.bold(&remedy.flags()));
        for line in lines(&remedy.why, "        ") {
            let _ = writeln!(text, "{}", paint.dim(&line));
        }
    }
}

fn consequences(text: &mut String, paint: &Paint, diagnosis: &Diagnosis, root: usize) {
    let mut rules: Vec<(&str, Vec<String>)> = Vec::new();
    for finding in diagnosis.findings.iter().filter(|f| f.caused_by == Some(root)) {
        match rules.iter_mut().find(|(rule, _)| *rule == finding.rule) {
            Some((_, layers)) => layers.extend(finding.layers.iter().cloned()),
            None => rules.push((&finding.rule, finding.layers.clone())),
        }
    }
    let named = |(rule, layers): &(&str, Vec<String>)| match places(layers) {
        layers if layers.is_empty() => (*rule).to_owned(),
        layers => format!("{rule} ({layers})"),
    };
    if !rules.is_empty() {
        let rules: Vec<String> = rules.iter().map(named).collect();
        for line in lines(&format!("follows from it: {}", rules.join(", ")), "  ") {
            let _ = writeln!(text, "{}", paint.dim(&line));
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
