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
            let line = |r: &Rule| format!("{:width$}  {:10}  {}\n", r.name, r.family, r.summary);
            diagnose::rules().map(line).collect()
        }
    };
    output::print(&text)?;
    Ok(exit::DONE)
}

fn rules_as_json() -> anyhow::Result<String> {
    let limit =
        |p: &Param| json!({ "name": p.name, "value": p.default, "why": p.why, "source": p.source.words() });
    let rule = |r: &Rule| {
        let limits: Vec<Value> = r.params.iter().map(limit).collect();
        json!({ "name": r.name, "family": r.family, "summary": r.summary, "limits": limits })
    };
    Ok(serde_json::to_string_pretty(&diagnose::rules().map(rule).collect::<Vec<_>>())? + "\n")
}

/// Returns `docs/rules.md`: a table of all rules, and what `explain` says of each.
fn rules_as_markdown() -> String {
    let row = |r: &Rule| format!("| [{0}](#{0}) | {1} | {2} |\n", r.name, r.family, r.summary);
    // As it stands in a terminal: its numbers and signs need no escaping so.
    let section = |r: &Rule| format!("\n## {}\n\n```text\n{}```\n", r.name, r.explain());
    let rows: String = diagnose::rules().map(row).collect();
    let sections: String = diagnose::rules().map(section).collect();
    format!(
        "# The rules\n\nWhat `gradscope explain RULE` says of each; `gradscope rules --markdown` writes this page.\n\n\
         | rule | family | finds |\n|---|---|---|\n{rows}{sections}"
    )
}
