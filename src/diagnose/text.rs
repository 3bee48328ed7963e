//! Numbers and names as they stand in sentences.

use serde_json::Value;

use crate::record::{Layer, number};

/// A number to three significant digits, with an ASCII minus: `-7.97`, `0.693`, `1.65e-8`.
pub fn sig(x: f64) -> String {
    significant(x, 3)
}

/// A learning rate to two significant digits, always written out, as one would type it.
pub fn plain(x: f64) -> String {
    let rounded: f64 = format!("{x:.1e}").parse().unwrap_or(x);
    format!("{rounded}")
}

fn significant(x: f64, digits: usize) -> String {
    if !x.is_finite() {
        return number::name(x).to_owned();
    }
    let scientific = format!("{x:.*e}", digits - 1);
    let (Ok(rounded), Some((mantissa, exponent))) = (scientific.parse::<f64>(), scientific.split_once('e'))
    else {
        return scientific;
    };
    if rounded == 0.0 || (1e-3..1e6).contains(&rounded.abs()) {
        // Adding zero turns -0 into 0.
        return format!("{}", rounded + 0.0);
    }
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    format!("{mantissa}e{exponent}")
}

/// `1 unit`, `3 units`.
pub fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// A share as a percentage of at most three significant digits.
pub fn percent(share: f64) -> String {
    format!("{}%", sig(100.0 * share))
}

/// Some of the layers `of` a network (indices into the header): `fc1`, `fc1 and fc3`, `fc1 to fc4`.
pub fn names(all: &[Layer], of: &[usize], some: &[usize]) -> String {
    let name = |i: &usize| all.get(*i).map_or("?", |l| l.name.as_str());
    match some {
        [] => "no layer".into(),
        [one] => name(one).into(),
        [one, two] => format!("{} and {}", name(one), name(two)),
        [first, .., last] => {
            let between = of.iter().filter(|i| (first..=last).contains(i)).count();
            if between == some.len() {
                format!("{} to {}", name(first), name(last))
            } else if some.len() <= 4 {
                let (rest, _) = some.split_at(some.len() - 1);
                format!("{} and {}", rest.iter().map(name).collect::<Vec<_>>().join(", "), name(last))
            } else {
                let rest = some.len() - 2;
                format!("{}, {} and {rest} other layers", name(first), name(&some[1]))
            }
        }
    }
}

/// A number in evidence: one that is not finite goes in by its name instead of being dropped.
pub fn value(x: f64) -> Value {
    if x.is_finite() { Value::from(x) } else { Value::from(number::name(x)) }
}

/// A text as a whole sentence: with a capital unless it begins with the name of a layer.
pub fn sentence(text: &str, layers: &[Layer]) -> String {
    recase(text, layers, |c| c.to_uppercase().collect())
}

/// A sentence as part of another: without its capital unless it begins with the name of a layer.
pub fn inside(text: &str, layers: &[Layer]) -> String {
    recase(text, layers, |c| c.to_lowercase().collect())
}

fn recase(text: &str, layers: &[Layer], change: fn(char) -> String) -> String {
    let first = text.split([' ', ',', ':']).next().unwrap_or_default();
    if layers.iter().any(|l| l.name == first) {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| change(c) + chars.as_str())
}

/// Breaks a paragraph into lines of at most `width` characters, each after `indent`.
pub fn fill(paragraph: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in paragraph.split_whitespace() {
        let line = lines.last().map_or(0, String::len);
        if line > 0 && indent.len() + line + 1 + word.len() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.iter().map(|l| format!("{indent}{l}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_significant_digits_and_an_ascii_minus() {
        let cases = [
            (-7.9712, "-7.97"),
            (1.6543e-8, "1.65e-8"),
            (0.003, "0.003"),
            (0.81817, "0.818"),
            (-8.0, "-8"),
            (-0.0, "0"),
            (1e-12, "1e-12"),
            (12345.0, "12300"),
            (2.5e9, "2.5e9"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (x, text) in cases {
            assert_eq!(sig(x), text);
        }
        assert_eq!(plain(0.000_123), "0.00012");
        assert_eq!(plain(1e-7), "0.0000001");
    }

    #[test]
    fn paragraphs_are_filled() {
        assert_eq!(fill("aa bb cc", 7, "  "), "  aa bb\n  cc\n");
    }
}
