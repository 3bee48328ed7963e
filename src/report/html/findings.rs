//! Findings as cards: a root with its evidence, its remedies, and its consequences folded under it.

use askama::Template;
use serde_json::Value;

use super::bar::{self, Bar, Tone};
use super::mark::Mark;
use super::text::{Names, clean};
use crate::diagnose::{Diagnosis, Finding, Severity};
use crate::record::Record;
use crate::report::command;
use crate::text::{count, counted, number};

/// Consequences of consequences are followed this far: a list that points in a circle must end too.
const DEEPEST_CHAIN: usize = 32;

/// A finding as a card.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(path = "finding.html")]
pub(super) struct Card {
    mark: Mark,
    family: String,
    layers: String,
    since: String,
    root: bool,
    message: String,
    quantity: String,
    value: String,
    threshold: String,
    bar: Option<(Bar, String)>,
    /// Further numbers, by name.
    evidence: Vec<(String, String)>,
    remedies: Vec<Fix>,
    consequences: Vec<Card>,
    /// Their rules, each once.
    consequence_rules: String,
}

/// A remedy as it stands on a card.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fix {
    flag: String,
    why: String,
    /// The whole command to copy.
    command: Option<String>,
}

/// Cards of the roots, each with its consequences, and of everything that belongs to no root.
pub(super) fn cards(diagnosis: &Diagnosis, record: &Record, names: &Names) -> (Vec<Card>, Vec<Card>) {
    let findings = &diagnosis.findings;
    let headline = names.in_text(&diagnosis.headline);
    let (mut roots, mut notes) = (Vec::new(), Vec::new());
    for (index, finding) in findings.iter().enumerate() {
        let mut card = Card::new(finding, record, names);
        if finding.root {
            let others = (0..findings.len()).filter(|i| *i != index);
            let caused = others.filter(|i| root_of(findings, *i) == Some(index));
            card.consequences = caused.map(|i| Card::new(&findings[i], record, names)).collect();
            card.consequence_rules = rules(&card.consequences);
            card.message = beyond(&card.message, &headline);
            roots.push(card);
        } else if root_of(findings, index).is_none() {
            notes.push(card);
        }
    }
    (roots, notes)
}

impl Card {
    /// `1 consequence`, `3 consequences`.
    fn consequences_counted(&self) -> String {
        counted(self.consequences.len() as u64, "consequence")
    }
}

/// The root that a finding follows from, or is.
fn root_of(findings: &[Finding], mut index: usize) -> Option<usize> {
    for _ in 0..DEEPEST_CHAIN {
        match findings[index].caused_by {
            Some(cause) if cause < findings.len() && !findings[index].root => index = cause,
            _ => break,
        }
    }
    Some(index).filter(|i| findings[*i].root)
}

impl Card {
    fn new(finding: &Finding, record: &Record, names: &Names) -> Self {
        let tone = if finding.severity > Severity::Info { Tone::Alarm } else { Tone::Plain };
        let remedies = finding.remedies.iter().map(|r| Fix {
            flag: clean(&r.flags()),
            why: names.in_text(&r.why),
            command: command::with_flags(&record.header.command, &r.flags()).map(|c| clean(&c)),
        });
        Self {
            mark: Mark::new(finding.severity, finding.rule.as_str()),
            family: finding.family.clone(),
            layers: names.in_text(&layers(finding, record)),
            since: names.in_text(&since(finding, record)),
            root: finding.root,
            message: names.in_text(&finding.message),
            quantity: names.in_text(&finding.quantity),
            value: number(finding.value),
            threshold: number(finding.threshold),
            bar: bar::against(finding.value, finding.threshold, tone),
            evidence: finding.evidence.iter().map(|(k, v)| (words(k), names.in_text(&shown(v)))).collect(),
            remedies: remedies.collect(),
            consequences: Vec::new(),
            consequence_rules: String::new(),
        }
    }
}

/// Rules of findings, each once with how many there are: `dead-layer (3), stalled`.
fn rules(cards: &[Card]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for card in cards {
        match counts.iter_mut().find(|(rule, _)| *rule == card.mark.word) {
            Some((_, n)) => *n += 1,
            None => counts.push((&card.mark.word, 1)),
        }
    }
    let counts =
        counts.into_iter().map(|(rule, n)| if n > 1 { format!("{rule} ({n})") } else { rule.into() });
    counts.collect::<Vec<_>>().join(", ")
}

/// The part of a message that goes beyond the headline, which often is its first sentence; all of it where
/// nothing would remain.
fn beyond(message: &str, headline: &str) -> String {
    match message.split_once(". ") {
        Some((first, rest)) if holds(headline, first) => rest.to_owned(),
        _ => message.to_owned(),
    }
}

/// Whether a headline holds a sentence. It begins with a capital letter, or goes on in the middle of a
/// sentence.
fn holds(headline: &str, sentence: &str) -> bool {
    let Some(first) = sentence.chars().next() else { return true };
    headline.match_indices(&sentence[first.len_utf8()..]).any(|(at, _)| {
        let before = headline[..at].chars().next_back();
        before.is_some_and(|before| before.to_lowercase().eq(first.to_lowercase()))
    })
}

/// Layers that are all named in the heading of a finding.
const LISTED: usize = 6;

/// `fc1`, `fc1 and fc3`, `fc1 – fc4`; empty for the whole run.
fn layers(finding: &Finding, record: &Record) -> String {
    match finding.layers.as_slice() {
        [] => finding.layer.clone().unwrap_or_default(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [first, .., last] => match (place(record, first), place(record, last)) {
            (Some(a), Some(b)) if b.checked_sub(a) == Some(finding.layers.len() - 1) => {
                format!("{first} – {last}")
            }
            _ if finding.layers.len() > LISTED => {
                format!(
                    "{first}, {} … {last}: {} layers",
                    finding.layers[1],
                    count(finding.layers.len() as u64)
                )
            }
            _ => finding.layers.join(", "),
        },
    }
}

/// The place of a layer in forward order.
fn place(record: &Record, name: &str) -> Option<usize> {
    record.header.layers.iter().position(|l| l.name == name)
}

fn since(finding: &Finding, record: &Record) -> String {
    if record.header.has_weights_alone() {
        return format!("in {}", record.file_of(finding.first_epoch));
    }
    let first = count(finding.first_epoch);
    let step = finding.first_step.map_or(String::new(), |s| format!(", step {}", count(s)));
    let over = record.epochs.last().is_some_and(|e| finding.last_epoch < e.epoch);
    if over && finding.last_epoch == finding.first_epoch {
        format!("in epoch {first}{step}")
    } else if over {
        format!("epochs {first} to {}", count(finding.last_epoch))
    } else {
        format!("since epoch {first}{step}")
    }
}

/// `max_pre` → `max pre`.
fn words(key: &str) -> String {
    clean(key).replace('_', " ")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(n) if n.is_f64() => n.as_f64().map_or_else(|| n.to_string(), number),
        Value::Number(n) if n.is_u64() => n.as_u64().map_or_else(|| n.to_string(), count),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
