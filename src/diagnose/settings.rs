//! Which rules are on, and with which limits.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::rule::Rule;
use super::rules::RULES;
use crate::text::similar;

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
    /// In words.
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

/// Rules switched off and limits changed by the user. The default leaves every rule on, with its own
/// limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    off: BTreeSet<&'static str>,
    limits: BTreeMap<(&'static str, &'static str), f64>,
}

impl Settings {
    /// Switches a rule off (`--off RULE`).
    ///
    /// # Errors
    /// Where there is no such rule.
    pub fn off(&mut self, rule: &str) -> Result<(), SettingsError> {
        self.off.insert(find(rule.trim())?.name);
        Ok(())
    }

    /// Changes a limit (`--set RULE.PARAM=VALUE`).
    ///
    /// # Errors
    /// Where it is not of that form, names something unknown, or the value makes no sense.
    pub fn set(&mut self, assignment: &str) -> Result<(), SettingsError> {
        let malformed = || SettingsError::Malformed { text: assignment.into() };
        let (left, right) = assignment.split_once('=').ok_or_else(malformed)?;
        let (rule, name) = left.trim().split_once('.').ok_or_else(malformed)?;
        let rule = find(rule)?;
        let param = rule.params.iter().find(|p| p.name == name).ok_or_else(|| {
            let known = rule.params.iter().map(|p| p.name);
            SettingsError::UnknownParam { rule: rule.name, name: name.into(), near: near(name, known) }
        })?;
        let value = right.trim().parse::<f64>().ok().filter(|v| sensible(param, *v));
        let Some(value) = value else {
            let wanted = if param.whole { "a whole number from 1" } else { "a finite number from 0" };
            return Err(SettingsError::BadValue {
                rule: rule.name,
                param: param.name,
                value: right.trim().into(),
                wanted,
                default: param.default,
            });
        };
        self.limits.insert((rule.name, param.name), value);
        Ok(())
    }

    /// Whether a rule is to be evaluated.
    pub fn is_on(&self, rule: &str) -> bool {
        !self.off.contains(rule)
    }

    /// What a limit is.
    pub(super) fn limit(&self, rule: &'static str, param: &Param) -> f64 {
        self.limits.get(&(rule, param.name)).copied().unwrap_or(param.default)
    }
}

fn sensible(param: &Param, value: f64) -> bool {
    if param.whole {
        value.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&value)
    } else {
        value.is_finite() && value >= 0.0
    }
}

/// What can be wrong with the name of a rule or the value of a limit.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum SettingsError {
    /// Not of the form RULE.PARAM=VALUE.
    #[error("{text:?} is not of the form RULE.PARAM=VALUE, such as vanishing-depth.error=1e-3")]
    Malformed {
        /// What was given.
        text: String,
    },
    /// No such rule.
    #[error("unknown rule {name:?}: {near}")]
    UnknownRule {
        /// What was given.
        name: String,
        /// What there is.
        near: Near,
    },
    /// The rule has no such parameter.
    #[error("rule {rule} has no parameter {name:?}: {near}")]
    UnknownParam {
        /// The rule.
        rule: &'static str,
        /// What was given.
        name: String,
        /// What there is.
        near: Near,
    },
    /// A word of `--fail-on` that means nothing.
    #[error("--fail-on {word:?} is no rule, family or severity: {near}")]
    UnknownWord {
        /// What was given.
        word: String,
        /// What there is.
        near: Near,
    },
    /// What is never found, so that nothing can fail on it.
    #[error("--fail-on {name} would never fail: --off switches it off")]
    FailsOnWhatIsOff {
        /// The rule or family.
        name: &'static str,
    },
    /// A value that the parameter cannot have.
    #[error("{rule}.{param} cannot be {value:?}: it must be {wanted} (its default is {default})")]
    BadValue {
        /// The rule.
        rule: &'static str,
        /// Its parameter.
        param: &'static str,
        /// What was given.
        value: String,
        /// What would be right.
        wanted: &'static str,
        /// Its default.
        default: f64,
    },
}

/// Known names for one that is not: the nearest, or all where none is near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Near {
    /// These look like it, best first.
    Similar(Vec<&'static str>),
    /// None does; this is what there is.
    All(Vec<&'static str>),
}

impl std::fmt::Display for Near {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Near::Similar(names) => write!(f, "did you mean {}?", names.join(" or ")),
            Near::All(names) if names.is_empty() => f.write_str("it has none"),
            Near::All(names) => write!(f, "there are {}", names.join(", ")),
        }
    }
}

/// The rule of this name.
///
/// # Errors
/// Where there is none, with the names that look like it.
pub(super) fn find(name: &str) -> Result<&'static Rule, SettingsError> {
    RULES.iter().copied().find(|r| r.name == name).ok_or_else(|| SettingsError::UnknownRule {
        name: name.into(),
        near: near(name, RULES.iter().map(|r| r.name)),
    })
}

/// Names offered at most.
const OFFERED: usize = 3;

/// The known names that look like this one.
pub(super) fn near(name: &str, known: impl Iterator<Item = &'static str>) -> Near {
    let known: Vec<_> = known.collect();
    let mut similar = similar(name, known.iter().copied());
    similar.truncate(OFFERED);
    if similar.is_empty() { Near::All(known) } else { Near::Similar(similar) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(assignment: &str) -> String {
        Settings::default().set(assignment).unwrap_err().to_string()
    }

    #[test]
    fn a_limit_can_be_changed() {
        let mut settings = Settings::default();
        settings.set("vanishing-depth.error=1e-3").unwrap();
        let rule = find("vanishing-depth").unwrap();
        let param = rule.params.iter().find(|p| p.name == "error").unwrap();
        assert_eq!(settings.limit(rule.name, param), 1e-3);
        assert_ne!(Settings::default().limit(rule.name, param), 1e-3);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        insta::assert_snapshot!(error("vanishing-depth"), @r#""vanishing-depth" is not of the form RULE.PARAM=VALUE, such as vanishing-depth.error=1e-3"#);
        insta::assert_snapshot!(error("vanishing-dept.error=1"), @r#"unknown rule "vanishing-dept": did you mean vanishing-depth or vanishing-all or vanishing-time?"#);
        insta::assert_snapshot!(error("vanishing-depth.eror=1"), @r#"rule vanishing-depth has no parameter "eror": did you mean error?"#);
        insta::assert_snapshot!(error("vanishing-depth.error=NaN"), @r#"vanishing-depth.error cannot be "NaN": it must be a finite number from 0 (its default is 0.003)"#);
        insta::assert_snapshot!(error("vanishing-depth.captures=0.5"), @r#"vanishing-depth.captures cannot be "0.5": it must be a whole number from 1 (its default is 2)"#);
        let unknown = Settings::default().off("xyzzy").unwrap_err().to_string();
        assert!(unknown.starts_with(r#"unknown rule "xyzzy": there are non-finite, "#), "{unknown}");
        let family = Settings::default().off("vanishing").unwrap_err().to_string();
        assert!(
            family.ends_with("did you mean vanishing-all or vanishing-time or vanishing-depth?"),
            "{family}"
        );
    }
}
