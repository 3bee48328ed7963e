//! `--fail-on`: which findings make the exit status 1.

use super::finding::{Finding, Severity};
use super::rules::rules;
use super::settings::{SettingsError, near};

/// Findings that a caller wants to fail on, parsed once.
///
/// - `error`, `warning` and `info` mean a finding of that severity or worse;
/// - `any` means any finding above info: what makes the verdict other than healthy;
/// - the name of a rule or family means a finding of it above info. A healthy network often has dead
///   units; that a rule noted them is no reason to fail a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailOn {
    severity: Option<Severity>,
    names: Vec<&'static str>,
}

impl FailOn {
    /// Parses words separated by commas. No word at all is refused: an empty variable in a pipeline would
    /// otherwise open the gate.
    ///
    /// # Errors
    /// Where a word is no rule, family or severity.
    pub fn parse(list: &str) -> Result<Self, SettingsError> {
        let mut fail_on = Self::default();
        for word in list.split(',') {
            fail_on.add(word.trim())?;
        }
        Ok(fail_on)
    }

    /// Adds one word.
    ///
    /// # Errors
    /// Where it is no rule, family or severity.
    pub fn add(&mut self, word: &str) -> Result<(), SettingsError> {
        let severity = match word {
            "info" => Some(Severity::Info),
            "warning" | "any" => Some(Severity::Warning),
            "error" => Some(Severity::Error),
            _ => None,
        };
        if let Some(severity) = severity {
            self.severity = Some(self.severity.map_or(severity, |s| s.min(severity)));
            return Ok(());
        }
        match known().find(|name| *name == word) {
            Some(name) => self.names.push(name),
            None => {
                let mut words: Vec<_> = ["any", "error", "warning"].into_iter().chain(known()).collect();
                words.sort_unstable();
                words.dedup();
                let near = near(word, words.into_iter());
                return Err(SettingsError::UnknownWord { word: word.into(), near });
            }
        }
        Ok(())
    }

    /// Rules and families that are named.
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// Whether this finding is one of them.
    pub fn matches(&self, finding: &Finding) -> bool {
        self.severity.is_some_and(|s| finding.severity >= s)
            || finding.severity > Severity::Info
                && self.names.iter().any(|n| *n == finding.rule || *n == finding.family)
    }
}

/// Names of rules and of families.
fn known() -> impl Iterator<Item = &'static str> {
    rules().flat_map(|r| [r.name, r.family])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &str, family: &str, severity: Severity) -> Finding {
        Finding {
            rule: rule.into(),
            family: family.into(),
            severity,
            layer: None,
            layers: vec![],
            first_epoch: 0,
            last_epoch: 0,
            first_step: None,
            value: 0.0,
            threshold: 0.0,
            quantity: String::new(),
            root: true,
            caused_by: None,
            message: String::new(),
            evidence: Default::default(),
            remedies: vec![],
        }
    }

    #[test]
    fn a_severity_means_that_or_worse_and_a_name_means_above_info() {
        use Severity::{Error, Info, Warning};
        let cases = [
            ("any", Info, false),
            ("any", Warning, true),
            ("warning", Error, true),
            ("error", Warning, false),
            ("info", Info, true),
            ("dead-units", Info, false),
            ("dead-units", Warning, true),
            ("vanishing, dead-relu", Warning, true),
            ("vanishing", Error, false),
        ];
        for (words, severity, expected) in cases {
            let fail_on = FailOn::parse(words).unwrap();
            let found = fail_on.matches(&finding("dead-units", "dead-relu", severity));
            assert_eq!(found, expected, "{words:?} {severity:?}");
        }
    }

    #[test]
    fn an_unknown_word_is_refused() {
        let error = FailOn::parse("error,vanish").unwrap_err().to_string();
        insta::assert_snapshot!(error, @r#"--fail-on "vanish" is no rule, family or severity: did you mean vanishing or vanishing-all or vanishing-time?"#);
    }
}
