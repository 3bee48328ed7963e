//! `gradscope explain RULE`: written from the same definitions that the rules are evaluated by.

use super::param::Source;
use super::rule::Rule;
use super::settings::{SettingsError, find};
use crate::text::{fill, literal, number};

/// Width that the text is filled to.
const WIDTH: usize = 88;

/// The text on a rule: what it measures, when it fires, its limits with their sources, its false alarms, its remedies.
///
/// # Errors
/// Where there is no such rule.
pub fn explain(rule: &str) -> Result<String, SettingsError> {
    find(rule.trim()).map(Rule::explain)
}

impl Rule {
    /// The text of [`explain`] for this rule.
    pub fn explain(&self) -> String {
        let mut text = format!("{} (family {})\n", self.name, self.family);
        text += &fill(&format!("{}.", self.summary), WIDTH, "");
        text += &self.section("What it measures", self.measures);
        text += &self.section("When it fires", self.fires);
        if !self.params.is_empty() {
            text += "\nLimits\n";
            for p in self.params {
                text += &format!("  {}.{} = {}\n", self.name, p.name, literal(p.default));
                text += &fill(p.why, WIDTH, "      ");
            }
            text += &fill(&self.sources(), WIDTH, "  ");
            text += &format!("  Change one with --set {}.{}=VALUE.\n", self.name, self.params[0].name);
        }
        text += &self.section("False alarms", self.false_alarms);
        text += &self.section("Remedies, as they fared in trials", self.trials);
        text
    }

    fn section(&self, title: &str, body: &str) -> String {
        format!("\n{title}\n{}", fill(&self.with_limits(body), WIDTH, "  "))
    }

    /// The sources of the limits in words, the usual source last.
    fn sources(&self) -> String {
        let odd: Vec<String> = [Source::Guess, Source::Corpus]
            .into_iter()
            .filter_map(|source| self.limits_from(source))
            .collect();
        let usual = Source::Calibrated.words();
        if odd.is_empty() {
            format!("All {usual}.")
        } else if self.limits_from(Source::Calibrated).is_some() {
            format!("{}; the others {usual}.", odd.join("; "))
        } else {
            format!("{}.", odd.join("; "))
        }
    }

    /// The names of the limits from this source, with its words; `None` where there are none.
    fn limits_from(&self, source: Source) -> Option<String> {
        let named = self.params.iter().filter(|p| p.source == source).map(|p| p.name);
        let named = named.collect::<Vec<_>>().join(", ");
        (!named.is_empty()).then(|| format!("{named}: {}", source.words()))
    }

    fn with_limits(&self, body: &str) -> String {
        self.params
            .iter()
            .fold(body.to_owned(), |text, p| text.replace(&format!("{{{}}}", p.name), &number(p.default)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::rules;

    #[test]
    fn every_limit_is_in_the_text_of_its_rule_and_nothing_else_is_left_open() {
        for rule in rules() {
            for p in rule.params {
                let placeholder = format!("{{{}}}", p.name);
                let texts = [rule.fires, rule.measures, rule.false_alarms];
                assert!(texts.iter().any(|t| t.contains(&placeholder)), "{}.{}", rule.name, p.name);
            }
            let text = rule.explain();
            assert!(!text.contains(['{', '}']), "{text}");
            assert!(text.lines().all(|l| l.len() <= WIDTH), "{text}");
            assert!(text.is_ascii(), "{text}");
        }
    }

    #[test]
    fn explanations_and_the_list_of_rules() {
        let all: String = rules().map(|r| r.explain() + "\n----\n\n").collect();
        insta::assert_snapshot!("explain", all);
        let list: String =
            rules().map(|r| format!("{:16} {:11} {}\n", r.name, r.family, r.summary)).collect();
        insta::assert_snapshot!("rules", list);
    }

    #[test]
    fn an_unknown_rule_is_answered_with_known_ones() {
        let error = explain("dead-layers").unwrap_err().to_string();
        insta::assert_snapshot!(error, @r#"unknown rule "dead-layers": did you mean dead-layer?"#);
    }
}
