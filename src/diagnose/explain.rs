//! `gradscope explain RULE`: written from the same definitions that the rules are evaluated by.

use super::rule::Rule;
use super::settings::{SettingsError, Source, find};
use crate::text::{fill, literal, number};

/// Width that the text is filled to.
const WIDTH: usize = 88;

/// What a rule measures, when it fires, its limits with their sources, its false alarms, its remedies.
///
/// # Errors
/// Where there is no such rule.
pub fn explain(rule: &str) -> Result<String, SettingsError> {
    find(rule.trim()).map(Rule::explain)
}

impl Rule {
    /// See [`explain`].
    pub fn explain(&self) -> String {
        let mut text = format!("{} (family {})\n", self.name, self.family);
        text += &fill(&format!("{}.", self.summary), WIDTH, "");
        let mut section = |title: &str, body: &str| {
            text += &format!("\n{title}\n{}", fill(&self.with_limits(body), WIDTH, "  "))
        };
        section("What it measures", self.measures);
        section("When it fires", self.fires);
        if !self.params.is_empty() {
            text += "\nLimits\n";
            for p in self.params {
                text += &format!("  {}.{} = {}\n", self.name, p.name, literal(p.default));
                text += &fill(p.why, WIDTH, "      ");
            }
            text += &fill(&self.sources(), WIDTH, "  ");
            text += &format!("  Change one with --set {}.{}=VALUE.\n", self.name, self.params[0].name);
        }
        let mut section = |title: &str, body: &str| {
            text += &format!("\n{title}\n{}", fill(&self.with_limits(body), WIDTH, "  "))
        };
        section("False alarms", self.false_alarms);
        section("Remedies, as they fared in trials", self.remedies);
        text
    }

    /// Where the limits come from, the usual source last.
    fn sources(&self) -> String {
        let of = |source: Source| -> Option<String> {
            let named = self.params.iter().filter(|p| p.source == source).map(|p| p.name);
            let named = named.collect::<Vec<_>>().join(", ");
            (!named.is_empty()).then(|| format!("{named}: {}", source.words()))
        };
        let odd: Vec<String> = [Source::Guess, Source::Corpus].into_iter().filter_map(of).collect();
        let rest = of(Source::Calibrated).map(|_| Source::Calibrated.words());
        match (odd.as_slice(), rest) {
            ([], _) => format!("All {}.", Source::Calibrated.words()),
            (odd, Some(rest)) => format!("{}; the others {rest}.", odd.join("; ")),
            (odd, None) => format!("{}.", odd.join("; ")),
        }
    }

    fn with_limits(&self, body: &str) -> String {
        let put =
            |text: String, p: &super::Param| text.replace(&format!("{{{}}}", p.name), &number(p.default));
        self.params.iter().fold(body.to_owned(), put)
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
