//! The user's settings: which rules are on, and with which limits.

use std::collections::BTreeSet;

use thiserror::Error;

use super::param::{Limits, Param};
use super::rule::Rule;
use super::rules::rules;
use crate::text::similar;

/// Rules switched off and limits changed by the user. The default leaves every rule on, with its own
/// limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    off: BTreeSet<&'static str>,
    pub(super) limits: Limits,
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
        let parts =
            assignment.split_once('=').and_then(|(left, right)| Some((left.trim().split_once('.')?, right)));
        let Some(((rule, name), right)) = parts else {
            return Err(SettingsError::Malformed { text: assignment.into() });
        };
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
        self.limits.set(rule.name, param, value);
        Ok(())
    }

    /// Whether a rule is to be evaluated.
    pub fn is_on(&self, rule: &str) -> bool {
        !self.off.contains(rule)
    }
}

fn sensible(param: &Param, value: f64) -> bool {
    if param.whole {
        value.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&value)
    } else {
        value.is_finite() && value >= 0.0
    }
}

/// The ways in which the name of a rule or the value of a limit can be wrong.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum SettingsError {
    /// Not of the form RULE.PARAM=VALUE.
    #[error("{text:?} is not of the form RULE.PARAM=VALUE, such as vanishing-depth.error=1e-3")]
    Malformed {
        /// The text that was given.
        text: String,
    },
    /// No such rule.
    #[error("unknown rule {name:?}: {near}")]
    UnknownRule {
        /// The text that was given.
        name: String,
        /// The names that there are.
        near: Near,
    },
    /// The rule has no such parameter.
    #[error("rule {rule} has no parameter {name:?}: {near}")]
    UnknownParam {
        /// Name of the rule.
        rule: &'static str,
        /// The text that was given.
        name: String,
        /// The names that there are.
        near: Near,
    },
    /// A word of `--fail-on` that means nothing.
    #[error("--fail-on {word:?} is no rule, family or severity: {near}")]
    UnknownWord {
        /// The text that was given.
        word: String,
        /// The names that there are.
        near: Near,
    },
    /// A rule or family that is switched off, so that nothing can fail on it.
    #[error("--fail-on {name} would never fail: --off switches it off")]
    FailsOnWhatIsOff {
        /// The rule or family.
        name: &'static str,
    },
    /// A value that the parameter cannot have.
    #[error("{rule}.{param} cannot be {value:?}: it must be {wanted} (its default is {default})")]
    BadValue {
        /// Name of the rule.
        rule: &'static str,
        /// Name of its parameter.
        param: &'static str,
        /// The text that was given.
        value: String,
        /// The values that it can have, in words.
        wanted: &'static str,
        /// The default of that parameter.
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
    rules().find(|r| r.name == name).ok_or_else(|| SettingsError::UnknownRule {
        name: name.into(),
        near: near(name, rules().map(|r| r.name)),
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
        assert_eq!(settings.limits.get(rule.name, param), 1e-3);
        assert_ne!(Settings::default().limits.get(rule.name, param), 1e-3);
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
