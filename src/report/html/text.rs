//! Text that comes from strangers, and numbers, as they stand in the page.

use std::collections::HashMap;

use crate::record::{Layer, Task};
use crate::text::{number, percentage};

/// Longest name that is shown whole, in characters.
const LONGEST_NAME: usize = 60;

/// Names of layers, shortened where they would bury the page.
pub struct Names {
    /// (whole, short), the longest first: one may hold another.
    long: Vec<(String, String)>,
}

impl Names {
    /// The names of these layers.
    pub fn new(layers: &[Layer]) -> Self {
        let names = layers.iter().map(|l| l.name.as_str());
        let mut long: Vec<_> = names
            .filter(|n| n.chars().count() > LONGEST_NAME)
            .map(|n| (n.to_owned(), shortened(n)))
            .collect();
        // What tells these apart is in the middle, then.
        let mut counts: HashMap<String, usize> = HashMap::new();
        for (_, short) in &long {
            *counts.entry(short.clone()).or_default() += 1;
        }
        for (name, short) in long.iter_mut().filter(|(_, short)| counts[short] > 1) {
            let place = layers.iter().position(|l| l.name == *name).unwrap_or(0);
            short.push_str(&format!(" (layer {})", place + 1));
        }
        long.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { long }
    }

    /// The name of a layer by itself.
    pub fn layer(&self, layer: &Layer) -> String {
        let name = self.in_text(&layer.name);
        if name.trim().is_empty() { "(no name)".into() } else { name }
    }

    /// A sentence in which layers may be named.
    pub fn in_text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, short) in &self.long {
            text = text.replace(name.as_str(), short);
        }
        clean(&text)
    }
}

/// The middle is left out: the ends of `encoder.layers.0.attention.query` tell layers apart.
fn shortened(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let end = LONGEST_NAME / 2;
    chars[..end].iter().chain(&['…']).chain(&chars[chars.len() - end..]).collect()
}

/// Without characters that control, that steer the direction of writing, or that have no width: they
/// could make a name read as another one. Escaping is the template's work.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !is_unwanted(*c)).collect()
}

fn is_unwanted(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{ad}' | '\u{034f}' | '\u{061c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e007f}')
}

/// A number where there is one, else a dash.
pub fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), number)
}

/// A score: a percentage where it is an accuracy.
pub fn score(task: Task, value: f64) -> String {
    match task {
        Task::Classification => percentage(value),
        Task::Regression => number(value),
    }
}

/// A time span: `33 ms`, `2.1 s`, `3 min 12 s`, `2 h 5 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    if seconds < 1.0 {
        format!("{} ms", number(seconds * 1000.0))
    } else if whole < 60 {
        format!("{} s", number(seconds))
    } else if whole < 3600 {
        format!("{} min {} s", whole / 60, whole % 60)
    } else {
        format!("{} h {} min", whole / 3600, whole % 3600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::record::Record;

    #[test]
    fn time_spans_read_like_speech() {
        let spans = [0.0332, 2.1, 59.4, 192.0, 7_500.0].map(duration);
        assert_eq!(spans, ["33.2 ms", "2.1 s", "59.4 s", "3 min 12 s", "2 h 5 min"]);
    }

    #[test]
    fn shortened_names_stay_apart() {
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/records/relu5-dead.jsonl");
        let mut layers = Record::read(Path::new(fixture)).unwrap().0.header.layers;
        let middle = |n: usize| format!("{}{n}{}", "a".repeat(40), "b".repeat(40));
        layers.iter_mut().enumerate().for_each(|(i, layer)| layer.name = middle(i % 3));
        layers.truncate(3);
        let names = Names::new(&layers);
        let short: Vec<_> = layers.iter().map(|layer| names.layer(layer)).collect();
        assert!(short[0].ends_with(" (layer 1)") && short[2].ends_with(" (layer 3)"), "{short:?}");
    }

    #[test]
    fn what_steers_writing_is_taken_out() {
        assert_eq!(clean("fc\u{202e}1\u{200b}\u{0}\u{ad}\u{fe0f}<b>"), "fc1<b>");
    }
}
