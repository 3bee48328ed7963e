//! The name that a misspelt word was meant to be.

/// Share of a name's letters that may differ for it to be what was meant.
const MISSPELT: f64 = 0.4;

/// The names that `word` was probably meant to be, best first: those from which few letters differ, then
/// those of which it is a part.
pub fn similar<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    // A word pasted by accident may be megabytes long; no name is.
    let word: String = word.chars().take(64).collect();
    let part = |name: &str| word.len() >= 3 && (name.contains(&word) || word.contains(name));
    let mut close: Vec<(bool, usize, &str)> = names
        .into_iter()
        .map(|name| (name, strsim::damerau_levenshtein(&word, name)))
        .map(|(name, distance)| (distance as f64 > MISSPELT * name.len() as f64, distance, name))
        .filter(|(far, _, name)| !far || part(name))
        .collect();
    close.sort_unstable();
    close.into_iter().map(|(_, _, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_finds_its_word_and_nonsense_finds_none() {
        let words = ["relu5", "sigmoid5", "mlp"];
        assert_eq!(similar("rleu5", words), ["relu5"]);
        assert_eq!(similar("sigmoid", words), ["sigmoid5"]);
        assert_eq!(similar("xavir-uniform", ["uniform", "xavier-uniform"]), ["xavier-uniform", "uniform"]);
        assert!(similar("transformer", words).is_empty() && similar(&"x".repeat(1 << 20), words).is_empty());
    }
}
