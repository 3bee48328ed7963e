//! `gradscope rules` and `gradscope explain`.

use serde_json::{Value, json};

use crate::cli::output;
use crate::cli::output::{Listing, exit};
use crate::diagnose::{self, Param, Rule};

/// `gradscope explain RULE`
pub fn explain(rule: &str) -> anyhow::Result<u8> {
    output::print(&diagnose::explain(rule)?)?;
    Ok(exit::DONE)
}

/// Prints every rule: a line each, as JSON with their limits, or as a page of Markdown.
pub fn rules(form: Listing) -> anyhow::Result<u8> {
    let text = match form {
        Listing::Json => rules_as_json()?,
        Listing::Markdown => rules_as_markdown(),
        Listing::Text => {
            let width = diagnose::rules().map(|r| r.name.len()).max().unwrap_or(0);
            diagnose::rules()
                .map(|r| format!("{:width$}  {:10}  {}\n", r.name, r.family, r.summary))
                .collect()
        }
    };
    output::print(&text)?;
    Ok(exit::DONE)
}

fn rules_as_json() -> anyhow::Result<String> {
    let rules: Vec<Value> = diagnose::rules().map(rule_as_json).collect();
    Ok(serde_json::to_string_pretty(&rules)? + "\n")
}

fn rule_as_json(rule: &Rule) -> Value {
    let limits: Vec<Value> = rule.params.iter().map(limit_as_json).collect();
    json!({ "name": rule.name, "family": rule.family, "summary": rule.summary, "limits": limits })
}

fn limit_as_json(limit: &Param) -> Value {
    json!({ "name": limit.name, "value": limit.default, "why": limit.why, "source": limit.source.words() })
}

/// Returns `docs/rules.md`: a table of all rules, and what `explain` says of each.
fn rules_as_markdown() -> String {
    let (mut rows, mut sections) = (String::new(), String::new());
    for r in diagnose::rules() {
        rows += &format!("| [{0}](#{0}) | {1} | {2} |\n", r.name, r.family, r.summary);
        // As it stands in a terminal: its numbers and signs need no escaping so.
        sections += &format!("\n## {}\n\n```text\n{}```\n", r.name, r.explain());
    }
    format!(
        "# The rules\n\nWhat `gradscope explain RULE` says of each; `gradscope rules --markdown` writes this page.\n\n\
         | rule | family | finds |\n|---|---|---|\n{rows}{sections}"
    )
}
