//! Every output format.

use super::subject::Format;
use super::{csv, github, gitlab, json, junit, markdown, vega};

/// Every output format, as `--output` lists them.
pub const FORMATS: [Format; 7] = [
    junit::FORMAT,
    github::FORMAT,
    markdown::FORMAT,
    gitlab::FORMAT,
    csv::FORMAT,
    vega::FORMAT,
    json::FORMAT,
];

impl Format {
    /// The format of this name.
    pub fn named(name: &str) -> Option<&'static Format> {
        FORMATS.iter().find(|format| format.name == name)
    }
}
