//! The limits of rules, each with its reason and its source.

use std::collections::BTreeMap;

/// A limit of a rule that `--set RULE.PARAM=VALUE` can change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// Name after the rule's, as in `vanishing-depth.error`.
    pub name: &'static str,
    /// Value where nothing else is set.
    pub default: f64,
    /// Whether only whole numbers from 1 make sense (captures, steps, units).
    pub whole: bool,
    /// Why this value.
    pub why: &'static str,
    /// Where it comes from.
    pub source: Source,
}

/// Where a limit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Tried on the labelled runs of a prototype.
    Calibrated,
    /// Moved up and down over the labelled runs of the corpus.
    Corpus,
    /// Plausible, and nothing that was tried depends on it.
    Guess,
}

impl Source {
    /// The source as it stands in explanations and documents.
    pub fn words(self) -> &'static str {
        match self {
            Source::Calibrated => "calibrated on 1,728 labelled runs of a PyTorch prototype",
            Source::Corpus => "moved up and down over the labelled runs of the corpus (docs/corpus.md)",
            Source::Guess => "a guess",
        }
    }
}

impl Param {
    /// A limit that a measured quantity is compared with.
    pub(super) const fn limit(name: &'static str, default: f64, why: &'static str) -> Self {
        Self { name, default, whole: false, why, source: Source::Calibrated }
    }

    /// A number of things.
    pub(super) const fn count(name: &'static str, default: u32, why: &'static str) -> Self {
        Self { name, default: default as f64, whole: true, why, source: Source::Calibrated }
    }

    /// The same, moved up and down over the corpus.
    pub(super) const fn bracketed(self) -> Self {
        Self { source: Source::Corpus, ..self }
    }

    /// The same with nothing but plausibility behind it.
    pub(super) const fn guessed(self) -> Self {
        Self { source: Source::Guess, ..self }
    }
}

/// The limits that a user has changed, by rule and parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Limits(BTreeMap<(&'static str, &'static str), f64>);

impl Limits {
    /// Gives a parameter of a rule another value than its default.
    pub(super) fn set(&mut self, rule: &'static str, param: &Param, value: f64) {
        self.0.insert((rule, param.name), value);
    }

    /// The value of a parameter of a rule: the user's, or its default.
    pub(super) fn get(&self, rule: &'static str, param: &Param) -> f64 {
        self.0.get(&(rule, param.name)).copied().unwrap_or(param.default)
    }
}
