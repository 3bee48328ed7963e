//! Numbers and names as they stand in sentences.

use serde_json::Value;

use crate::record::{Layer, number};

/// A number to two significant digits: a value that one would type.
pub fn two_digits(x: f64) -> f64 {
    format!("{x:.1e}").parse().unwrap_or(x)
}

/// `1 unit`, `3 units`.
pub fn count(n: u64, noun: &str) -> String {
    crate::text::counted(n, noun)
}

/// A share as a percentage of at most three significant digits.
pub fn percent(share: f64) -> String {
    format!("{}%", crate::text::number(100.0 * share))
}

/// Some of the layers `of` a network (indices into the header), in words: `fc1`, `fc1 and fc3`, `fc1 to fc4`.
pub fn names(all: &[Layer], of: &[usize], some: &[usize]) -> String {
    match some {
        [] => "no layer".into(),
        [one] => name(all, *one).into(),
        [one, two] => format!("{} and {}", name(all, *one), name(all, *two)),
        [first, .., last] => {
            let between = of.iter().filter(|i| (first..=last).contains(i)).count();
            if between == some.len() {
                format!("{} to {}", name(all, *first), name(all, *last))
            } else if some.len() <= 4 {
                let (rest, _) = some.split_at(some.len() - 1);
                format!(
                    "{} and {}",
                    rest.iter().map(|i| name(all, *i)).collect::<Vec<_>>().join(", "),
                    name(all, *last)
                )
            } else {
                let rest = some.len() - 2;
                format!("{}, {} and {rest} other layers", name(all, *first), name(all, some[1]))
            }
        }
    }
}

fn name(all: &[Layer], index: usize) -> &str {
    all.get(index).map_or("?", |l| l.name.as_str())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_two_digits_and_is_written_out() {
        assert_eq!(two_digits(0.000_123).to_string(), "0.00012");
        assert_eq!(two_digits(1e-7).to_string(), "0.0000001");
    }
}
